"""The bullseye, painted in the colours of the map, each segment with its number and value."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, radians, sin

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QHelpEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app import theme
from app.display.painting import to_words
from app.display.words import ms
from app.maps.bullseye import NAMES, Sector, at, sectors
from app.maps.layers import Scale


class BullseyeView(QWidget):
    """Sixteen segments; a click on one tells its number.

    Signals
    -------
    segment_clicked(number)
        1 to 16.
    """

    segment_clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maps.bullseye")
        self.setAccessibleName("Bullseye of the AHA segments")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(180, 180)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.values: Mapping[int, float] = {}
        self.scale: Scale | None = None
        self._selected = 0

    def sizeHint(self) -> QSize:
        return QSize(260, 240)

    def set_values(self, values: Mapping[int, float], scale: Scale | None) -> None:
        """Show the mean of each segment on the scale of the maps."""
        if (values, scale) == (self.values, self.scale):
            return
        self.values, self.scale = dict(values), scale
        said = ", ".join(f"{n} {NAMES[n]} {ms(v)}" for n, v in sorted(values.items()))
        self.setAccessibleDescription(said or "No segment has a value")
        self.update()

    def select(self, number: int) -> None:
        """Mark a segment, 0 for none."""
        if number != self._selected:
            self._selected = number
            self.update()

    def _disc(self) -> QRectF:
        side = min(self.width(), self.height()) - 12.0
        return QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)

    def color(self, number: int) -> QColor | None:
        """Return the colour of a segment, None when it has no value."""
        if self.scale is None or number not in self.values:
            return None
        word = int(to_words(np.array([self.values[number]], np.float32), self.scale.levels, self.scale.colormap)[0])
        return QColor.fromRgb(word)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.IMAGE_BACKGROUND))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        disc = self._disc()
        for sector in sectors():
            color = self.color(sector.number)
            selected = sector.number == self._selected
            painter.setPen(QPen(QColor("#ffffff" if selected else theme.IMAGE_BACKGROUND), 2.0 if selected else 1.5))
            painter.setBrush(color if color is not None else QColor("#24282d"))
            painter.drawPath(_path(disc, sector))
        for sector in sectors():
            self._paint_words(painter, disc, sector)

    def _paint_words(self, painter: QPainter, disc: QRectF, sector: Sector) -> None:
        share = (sector.inner + sector.outer) / 2 if sector.inner else 0.56 * sector.outer
        middle = share * disc.width() / 2
        angle = radians(sector.middle)
        centre = disc.center() + QPointF(middle * cos(angle), -middle * sin(angle))
        color = self.color(sector.number)
        dark = color is not None and color.lightnessF() > 0.55
        painter.setPen(QColor("#101214" if dark else "#f2f4f6"))
        small = theme.numbers(theme.small(self.font(), 0.78))
        value = theme.numbers(theme.small(self.font(), 0.92))
        value.setWeight(QFont.Weight.DemiBold)
        box = QRectF(centre.x() - 30, centre.y() - 15, 60, 15)
        painter.setFont(small)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(sector.number))
        painter.setFont(value)
        text = ms(self.values[sector.number]) if sector.number in self.values else "–"
        painter.drawText(box.translated(0, 14), Qt.AlignmentFlag.AlignCenter, text)

    def segment_at(self, position: QPointF) -> int:
        """Return the segment under a position, 0 for none."""
        disc = self._disc()
        offset = (position - disc.center()) / (disc.width() / 2)
        return at(offset.x(), -offset.y())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        number = self.segment_at(event.position())
        if number:
            self.segment_clicked.emit(number)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            number = self.segment_at(QPointF(event.pos()))
            if number:
                value = f": {ms(self.values[number])} ms" if number in self.values else ": no value"
                QToolTip.showText(event.globalPos(), f"{number} {NAMES[number]}{value}", self)
                return True
        return super().event(event)


def _path(disc: QRectF, sector: Sector) -> QPainterPath:
    outer, inner = (_shrunk(disc, radius) for radius in (sector.outer, sector.inner))
    path = QPainterPath()
    path.arcMoveTo(outer, sector.start)
    path.arcTo(outer, sector.start, sector.span)
    if sector.inner:
        path.arcTo(inner, sector.start + sector.span, -sector.span)
    else:
        path.lineTo(disc.center())
    path.closeSubpath()
    return path


def _shrunk(disc: QRectF, share: float) -> QRectF:
    cut = disc.width() * (1 - share) / 2
    return disc.adjusted(cut, cut, -cut, -cut)
