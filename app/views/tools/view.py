"""Tools that change how all panes are seen: pan, zoom, window."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, Qt

from app.display.camera import Camera
from app.display.window import dragged
from app.views.pane import Pane
from app.views.tools.contract import TOOLS, Surface, Tool


class PanTool(Tool):
    """A drag moves the image with the mouse."""

    def __init__(self, surface: Surface) -> None:
        super().__init__(surface)
        self._last = QPointF()

    def press(self, pane: Pane, position: QPointF) -> bool:
        self._last = position
        return super().press(pane, position)

    def drag(self, pane: Pane, position: QPointF) -> None:
        target = pane.target()
        step, self._last = position - self._last, position
        if target is not None:
            rows, columns = self.link.display.orientation.shape
            across, down = step.x() / (columns * target.pixel_width), step.y() / (rows * target.pixel_height)
            self.surface.set_camera(self.link.camera.panned(-across, -down))


class ZoomTool(Tool):
    """A drag upwards enlarges about the place where it began, downwards shows more."""

    cursor = Qt.CursorShape.SizeVerCursor
    PER_E_FOLD = 120.0

    def __init__(self, surface: Surface) -> None:
        super().__init__(surface)
        self._about = (0.5, 0.5)
        self._camera = Camera()

    def press(self, pane: Pane, position: QPointF) -> bool:
        target = pane.target()
        if target is None:
            return False
        rows, columns = self.link.display.orientation.shape
        column, row = target.to_image(position.x(), position.y())
        self._about, self._camera = ((column + 0.5) / columns, (row + 0.5) / rows), self.link.camera
        return super().press(pane, position)

    def drag(self, pane: Pane, position: QPointF) -> None:  # noqa: ARG002
        factor = math.exp((self.start.y() - position.y()) / self.PER_E_FOLD)
        self.surface.set_camera(self._camera.zoomed(factor, *self._about))


class WindowTool(Tool):
    """A drag to the right widens the window of all panes, down darkens."""

    cursor = Qt.CursorShape.SizeAllCursor

    def __init__(self, surface: Surface) -> None:
        super().__init__(surface)
        self._window = (0.0, 1.0)

    def press(self, pane: Pane, position: QPointF) -> bool:
        self._window = self.link.display.window
        return self.link.display.window_moves and super().press(pane, position)

    def drag(self, pane: Pane, position: QPointF) -> None:  # noqa: ARG002
        step = position - self.start
        self.surface.windowChanged.emit(*dragged(self._window, math.exp(step.x() / 200), step.y() / 300))

    def double_click(self) -> None:
        """Take the automatic window again."""
        self.surface.windowReset.emit()


TOOLS.register("pan", PanTool)
TOOLS.register("zoom", ZoomTool)
TOOLS.register("window", WindowTool)
