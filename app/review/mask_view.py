"""The sampling mask as a picture, and what it does to one bright point."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from app import theme
from app.display.colors import to_words
from engine.core.types import Float, SamplingMask

PSF_DB: Final = -60.0
MARKS: Final = (-20.0, -40.0)
GAP: Final = 8


class MaskView(QWidget):
    """Mask at the left (ky by frame when the readout is full, else ky by kx of one frame), point-spread function at the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sampling.picture")
        self.setMinimumHeight(96)
        self._mask: SamplingMask | None = None
        self._psf: Float | None = None
        self._frame = 0

    def set_mask(self, mask: SamplingMask | None, psf: Float | None) -> None:
        """Show a mask and its point-spread function, magnitude (y, x or 1) with peak 1 in the centre; None shows none."""
        if mask is self._mask and psf is self._psf:
            return
        self._mask, self._psf = mask, psf
        self._describe()
        self.update()

    def set_frame(self, frame: int) -> None:
        """Mark (1D) or show (2D) the mask of a frame."""
        before, self._frame = self._shown_frame(), frame
        if self._shown_frame() != before:  # one mask for all frames looks the same
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(260, 132)

    def mask_picture(self) -> NDArray[np.float32] | None:
        """Return what the mask picture shows, 0 or 1: (ky, frame), (ky, kx) of the frame, or None without a mask."""
        if self._mask is None:
            return None
        lines = self._mask.lines
        if self._mask.is_cartesian_1d:
            flat: NDArray[np.float32] = np.ascontiguousarray(lines[:, :, 0].T, dtype=np.float32)
            return flat
        shown: NDArray[np.float32] = lines[min(self._frame, lines.shape[0] - 1)].astype(np.float32)
        return shown

    def _describe(self) -> None:
        if self._mask is None:
            self.setAccessibleName("No mask")
            self.setToolTip("")
            return
        percent = 100 * np.count_nonzero(self._mask.lines) / self._mask.lines.size
        words = f"Mask: {percent:.1f} % of the samples are measured"
        if self._psf is not None:
            words += f". Point-spread function: highest side lobe {100 * side_lobe(self._psf):.0f} % of the peak"
        self.setAccessibleName(words)
        self.setToolTip(words)

    # --- painting ------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        font = theme.small(self.font(), 0.85)
        painter.setFont(font)
        caption = QFontMetricsF(font).height() + 2
        half = (self.width() - GAP) / 2
        left = QRectF(0, caption, half, self.height() - caption)
        right = QRectF(half + GAP, caption, half, self.height() - caption)
        picture = self.mask_picture()
        flat = self._mask is None or self._mask.is_cartesian_1d
        words = "mask: ky ↓ frame →" if flat else f"mask: ky ↓ kx →, frame {self._shown_frame() + 1}"
        self._caption(painter, left, words)
        self._caption(painter, right, "point spread, dB")
        for area in (left, right):
            painter.fillRect(area, QColor(theme.IMAGE_BACKGROUND))
        if picture is not None:
            self._paint_mask(painter, left, picture, flat=flat)
        else:
            painter.setPen(QColor(theme.IMAGE_DIM))
            painter.drawText(left, int(Qt.AlignmentFlag.AlignCenter), "no mask")
        if self._psf is not None:
            level = to_decibels(self._psf)
            if self._psf.shape[-1] == 1:
                self._paint_curve(painter, right, level[:, 0])
            else:
                place = _square(right, level.shape)
                shown = reduced(level, *self._pixels(place), largest=True)  # the peak is one pixel, and the worst lobe counts
                self._paint_picture(painter, place, shown, (PSF_DB, 0.0))

    def _shown_frame(self) -> int:
        return 0 if self._mask is None else min(self._frame, self._mask.lines.shape[0] - 1)

    def _caption(self, painter: QPainter, area: QRectF, words: str) -> None:
        painter.setPen(theme.color("dim"))
        box = QRectF(area.left(), 0, area.width(), area.top())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), words)

    def _paint_mask(self, painter: QPainter, area: QRectF, picture: NDArray[np.float32], *, flat: bool) -> None:
        place = area if flat else _square(area, picture.shape)
        # More samples than screen pixels: each pixel shows the share of its samples that is measured, so none vanishes.
        self._paint_picture(painter, place, reduced(picture, *self._pixels(place)), (0.0, 1.0))
        if flat and self._mask is not None and self._mask.lines.shape[0] > 1:
            width = area.width() / picture.shape[1]
            painter.setPen(QPen(theme.color("accent"), 1.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            x = area.left() + self._shown_frame() * width
            painter.drawRect(QRectF(x, area.top(), width, area.height()).adjusted(0.5, 0.5, -0.5, -0.5))

    def _pixels(self, place: QRectF) -> tuple[int, int]:
        """Return the rows and columns of screen pixels in a place."""
        ratio = self.devicePixelRatioF()
        return max(1, int(place.height() * ratio)), max(1, int(place.width() * ratio))

    def _paint_picture(self, painter: QPainter, place: QRectF, values: NDArray[Any], levels: tuple[float, float]) -> None:
        words = to_words(np.ascontiguousarray(values, dtype=np.float32), levels, "gray")
        rows, columns = words.shape
        image = QImage(words.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)
        painter.drawImage(place, image, QRectF(0, 0, columns, rows))

    def _paint_curve(self, painter: QPainter, area: QRectF, level: NDArray[np.float32]) -> None:
        inner = area.adjusted(4, 4, -4, -4)
        painter.setPen(QPen(QColor(theme.IMAGE_DIM), 1.0, Qt.PenStyle.DotLine))
        for mark in MARKS:
            y = inner.top() + inner.height() * mark / PSF_DB
            painter.drawLine(QPointF(inner.left(), y), QPointF(inner.right(), y))
        across = (inner.left() + np.linspace(0.0, 1.0, level.size) * inner.width()).tolist()
        down = (inner.top() + inner.height() * level / PSF_DB).tolist()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.IMAGE_TEXT), 1.0))
        painter.drawPolyline(QPolygonF([QPointF(a, b) for a, b in zip(across, down, strict=True)]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        metrics = QFontMetricsF(painter.font())
        for mark in MARKS:
            words = f"{mark:.0f}"
            y = inner.top() + inner.height() * mark / PSF_DB
            box = QRectF(inner.left(), y - metrics.height() / 2, metrics.horizontalAdvance(words) + 4, metrics.height())
            painter.fillRect(box, QColor(theme.IMAGE_BACKGROUND))
            painter.setPen(QColor(theme.IMAGE_DIM))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), words)


