"""One pane: words above, layers, words below. Draws a frozen frame; knows nothing of the session."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app import theme
from app.display.camera import Target
from app.display.frames import Form, PaneFrame
from app.display.layers import Layer
from app.display.layout import SCORES, TITLE
from app.display.words import shorter
from app.views.layers.contract import Canvas, painter_of
from app.views.layers.lines import cross
from app.views.link import Link

CURSOR_COLOR: Final = QColor(120, 220, 120, 200)
SELECTED_COLOR: Final = QColor("#4cb3d4")
WARNING_COLOR: Final = QColor("#f0b95c")
LOUD: Final = ("stale", "preview")
MOST_OF_A_BADGE: Final = 5
"""A badge may hide one part in so many of a picture's height; what follows its colon is left out before it hides more."""


class Pane(QWidget):
    """Draws one :class:`~app.display.frames.PaneFrame`."""

    def __init__(self, link: Link, key: str, row: str, form: Form, parent: QWidget) -> None:
        super().__init__(parent)
        self.link, self.key, self.row, self.form = link, key, row, form
        self.frame: PaneFrame | None = None
        self.across = 0  # width of the picture of a pane with words, 0: as wide as those
        self.strip: QRectF | None = None  # where a strip is drawn, None: everywhere
        self.setObjectName(f"grid.{row}.{key}")
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.PointingHandCursor if form is Form.STRIP else Qt.CursorShape.CrossCursor)

    def set_frame(self, frame: PaneFrame) -> bool:
        """Show a frame; return whether it differs from the one on screen."""
        before = self.frame
        if before is frame or before == frame:
            return False
        self.frame = frame
        words = before is None or before.words != frame.words
        if words:
            self.setAccessibleName(f"{self.row} {frame.title}")
            self.setAccessibleDescription(", ".join((*frame.lines, *frame.badges)))
            self.setToolTip(frame.details)
        # Words cost more than pixels: while a cine plays only the picture is drawn again.
        self.update(self.rect() if words else self.picture_area().toAlignedRect())
        return True

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What lies on the pane now, from the bottom up."""
        return () if self.frame is None else self.link.layers(self.frame)

    # --- geometry ------------------------------------------------------------------------------------------------------

    def picture_area(self) -> QRectF:
        """Return the part of the widget that shows the picture."""
        if self.form is Form.WORDS:
            return QRectF(0, TITLE, self.across or self.width(), max(1, self.height() - TITLE - SCORES))
        if self.form is Form.STRIP:
            return self.strip if self.strip is not None else QRectF(self.rect())
        return QRectF(self.rect())

    def target(self) -> Target | None:
        """Return where the image lies in the widget, None for a strip."""
        if self.form is Form.STRIP or self.frame is None:
            return None
        area = self.picture_area()
        inner = self.link.target(area, self.link.display.orientation.shape)
        return Target(inner.x + area.x(), inner.y + area.y(), inner.pixel_width, inner.pixel_height)

    def data_pixel(self, position: QPointF) -> tuple[int, int] | None:
        """Return the data pixel (x, y) under a widget position, None outside the picture."""
        target = self.target()
        if target is None or not self.picture_area().contains(position):
            return None
        return self.link.display.orientation.pixel(*target.to_image(position.x(), position.y()))

    def data_point(self, position: QPointF) -> tuple[float, float] | None:
        """Return the data coordinates (x, y), whole numbers at pixel centres, under a widget position; None outside the image."""
        if self.data_pixel(position) is None:
            return None
        return self.to_data(position)

    def to_data(self, position: QPointF) -> tuple[float, float] | None:
        """Return the data coordinates at a widget position, outside the image too; None for a strip."""
        target = self.target()
        return None if target is None else self.link.display.orientation.to_data(*target.to_image(position.x(), position.y()))

    def at(self, x: float, y: float) -> QPointF:
        """Return the widget position of data coordinates; the corner for a strip."""
        target = self.target()
        return QPointF() if target is None else QPointF(*target.to_view(*self.link.display.orientation.to_display(x, y)))

    def strip_row(self, position: QPointF) -> int | None:
        """Return the row of the picture (the frame of a profile) at a position in a strip, None outside."""
        area = self.picture_area()
        image = None if self.frame is None else self.frame.image
        if image is None or not area.contains(position):
            return None
        rows = int(image.shape[0])
        return min(int((position.y() - area.y()) / area.height() * rows), rows - 1)

    # --- painting ------------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and self.picture_area().contains(QPointF(event.pos())):
            return True  # words over the pixel that is looked at would hide it
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(theme.IMAGE_BACKGROUND))
        frame = self.frame
        if frame is None:
            return
        area = self.picture_area()
        painter.save()
        painter.setClipRect(area)
        if frame.layers:
            self._paint_layers(painter, area)
        else:
            self._paint_message(painter, area, frame.message)
        painter.restore()
        self._paint_badges(painter, area, frame)
        if self.form is not Form.WORDS:
            return
        if self.link.selected == self.key:
            painter.setPen(QPen(SELECTED_COLOR, 1.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))
        if not area.contains(QRectF(event.rect())):
            self._paint_title(painter, frame)
            self._paint_scores(painter, frame)

    def _paint_layers(self, painter: QPainter, area: QRectF) -> None:
        target, (rows, columns) = self.target(), self.link.display.orientation.shape
        place = area
        if target is not None:
            place = QRectF(target.x, target.y, columns * target.pixel_width, rows * target.pixel_height)
        canvas = Canvas(painter, area, place, target, self.link, self.form is Form.WORDS, self.devicePixelRatioF())
        for layer in self.layers:
            painter_of(type(layer))(canvas, layer)
        if target is not None:
            self._paint_cursor(painter, target)

    def _paint_cursor(self, painter: QPainter, target: Target) -> None:
        if self.link.cursor is None or self.link.hovered == self.objectName():
            return  # the pane under the mouse has the mouse itself
        column, row = self.link.display.orientation.to_display(*self.link.cursor)
        painter.setPen(QPen(CURSOR_COLOR, 1.0))
        painter.drawLines(cross(*target.to_view(column, row), 4.0, 14.0))

    def _paint_message(self, painter: QPainter, area: QRectF, message: str) -> None:
        painter.setPen(QColor(theme.IMAGE_DIM))
        painter.setFont(theme.small(self.font()))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(area.adjusted(8, 8, -8, -8), int(flags), message)

    def _paint_title(self, painter: QPainter, frame: PaneFrame) -> None:
        box = QRectF(2, 0, self.width() - 4, TITLE)
        selected = self.link.selected == self.key
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        aside = theme.numbers(theme.small(self.font()))
        taken = QFontMetricsF(aside).horizontalAdvance(frame.aside) + 8 if frame.aside else 0
        # What a pane shows matters more than how long it took; the tooltip tells that too.
        fits = QFontMetricsF(bold).horizontalAdvance(frame.title) <= box.width() - taken
        room = box.width() - (taken if fits else 0)
        painter.setFont(bold)
        painter.setPen(SELECTED_COLOR if selected else QColor("#e8ebef"))
        title = QFontMetricsF(bold).elidedText(frame.title, Qt.TextElideMode.ElideRight, room)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), title)
        painter.setFont(aside)
        painter.setPen(QColor(theme.IMAGE_DIM))
        if fits:
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), frame.aside)

    def _paint_scores(self, painter: QPainter, frame: PaneFrame) -> None:
        font = theme.numbers(theme.small(self.font()))
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        top = self.height() - SCORES + 3.0
        for index, line in enumerate(frame.lines[:2]):
            painter.setPen(QColor(theme.IMAGE_TEXT if index == 0 else theme.IMAGE_DIM))
            room = self.width() - 4
            text = next((way for way in shorter(line) if metrics.horizontalAdvance(way) <= room), line)
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QPointF(2, top + index * metrics.height() + metrics.ascent()), text)

    def _paint_badges(self, painter: QPainter, area: QRectF, frame: PaneFrame) -> None:
        font = theme.small(self.font())
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        flags = int(Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap)
        y = area.bottom() - 4
        room = QRectF(0, 0, area.width() - 20, area.height())
        for whole in reversed(frame.badges):
            badge = whole
            words = metrics.boundingRect(room, flags, badge)
            if words.height() > area.height() / MOST_OF_A_BADGE:  # the tooltip of the title tells the rest
                badge = whole.partition(":")[0]
                words = metrics.boundingRect(room, flags, badge)
            box = QRectF(area.left() + 4, y - words.height() - 4, words.width() + 10, words.height() + 4)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(11, 12, 14, 200))
            painter.drawRoundedRect(box, 3, 3)
            loud = badge.startswith(LOUD) or "invalid" in badge
            painter.setPen(QColor(WARNING_COLOR if loud else theme.IMAGE_TEXT))
            painter.drawText(box.adjusted(5, 2, 0, 0), flags, badge)
            y = box.top() - 2
