"""The colour scales of the panes: name, bar, and the values of its ends."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app import theme
from app.display.frames import ColorScale
from app.display.painting import ramp
from app.display.words import number

BAR: Final = 10
STRIP: Final = 46
"""Height of one scale with its words."""


class Legend(QWidget):
    """Horizontal colour bars, low at the left; zero is marked when it lies between. The same scale holds for all panes."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("grid.legend")
        self.scales: tuple[ColorScale, ...] = ()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def set_scales(self, scales: tuple[ColorScale, ...]) -> None:
        """Show scales, one above the other."""
        if scales == self.scales:
            return
        self.scales = scales
        words = [f"{s.label}: {number(s.levels[0])} to {number(s.levels[1])}" for s in scales]
        self.setAccessibleName("; ".join(words))
        self.setToolTip("\n".join([*words, "the same in all panes"]))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.IMAGE_BACKGROUND))
        painter.setFont(theme.numbers(theme.small(self.font())))
        metrics = QFontMetricsF(painter.font())
        one = 2 * metrics.height() + BAR + 4
        gap = min(16.0, max(2.0, (self.height() - one * len(self.scales)) / (len(self.scales) + 1)))
        top = max(0.0, (self.height() - one * len(self.scales) - gap * (len(self.scales) - 1)) / 2)
        margin = min(16.0, self.width() * 0.06)
        for scale in self.scales:
            self._paint_scale(painter, metrics, QRectF(margin, top, self.width() - 2 * margin, one), scale)
            top += one + gap

    def _paint_scale(self, painter: QPainter, metrics: QFontMetricsF, box: QRectF, scale: ColorScale) -> None:
        low, high = scale.levels
        painter.setPen(QColor(theme.IMAGE_DIM))
        label = metrics.elidedText(scale.label, Qt.TextElideMode.ElideRight, box.width())
        painter.drawText(QPointF(box.left(), box.top() + metrics.ascent()), label)
        bar = QRectF(box.left(), box.top() + metrics.height() + 2, box.width(), BAR)
        words = np.ascontiguousarray(ramp(scale.levels, scale.colormap))
        image = QImage(words.data, 256, 1, 256 * 4, QImage.Format.Format_RGB32)
        painter.drawImage(bar, image, QRectF(0, 0, 256, 1))
        painter.setPen(QColor(theme.IMAGE_TEXT))
        y = bar.bottom() + 2 + metrics.ascent()
        painter.drawText(QPointF(bar.left(), y), number(low))
        last = number(high)
        painter.drawText(QPointF(bar.right() - metrics.horizontalAdvance(last), y), last)
        if low < 0 < high:
            zero = bar.left() - bar.width() * low / (high - low)
            painter.drawText(QPointF(zero - metrics.horizontalAdvance("0") / 2, y), "0")
