"""Layers made of pixels: the picture, one in colours over it, another one beside a divider, the mark of the frame in a profile."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPen

from app.display.layers import DividerLayer, ImageLayer, MarkerLayer, OverlayLayer
from app.views.layers.contract import LINE_COLOR, SHADOW, Canvas, paints

DIVIDER_COLOR: Final = QColor("#e8ebef")


def _draw(canvas: Canvas, image: QImage) -> None:
    canvas.painter.drawImage(canvas.place, image, QRectF(0, 0, image.width(), image.height()))


@paints(ImageLayer)
def paint_image(canvas: Canvas, layer: ImageLayer) -> None:
    """Draw the picture; its pixels are coloured once for all panes that show it."""
    _draw(canvas, canvas.link.colored(layer))


@paints(OverlayLayer)
def paint_overlay(canvas: Canvas, layer: OverlayLayer) -> None:
    """Draw the pixels that hold a number in colours, over what is there."""
    canvas.painter.setOpacity(layer.opacity)
    _draw(canvas, canvas.link.colored(layer))
    canvas.painter.setOpacity(1.0)


@paints(DividerLayer)
def paint_divider(canvas: Canvas, layer: DividerLayer) -> None:
    """Draw the other picture left of the divider, and the divider."""
    painter, area = canvas.painter, canvas.area
    x = divider_x(layer, area)
    painter.save()
    painter.setClipRect(QRectF(area.left(), area.top(), x - area.left(), area.height()))
    _draw(canvas, canvas.link.colored(layer.other))
    painter.restore()
    for color, width in ((SHADOW, 3.0), (DIVIDER_COLOR, 1.0)):
        painter.setPen(QPen(color, width))
        painter.drawLine(QLineF(x, area.top(), x, area.bottom()))


def divider_x(layer: DividerLayer, area: QRectF) -> float:
    """Return where a divider stands in a pane, in the middle of a screen pixel so that it is sharp."""
    return float(np.floor(area.left() + layer.position * area.width())) + 0.5


@paints(MarkerLayer)
def paint_marker(canvas: Canvas, layer: MarkerLayer) -> None:
    """Mark one row of a profile."""
    painter, area = canvas.painter, canvas.area
    height = area.height() / layer.rows
    y = area.y() + (layer.row + 0.5) * height
    painter.setPen(QPen(LINE_COLOR, 1.0))
    painter.drawLine(QPointF(area.left(), y), QPointF(area.left() + 6, y))
    painter.drawLine(QPointF(area.right() - 6, y), QPointF(area.right(), y))
    color = QColor(LINE_COLOR)
    color.setAlpha(110)
    painter.setPen(QPen(color, 1.0))
    painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
