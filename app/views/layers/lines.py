"""Layers made of lines: the border of a region, the profile line, shapes with their handles, marks."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from app import theme
from app.display.layers import LineLayer, MarksLayer, OutlineLayer, RoiLayer
from app.display.marks import Mark, MarkKind
from app.display.shapes import Shape, border, handles
from app.views.layers.contract import LINE_COLOR, SHADOW, Canvas, paints

OUTLINE_COLOR: Final = QColor(255, 205, 90, 150)
HANDLE: Final = 2.5
SMOOTHED = QPainter.RenderHint.Antialiasing


@paints(OutlineLayer)
def paint_outline(canvas: Canvas, layer: OutlineLayer) -> None:
    """Draw the border of a region; made once for all panes of a size."""
    area, link = canvas.area, canvas.link
    inner = link.target(area, (layer.region.shape[0], layer.region.shape[1]))
    canvas.painter.drawPixmap(area.topLeft(), link.outline(layer.region, area.size(), canvas.ratio, inner, OUTLINE_COLOR))


@paints(LineLayer)
def paint_line(canvas: Canvas, layer: LineLayer) -> None:
    """Draw the line, in the main pane with its handles."""
    painter = canvas.painter
    ends = line_ends(canvas, layer)
    painter.setRenderHint(SMOOTHED)
    color = QColor(LINE_COLOR)
    color.setAlpha(200 if canvas.main else 110)
    painter.setPen(QPen(color, 1.0))
    painter.drawLine(*ends)
    if canvas.main:
        painter.setBrush(QColor(theme.IMAGE_BACKGROUND))
        painter.setPen(QPen(LINE_COLOR, 1.5))
        area = canvas.area
        for end in ends:
            if area.adjusted(-1, -1, 1, 1).contains(end):  # a handle at the border is drawn whole
                x = min(max(end.x(), area.left() + 4), area.right() - 4)
                y = min(max(end.y(), area.top() + 4), area.bottom() - 4)
                painter.drawEllipse(QPointF(x, y), 3.0, 3.0)
    painter.setRenderHint(SMOOTHED, False)


def line_ends(canvas: Canvas, layer: LineLayer) -> tuple[QPointF, QPointF]:
    """Return the ends of a line in the widget."""
    x0, y0, x1, y1 = layer.line
    return canvas.at((x0, y0)), canvas.at((x1, y1))


@paints(RoiLayer)
def paint_roi(canvas: Canvas, layer: RoiLayer) -> None:
    """Draw a shape, its handles and its name."""
    painter, color = canvas.painter, QColor(layer.color)
    at = [canvas.at(point) for point in border(layer.shape, layer.points)]
    if not at:
        return
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setRenderHint(SMOOTHED)
    for pen in (QPen(SHADOW, 3.0), QPen(color, 1.4)):
        if layer.dashed and pen.color() == color:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        if layer.shape is Shape.POINT:
            _paint_ring(painter, at[0])
        elif len(at) < 3:
            painter.drawPolyline(QPolygonF(at))
        else:
            painter.drawPolygon(QPolygonF(at))
    painter.setPen(QPen(SHADOW, 1.0))
    painter.setBrush(color)
    for point in handles(layer.shape, layer.points):
        painter.drawEllipse(canvas.at(point), HANDLE, HANDLE)
    if layer.label:
        painter.setPen(SHADOW)
        painter.drawText(at[0] + QPointF(7, -5), layer.label)
        painter.setPen(color)
        painter.drawText(at[0] + QPointF(6, -6), layer.label)
    painter.setRenderHint(SMOOTHED, False)


def _paint_ring(painter: QPainter, at: QPointF) -> None:
    painter.drawEllipse(at, 5.0, 5.0)
    painter.drawLines([QLineF(at - QPointF(8, 0), at + QPointF(8, 0)), QLineF(at - QPointF(0, 8), at + QPointF(0, 8))])


@paints(MarksLayer)
def paint_marks(canvas: Canvas, layer: MarksLayer) -> None:
    """Draw marks, each in its own way."""
    canvas.painter.setBrush(Qt.BrushStyle.NoBrush)
    for mark in layer.marks:
        if mark.points:
            _MARKS[mark.kind](canvas, mark, [canvas.at(point) for point in mark.points])
    canvas.painter.setRenderHint(SMOOTHED, False)


def _paint_pixel(canvas: Canvas, mark: Mark, at: list[QPointF]) -> None:
    assert canvas.target is not None
    painter, (width, height) = canvas.painter, (canvas.target.pixel_width, canvas.target.pixel_height)
    x, y = at[0].x(), at[0].y()
    painter.setRenderHint(SMOOTHED, False)
    for pen in (QPen(SHADOW, 3.0), QPen(QColor(mark.color), 1.4)):
        painter.setPen(pen)
        painter.drawRect(QRectF(x - width / 2 - 1, y - height / 2 - 1, width + 2, height + 2))
        if width < 6:  # too small to be seen by its frame alone
            painter.drawLines(cross(x, y, 5.0, 12.0))


def _paint_lines(canvas: Canvas, mark: Mark, at: list[QPointF]) -> None:
    canvas.painter.setRenderHint(SMOOTHED)
    canvas.painter.setPen(QPen(QColor(mark.color), 1.0))
    canvas.painter.drawLines([QLineF(start, end) for start, end in zip(at[::2], at[1::2], strict=True)])


def _paint_word(canvas: Canvas, mark: Mark, at: list[QPointF]) -> None:
    painter, metrics = canvas.painter, QFontMetricsF(canvas.painter.font())
    painter.setRenderHint(SMOOTHED)
    corner = at[0] + QPointF(-metrics.horizontalAdvance(mark.label) / 2, metrics.ascent() / 2 - 1)
    painter.setPen(SHADOW)
    painter.drawText(corner + QPointF(1, 1), mark.label)
    painter.setPen(QColor(mark.color))
    painter.drawText(corner, mark.label)


_MARKS: Final = {MarkKind.PIXEL: _paint_pixel, MarkKind.LINES: _paint_lines, MarkKind.WORD: _paint_word}


def cross(x: float, y: float, gap: float, arm: float) -> list[QLineF]:
    """Return the four arms of a cross that leaves its middle free."""
    return [
        QLineF(x - arm, y, x - gap, y),
        QLineF(x + gap, y, x + arm, y),
        QLineF(x, y - arm, x, y - gap),
        QLineF(x, y + gap, x, y + arm),
    ]
