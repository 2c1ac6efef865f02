"""A validation slice before and now, side by side in one grey window, and what has changed; all scale and step together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app import theme
from app.display.painting import to_words
from app.train.run import same_levels

TITLE: Final = 22
GAP: Final = 8
WORDS: Final = 132
"""Pixels that a title needs."""
GAIN: Final = 5.0
"""Changes are shown this much brighter."""


class PreviewPair(QWidget):
    """Two series (frame, y, x) of magnitudes. The wheel steps through frames; :meth:`set_flip` puts the first over the second."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train.preview")
        self.setAccessibleName("Validation slice before and now")
        self.setMinimumHeight(140)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.titles: tuple[str, ...] = ()
        self.frame = 0
        self.levels = (0.0, 1.0)
        self._series: tuple[NDArray[np.float32], ...] = ()
        self._images: list[tuple[QImage, NDArray[np.uint32]]] = []
        self._flip = False
        self.setToolTip("Wheel: frames. Hold F: the picture before stands in the place of the one now")

    def sizeHint(self) -> QSize:
        return QSize(480, 240)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self._series[0].shape[0]) if self._series else 0

    def set_series(self, titles: Sequence[str], series: Sequence[NDArray[np.float32]]) -> None:
        """Show series with their titles, both in one window, and how far the second is from the first. () shows none."""
        self.titles, self._series = tuple(titles), tuple(series)
        if len(series) == 2 and series[0].shape == series[1].shape:
            self.titles = (*self.titles, f"change ×{GAIN:g}")
        self.frame = min(self.frame, max(0, self.frames - 1))
        self.levels = same_levels(self._series)
        self.setAccessibleDescription(" and ".join(titles) or "No validation yet")
        self._make()

    def set_frame(self, frame: int) -> None:
        """Show a frame."""
        if self.frames:
            self.frame = frame % self.frames
            self._make()

    def set_flip(self, on: bool) -> None:
        """Show the first series in the place of the second."""
        if on != self._flip:
            self._flip = on
            self.update()

    def _make(self) -> None:
        self._images = []
        for images in self._series:
            self._images.append(_picture(images[min(self.frame, len(images) - 1)], self.levels))
        if len(self.titles) > len(self._series):
            first, second = (images[self.frame] for images in self._series)
            self._images.append(_picture(np.abs(second - first) * np.float32(GAIN), self.levels))
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.frames > 1 and event.angleDelta().y():
            self.set_frame(self.frame + (1 if event.angleDelta().y() < 0 else -1))
            event.accept()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(theme.IMAGE_BACKGROUND))
        if not self._images:
            painter.setPen(QColor(theme.IMAGE_DIM))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "A validation slice appears here, before and now")
            return
        ny, nx = self._images[0][1].shape
        count = len(self._images)
        scale = min((self.width() - GAP * (count - 1)) / count / nx, (self.height() - TITLE) / ny)
        # As close together as their words let them be: the eye compares what is near.
        across = max(scale * nx, min(WORDS, (self.width() - GAP * (count - 1)) / count))
        left = (self.width() - count * across - GAP * (count - 1)) / 2
        top = TITLE + (self.height() - TITLE - scale * ny) / 2
        for index, title in enumerate(self.titles):
            flipped = self._flip and index == 1
            place = left + index * (across + GAP)
            painter.setPen(QColor(theme.IMAGE_TEXT))
            told = f"{title}, frame {self.frame + 1}/{self.frames}" if index == 0 else self.titles[0] if flipped else title
            painter.drawText(QRectF(place, 0, across, TITLE), Qt.AlignmentFlag.AlignCenter, told)
            area = QRectF(place + (across - scale * nx) / 2, top, scale * nx, scale * ny)
            painter.drawImage(area, self._images[0 if flipped else index][0])


def _picture(image: NDArray[np.float32], levels: tuple[float, float]) -> tuple[QImage, NDArray[np.uint32]]:
    """Return a grey picture with the pixels it lives on."""
    words = np.ascontiguousarray(to_words(image, levels, "gray"))
    height, width = words.shape
    return QImage(words.data, width, height, 4 * width, QImage.Format.Format_RGB32), words
