"""Tools of the click: a pixel to inspect, a point to draw. A drag pans, as without them."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from app.views.pane import Pane
from app.views.tools.contract import TOOLS
from app.views.tools.view import PanTool


class InspectTool(PanTool):
    """A click tells the data pixel."""

    def click(self, pane: Pane, position: QPointF) -> None:
        super().click(pane, position)
        pixel = pane.data_pixel(position)
        if pixel is not None:
            self.surface.pixelClicked.emit(pane.key, *pixel)


class PointTool(PanTool):
    """A click tells the data coordinates."""

    def click(self, pane: Pane, position: QPointF) -> None:
        super().click(pane, position)
        point = pane.data_point(position)
        if point is not None:
            self.surface.pointClicked.emit(pane.key, *point)


TOOLS.register("inspect", InspectTool)
TOOLS.register("point", PointTool)