def to_decibels(psf: Float) -> NDArray[np.float32]:
    """Return 20 log10 of a point-spread function, clipped to the picture's range."""
    with np.errstate(divide="ignore"):
        level: NDArray[np.float32] = np.clip(20 * np.log10(psf.astype(np.float64)), PSF_DB, 0.0).astype(np.float32)
    return level


def side_lobe(psf: Float) -> float:
    """Return the largest value away from the peak, which stands at (y // 2, x // 2)."""
    rest = np.array(psf)
    rest[rest.shape[0] // 2, rest.shape[1] // 2] = 0
    return float(rest.max())


def reduced(picture: NDArray[np.float32], rows: int, columns: int, *, largest: bool = False) -> NDArray[np.float32]:
    """Return a picture of at most ``rows`` x ``columns`` pixels, each the mean (or the largest) of those it stands for."""
    for axis, most in enumerate((rows, columns)):
        size = picture.shape[axis]
        if size <= most:
            continue
        starts = (np.arange(most) * size) // most
        if largest:
            picture = np.maximum.reduceat(picture, starts, axis=axis)
        else:
            counts = np.diff(np.append(starts, size))
            picture = (np.add.reduceat(picture, starts, axis=axis) / (counts if axis else counts[:, None])).astype(np.float32)
    return picture


def _square(area: QRectF, shape: tuple[int, ...]) -> QRectF:
    """Return the largest place inside ``area`` where pixels are square."""
    pixel = min(area.width() / shape[1], area.height() / shape[0])
    width, height = shape[1] * pixel, shape[0] * pixel
    return QRectF(area.left() + (area.width() - width) / 2, area.top() + (area.height() - height) / 2, width, height)
