"""Draws marks on a picture."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from app.display.camera import Target
from app.display.marks import Mark, MarkKind
from app.display.orientation import Orientation

HANDLE = 2.5
_SHADOW = QColor(0, 0, 0, 170)


def paint_mark(painter: QPainter, mark: Mark, target: Target, orientation: Orientation) -> None:
    """Draw one mark where its data pixels lie on screen; a dark rim keeps it readable on any colour."""
    at = [QPointF(*target.to_view(*orientation.to_display(x, y))) for x, y in mark.points]
    if not at:
        return
    color = QColor(mark.color)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, mark.kind is not MarkKind.PIXEL)
    if mark.kind in (MarkKind.LINES, MarkKind.WORD):
        painter.setPen(QPen(color, 1.0))
        _paint_shape(painter, mark, at, target)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        return
    for pen in (QPen(_SHADOW, 3.0), QPen(color, 1.4)):
        if mark.kind is MarkKind.DASHED and pen.color() == color:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        _paint_shape(painter, mark, at, target)
    if mark.handles:
        painter.setPen(QPen(_SHADOW, 1.0))
        painter.setBrush(color)
        for x, y in mark.handles:
            painter.drawEllipse(QPointF(*target.to_view(*orientation.to_display(x, y))), HANDLE, HANDLE)
    if mark.label:
        painter.setPen(_SHADOW)
        painter.drawText(at[0] + QPointF(7, -5), mark.label)
        painter.setPen(color)
        painter.drawText(at[0] + QPointF(6, -6), mark.label)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _paint_shape(painter: QPainter, mark: Mark, at: list[QPointF], target: Target) -> None:
    if mark.kind is MarkKind.PIXEL:
        width, height = target.pixel_width, target.pixel_height
        painter.drawRect(QRectF(at[0].x() - width / 2 - 1, at[0].y() - height / 2 - 1, width + 2, height + 2))
        if width < 6:  # too small to be seen by its frame alone
            arm, gap = 12.0, 5.0
            x, y = at[0].x(), at[0].y()
            painter.drawLines([QLineF(x - arm, y, x - gap, y), QLineF(x + gap, y, x + arm, y)])
            painter.drawLines([QLineF(x, y - arm, x, y - gap), QLineF(x, y + gap, x, y + arm)])
    elif mark.kind is MarkKind.POINT:
        painter.drawEllipse(at[0], 5.0, 5.0)
        painter.drawLines(
            [QLineF(at[0] - QPointF(8, 0), at[0] + QPointF(8, 0)), QLineF(at[0] - QPointF(0, 8), at[0] + QPointF(0, 8))]
        )
    elif mark.kind is MarkKind.LINES:
        painter.drawLines([QLineF(start, end) for start, end in zip(at[::2], at[1::2], strict=True)])
    elif mark.kind is MarkKind.WORD:
        metrics = QFontMetricsF(painter.font())
        corner = at[0] + QPointF(-metrics.horizontalAdvance(mark.label) / 2, metrics.ascent() / 2 - 1)
        painter.setPen(_SHADOW)
        painter.drawText(corner + QPointF(1, 1), mark.label)
        painter.setPen(QColor(mark.color))
        painter.drawText(corner, mark.label)
    elif len(at) < 3:
        painter.drawPolyline(QPolygonF(at))
    else:
        painter.drawPolygon(QPolygonF(at))
