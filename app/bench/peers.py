"""The same images shown by pyqtgraph: a grid of its ImageViews, and bare ImageItems in one scene."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

Pictures = Sequence[NDArray[np.float32]]


class _Peer(QWidget):
    """Shows pictures (frame, y, x) side by side on fixed levels."""

    watched: QWidget

    def __init__(self, pictures: Pictures, size: QSize) -> None:
        super().__init__()
        pg.setConfigOptions(imageAxisOrder="row-major")
        self.pictures = pictures
        self.columns = math.ceil(math.sqrt(len(pictures)))
        self.build()
        self.resize(size)
        self.show()

    def build(self) -> None:
        """Make the widgets."""
        raise NotImplementedError

    def show_frame(self, step: int) -> None:
        """Show the next frame in all."""
        raise NotImplementedError

    def set_levels(self, step: int) -> None:
        """Change the window of all."""
        raise NotImplementedError


def _levels(step: int) -> tuple[float, float]:
    return 0.0, 0.8 + 0.01 * step


class ImageViewGrid(_Peer):
    """One ImageView for each picture, as its documentation shows it, without histogram and buttons."""

    def build(self) -> None:
        """Make the widgets."""
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.views = []
        for index, picture in enumerate(self.pictures):
            view = pg.ImageView()
            for part in (view.ui.histogram, view.ui.roiBtn, view.ui.menuBtn):
                part.hide()
            view.setImage(picture, autoLevels=False, levels=_levels(0))
            layout.addWidget(view, index // self.columns, index % self.columns)
            self.views.append(view)
        self.watched = self.views[-1].ui.graphicsView.viewport()

    def show_frame(self, step: int) -> None:
        """Show the next frame in all."""
        for view in self.views:
            view.setCurrentIndex((step + 1) % len(self.pictures[0]))

    def set_levels(self, step: int) -> None:
        """Change the window of all."""
        for view in self.views:
            view.setLevels(*_levels(step + 1))


class ImageItemGrid(_Peer):
    """Bare ImageItems in one GraphicsView."""

    def build(self) -> None:
        """Make the widgets."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        view = pg.GraphicsView()
        layout.addWidget(view)
        side = self.pictures[0].shape[-1]
        self.items = []
        for index, picture in enumerate(self.pictures):
            item = pg.ImageItem(picture[0], autoLevels=False, levels=_levels(0))
            item.setPos((index % self.columns) * (side + 4), (index // self.columns) * (side + 4))
            view.addItem(item)
            self.items.append(item)
        rows = -(-len(self.pictures) // self.columns)
        view.setRange(pg.QtCore.QRectF(0, 0, self.columns * (side + 4), rows * (side + 4)), padding=0)
        self.watched = view.viewport()

    def show_frame(self, step: int) -> None:
        """Show the next frame in all."""
        for item, picture in zip(self.items, self.pictures, strict=True):
            item.setImage(picture[(step + 1) % len(picture)], autoLevels=False)

    def set_levels(self, step: int) -> None:
        """Change the window of all."""
        for item in self.items:
            item.setLevels(_levels(step + 1))
