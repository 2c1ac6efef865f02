"""What all panes of a grid share: zoom, cursor, selection, what is being dragged; pictures and outlines made once for all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPixmap

from app.display.camera import Camera, Target
from app.display.edges import calmed, segments
from app.display.frames import Display, PaneFrame
from app.display.layers import DividerLayer, ImageLayer, Layer, OverlayLayer
from app.display.painting import to_words
from engine.core.types import Bool

FINE: Final = 3.0
"""Screen pixels per image pixel from which the outline follows the region exactly; below, specks are left out."""


Colored = ImageLayer | OverlayLayer


class Link:
    """Shared state that panes read while they paint; the grid changes it and repaints them.

    ``live`` holds the layers that a tool is dragging, by key: they stand in for those of the display until it follows.
    """

    def __init__(self) -> None:
        self.display = Display()
        self.camera = Camera()
        self.cursor: tuple[int, int] | None = None
        self.hovered = ""
        self.selected = ""
        self.live: dict[str, Layer] = {}
        self.asked: int | None = None  # frame that was asked for and is not on screen yet
        self._pictures: dict[Colored, tuple[NDArray[np.uint32], QImage]] = {}
        self._outlines: dict[tuple[Any, ...], tuple[Bool, QPixmap]] = {}
        self._segments: tuple[Bool, NDArray[Any], bool] | None = None

    def target(self, area: QRectF, shape: tuple[int, int]) -> Target:
        """Return where an image lies inside ``area``, in the coordinates of ``area``'s corner."""
        return self.camera.target(area.width(), area.height(), shape, self.display.pixel_aspect)

    def layers(self, frame: PaneFrame) -> tuple[Layer, ...]:
        """Return the layers of a frame as they are now: one that is being dragged is where the mouse has it."""
        if not self.live:
            return frame.layers
        return tuple(self.live.get(layer.key, layer) if layer.key else layer for layer in frame.layers)

    def colored(self, layer: Colored) -> QImage:
        """Return a picture in its colours; made once for all panes that show it, and kept while one does."""
        kept = self._pictures.get(layer)
        if kept is None:
            clear = isinstance(layer, OverlayLayer)
            invalid = clear or (isinstance(layer, ImageLayer) and layer.invalid > 0)
            words = to_words(layer.values, layer.levels, layer.colormap, invalid=invalid)
            if clear:
                words[~np.isfinite(layer.values)] = 0
            rows, columns = words.shape
            form = QImage.Format.Format_ARGB32 if clear else QImage.Format.Format_RGB32
            # The image borrows the array's memory, which is therefore kept with it.
            kept = words, QImage(words.data, columns, rows, columns * 4, form)
            self._pictures[layer] = kept
        return kept[1]

    def keep_only(self, frames: Iterable[PaneFrame]) -> None:
        """Forget the coloured pictures that none of these frames shows."""
        if not self._pictures:
            return
        shown: set[Colored] = set()
        for frame in frames:
            for layer in frame.layers:
                if isinstance(layer, ImageLayer | OverlayLayer):
                    shown.add(layer)
                elif isinstance(layer, DividerLayer):
                    shown.add(layer.other)
        self._pictures = {layer: kept for layer, kept in self._pictures.items() if layer in shown}

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
