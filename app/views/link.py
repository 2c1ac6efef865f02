"""What all panes of a grid share: zoom, cursor, profile line, selection, fonts; and the outline drawn once for all."""

from __future__ import annotations

from typing import Any, Final

from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from app.display.camera import Camera, Target
from app.display.edges import calmed, segments
from app.display.frames import Display
from app.display.marks import Mark
from app.display.profile import Line
from engine.core.types import Bool

FINE: Final = 3.0
"""Screen pixels per image pixel from which the outline follows the region exactly; below, specks are left out."""


class Link:
    """Shared state that panes read while they paint; the grid changes it and repaints them."""

    def __init__(self) -> None:
        self.display = Display()
        self.camera = Camera()
        self.cursor: tuple[int, int] | None = None
        self.hovered = ""
        self.selected = ""
        self.line: Line | None = None
        self.marks: tuple[Mark, ...] = ()
        self._outlines: dict[tuple[Any, ...], tuple[Bool, QPixmap]] = {}
        self._segments: tuple[Bool, NDArray[Any], bool] | None = None

    def target(self, area: QRectF, shape: tuple[int, int]) -> Target:
        """Return where an image lies inside ``area``, in the coordinates of ``area``'s corner."""
        return self.camera.target(area.width(), area.height(), shape, self.display.pixel_aspect)

    def outline(self, region: Bool, size: QSizeF, ratio: float, target: Target, color: QColor) -> QPixmap:
        """Return the outline of a region as a transparent picture of a viewport; made once for all panes of that size."""
        key = (id(region), size.width(), size.height(), ratio, target, color.rgba())
        kept = self._outlines.get(key)
        if kept is not None and kept[0] is region:
            return kept[1]
        if len(self._outlines) > 6:
            self._outlines.clear()
        picture = QPixmap((size * ratio).toSize())
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        fine = target.pixel_width >= FINE
        if self._segments is None or self._segments[0] is not region or self._segments[2] is not fine:
            self._segments = (region, segments(region if fine else calmed(region)), fine)
        painter = QPainter(picture)
        painter.setPen(QPen(color, 1.0))
        scaled = self._scaled(target)
        painter.drawLines([QLineF(*row) for row in scaled])
        painter.end()
        self._outlines[key] = (region, picture)
        return picture

    def _scaled(self, target: Target) -> list[list[float]]:
        assert self._segments is not None
        scale = [target.pixel_width, target.pixel_height, target.pixel_width, target.pixel_height]
        shift = [target.x, target.y, target.x, target.y]
        scaled: list[list[float]] = (self._segments[1] * scale + shift).tolist()
        return scaled
