"""Tools that are there only where something can be moved: handles of shapes, the divider, the frame in a profile."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, Qt

from app.display.layers import DividerLayer, RoiLayer, first
from app.display.shapes import handles
from app.views.layers.pictures import divider_x
from app.views.pane import Pane
from app.views.tools.contract import GRAB, TOOLS, Surface, Tool, distance


class HandleGrip(Tool):
    """Takes a handle of a shape; the nearest wins."""

    cursor = Qt.CursorShape.SizeAllCursor

    def __init__(self, surface: Surface) -> None:
        super().__init__(surface)
        self._held = ("", 0)  # of which shape, which one

    def takes(self, pane: Pane, position: QPointF) -> bool:
        return self._under(pane, position) is not None

    def press(self, pane: Pane, position: QPointF) -> bool:
        found = self._under(pane, position)
        if found is None:
            return False
        self._held = found
        return super().press(pane, position)

    def drag(self, pane: Pane, position: QPointF) -> None:
        point, (key, index) = pane.data_point(position), self._held
        layer = next((layer for layer in _shapes(pane) if layer.key == key), None)
        if point is None or layer is None or index >= len(layer.points):
            return
        points = (*layer.points[:index], point, *layer.points[index + 1 :])
        self.surface.show_live(replace(layer, points=points))
        self.surface.handleMoved.emit(key, index, *point)

    def _under(self, pane: Pane, position: QPointF) -> tuple[str, int] | None:
        best, found = GRAB, None
        for layer in _shapes(pane):
            for index, point in enumerate(handles(layer.shape, layer.points)):
                away = distance(position, pane.at(*point))
                if away <= best:
                    best, found = away, (layer.key, index)
        return found


def _shapes(pane: Pane) -> list[RoiLayer]:
    return [layer for layer in pane.layers if isinstance(layer, RoiLayer)]


class DividerGrip(Tool):
    """Takes the divider between two pictures, and moves it in all panes."""

    cursor = Qt.CursorShape.SplitHCursor

    def takes(self, pane: Pane, position: QPointF) -> bool:
        layer = first(pane.layers, DividerLayer)
        return layer is not None and abs(position.x() - divider_x(layer, pane.picture_area())) <= GRAB

    def drag(self, pane: Pane, position: QPointF) -> None:
        layer, area = first(pane.layers, DividerLayer), pane.picture_area()
        if layer is None:
            return
        share = min(max((position.x() - area.left()) / area.width(), 0.0), 1.0)
        if share != layer.position:
            self.surface.show_live(replace(layer, position=share))
            self.surface.viewEdited.emit("move the divider", {"divider": share})


class ScrubGrip(Tool):
    """In a profile, goes to the frame under the mouse."""

    cursor = Qt.CursorShape.PointingHandCursor
    slack = -1.0

    def press(self, pane: Pane, position: QPointF) -> bool:
        self.drag(pane, position)
        return True

    def drag(self, pane: Pane, position: QPointF) -> None:
        """Ask for a frame; steps count from the one asked for last, for the mouse can be quicker than the drawing."""
        link, frame = self.link, pane.strip_row(position)
        before = link.display.frame if link.asked is None else link.asked
        if frame is not None and frame != before:
            link.asked = frame
            self.surface.frameRequested.emit(frame - before)


TOOLS.register("handle.grip", HandleGrip)
TOOLS.register("divider.grip", DividerGrip)
TOOLS.register("scrub.grip", ScrubGrip)
