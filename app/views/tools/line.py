"""The profile line: moved where it lies, or drawn anew."""

from __future__ import annotations

from enum import Enum, auto

from PySide6.QtCore import QPointF, Qt

from app.display.layers import LineLayer, first
from app.display.profile import Line, clipped
from app.views.pane import Pane
from app.views.tools.contract import GRAB, TOOLS, Surface, Tool, distance
from app.views.tools.view import PanTool


class _Part(Enum):
    START = auto()
    END = auto()
    WHOLE = auto()


class LineGrip(Tool):
    """Takes the line under the mouse: an end, or all of it."""

    cursor = Qt.CursorShape.SizeAllCursor

    def __init__(self, surface: Surface) -> None:
        super().__init__(surface)
        self._part = _Part.WHOLE
        self._line: Line = (0.0, 0.0, 0.0, 0.0)

    def takes(self, pane: Pane, position: QPointF) -> bool:
        return self._under(pane, position) is not None

    def press(self, pane: Pane, position: QPointF) -> bool:
        part, layer = self._under(pane, position), first(pane.layers, LineLayer)
        if part is None or layer is None:
            return False
        self._part, self._line = part, layer.line
        return super().press(pane, position)

    def drag(self, pane: Pane, position: QPointF) -> None:
        start, here = pane.to_data(self.start), pane.to_data(position)
        if start is None or here is None:
            return
        sizes = self.link.display.sizes
        x0, y0, x1, y1 = self._line
        dx, dy = here[0] - start[0], here[1] - start[1]
        if self._part is _Part.START:
            moved = (x0 + dx, y0 + dy, x1, y1)
        elif self._part is _Part.END:
            moved = (x0, y0, x1 + dx, y1 + dy)
        else:  # the whole line stops at the border instead of being bent by it
            dx = min(max(dx, -min(x0, x1)), sizes.width - 1 - max(x0, x1))
            dy = min(max(dy, -min(y0, y1)), sizes.height - 1 - max(y0, y1))
            moved = (x0 + dx, y0 + dy, x1 + dx, y1 + dy)
        set_line(self.surface, pane, clipped(moved, sizes.height, sizes.width))

    def _under(self, pane: Pane, position: QPointF) -> _Part | None:
        layer = first(pane.layers, LineLayer)
        if layer is None:
            return None
        x0, y0, x1, y1 = layer.line
        start, end = pane.at(x0, y0), pane.at(x1, y1)
        if distance(position, start) <= GRAB:
            return _Part.START
        if distance(position, end) <= GRAB:
            return _Part.END
        return _Part.WHOLE if _from_segment(position, start, end) <= GRAB - 2 else None


class LineTool(PanTool):
    """A drag draws the profile line from where it began to where it ends; the row of profiles comes with it."""

    def drag(self, pane: Pane, position: QPointF) -> None:
        start, here = pane.to_data(self.start), pane.to_data(position)
        if start is None or here is None:
            return
        if first(pane.layers, LineLayer) is None:
            self.surface.viewEdited.emit("show the profile", {"show_profile": True})
        sizes = self.link.display.sizes
        set_line(self.surface, pane, clipped((*start, *here), sizes.height, sizes.width))


def set_line(surface: Surface, pane: Pane, line: Line) -> None:
    """Show a line at once, and tell it."""
    before = first(pane.layers, LineLayer)
    if before is None or before.line != line:
        surface.show_live(LineLayer(line))
        surface.viewEdited.emit("move the profile", {"profile": line})


def _from_segment(point: QPointF, start: QPointF, end: QPointF) -> float:
    along = end - start
    length = along.x() ** 2 + along.y() ** 2
    if length == 0:
        return distance(point, start)
    share = QPointF.dotProduct(point - start, along) / length
    return distance(point, start + along * min(max(share, 0.0), 1.0))


TOOLS.register("line", LineTool)
TOOLS.register("line.grip", LineGrip)
