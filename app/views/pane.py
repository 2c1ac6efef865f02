"""One pane: words above, picture, words below. Draws a frozen frame; knows nothing of the session."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QHelpEvent, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app import theme
from app.display.camera import Target
from app.display.frames import PaneFrame, Role, same_frame
from app.display.layout import SCORES, TITLE
from app.display.painting import to_words
from app.display.words import shorter
from app.views.link import Link
from app.views.marks import paint_mark

LINE_COLOR: Final = QColor("#4cb3d4")
OUTLINE_COLOR: Final = QColor(255, 205, 90, 150)
CURSOR_COLOR: Final = QColor(120, 220, 120, 200)
SELECTED_COLOR: Final = QColor("#4cb3d4")
WARNING_COLOR: Final = QColor("#f0b95c")
LOUD: Final = ("stale", "preview")
MOST_OF_A_BADGE: Final = 5
"""A badge may hide one part in so many of a picture's height; what follows its colon is left out before it hides more."""


class Pane(QWidget):
    """Draws one :class:`~app.display.frames.PaneFrame`."""

    def __init__(self, link: Link, key: str, role: Role, parent: QWidget) -> None:
        super().__init__(parent)
        self.link, self.key, self.role = link, key, role
        self.frame: PaneFrame | None = None
        self.across = 0  # width of the picture of an image, 0: as wide as its words
        self.strip: QRectF | None = None  # where a profile is drawn, None: everywhere
        self._words: NDArray[np.uint32] | None = None
        self._image: QImage | None = None
        self.setObjectName(f"grid.{role}.{key}")
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.PointingHandCursor if role is Role.PROFILE else Qt.CursorShape.CrossCursor)

    def set_frame(self, frame: PaneFrame) -> bool:
        """Show a frame; return whether it differs from the one on screen."""
        if same_frame(self.frame, frame):
            return False
        before, self.frame = self.frame, frame
        words = before is None or _said(before) != _said(frame)
        if words:
            self.setAccessibleName(f"{self.role} {frame.title}")
            self.setAccessibleDescription(", ".join((*frame.lines, *frame.badges)))
            self.setToolTip(frame.details)
        if before is None or before.image is not frame.image or (before.levels, before.colormap) != (frame.levels, frame.colormap):
            self._image = None
        # Words cost more than pixels: while a cine plays only the picture is drawn again.
        self.update(self.rect() if words else self.picture_area().toAlignedRect())
        return True

    # --- geometry ------------------------------------------------------------------------------------------------------

    def picture_area(self) -> QRectF:
        """Return the part of the widget that shows the picture."""
        if self.role is Role.IMAGE:
            return QRectF(0, TITLE, self.across or self.width(), max(1, self.height() - TITLE - SCORES))
        if self.role is Role.PROFILE:
            return self.strip if self.strip is not None else QRectF(self.rect())
        return QRectF(self.rect())

    def target(self) -> Target | None:
        """Return where the image lies in the widget, None without an image of the display's shape."""
        shape = self.link.display.orientation.shape
        if self.role is Role.PROFILE or self.frame is None:
            return None
        area = self.picture_area()
        inner = self.link.target(area, shape)
        return Target(inner.x + area.x(), inner.y + area.y(), inner.pixel_width, inner.pixel_height)

    def data_pixel(self, position: QPointF) -> tuple[int, int] | None:
        """Return the data pixel (x, y) under a widget position, None outside the picture."""
        target = self.target()
        if target is None or not self.picture_area().contains(position):
            return None
        return self.link.display.orientation.pixel(*target.to_image(position.x(), position.y()))

    def data_point(self, position: QPointF) -> tuple[float, float] | None:
        """Return the data coordinates (x, y), whole numbers at pixel centres, under a widget position; None outside the image."""
        target = self.target()
        if target is None or self.data_pixel(position) is None:
            return None
        return self.link.display.orientation.to_data(*target.to_image(position.x(), position.y()))

    def profile_row(self, position: QPointF) -> int | None:
        """Return the frame at a position in a profile, None outside."""
        area = self.picture_area()
        if self.frame is None or self.frame.image is None or not area.contains(position):
            return None
        rows = int(self.frame.image.shape[0])
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
        if frame.image is None:
            self._paint_message(painter, area, frame.message)
        elif self.role is Role.PROFILE:
            painter.drawImage(area, self._picture(frame), QRectF(0, 0, frame.image.shape[1], frame.image.shape[0]))
            self._paint_marker(painter, area, frame)
        else:
            self._paint_image(painter, area, frame)
        painter.restore()
        self._paint_badges(painter, area, frame)
        if self.role is not Role.IMAGE:
            return
        if self.link.selected == self.key:
            painter.setPen(QPen(SELECTED_COLOR, 1.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))
        if not area.contains(QRectF(event.rect())):
            self._paint_title(painter, frame)
            self._paint_scores(painter, frame)

    def _picture(self, frame: PaneFrame) -> QImage:
        if self._image is None:
            assert frame.image is not None
            self._words = to_words(frame.image, frame.levels, frame.colormap, invalid=frame.invalid > 0)
            rows, columns = self._words.shape
            # The image borrows the array's memory, which this pane therefore keeps.
            self._image = QImage(self._words.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)
        return self._image

    def _paint_image(self, painter: QPainter, area: QRectF, frame: PaneFrame) -> None:
        assert frame.image is not None
        rows, columns = frame.image.shape
        target = self.target()
        if target is None:
            return
        place = QRectF(target.x, target.y, columns * target.pixel_width, rows * target.pixel_height)
        painter.drawImage(place, self._picture(frame), QRectF(0, 0, columns, rows))
        if frame.outline is not None:
            inner = self.link.target(area, (rows, columns))
            outline = self.link.outline(frame.outline, area.size(), self.devicePixelRatioF(), inner, OUTLINE_COLOR)
            painter.drawPixmap(area.topLeft(), outline)
        for mark in self.link.marks:
            paint_mark(painter, mark, target, self.link.display.orientation)
        self._paint_line(painter, target)
        self._paint_cursor(painter, target)

    def _paint_line(self, painter: QPainter, target: Target) -> None:
        ends = self.line_ends(target)
        if ends is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = QColor(LINE_COLOR)
        color.setAlpha(200 if self.role is Role.IMAGE else 110)
        painter.setPen(QPen(color, 1.0))
        painter.drawLine(*ends)
        if self.role is Role.IMAGE:
            painter.setBrush(QColor(theme.IMAGE_BACKGROUND))
            painter.setPen(QPen(LINE_COLOR, 1.5))
            area = self.picture_area()
            for end in ends:
                if area.adjusted(-1, -1, 1, 1).contains(end):  # a handle at the border is drawn whole
                    x = min(max(end.x(), area.left() + 4), area.right() - 4)
                    y = min(max(end.y(), area.top() + 4), area.bottom() - 4)
                    painter.drawEllipse(QPointF(x, y), 3.0, 3.0)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def line_ends(self, target: Target | None = None) -> tuple[QPointF, QPointF] | None:
        """Return the ends of the profile line in widget coordinates, None when there is none."""
        target = target or self.target()
        if self.link.line is None or target is None:
            return None
        x0, y0, x1, y1 = self.link.line
        turn = self.link.display.orientation.to_display
        return QPointF(*target.to_view(*turn(x0, y0))), QPointF(*target.to_view(*turn(x1, y1)))

    def _paint_cursor(self, painter: QPainter, target: Target) -> None:
        if self.link.cursor is None or self.link.hovered == self.objectName():
            return  # the pane under the mouse has the mouse itself
        column, row = self.link.display.orientation.to_display(*self.link.cursor)
        x, y = target.to_view(column, row)
        painter.setPen(QPen(CURSOR_COLOR, 1.0))
        gap, arm = 4.0, 14.0
        painter.drawLines(
            [
                QLineF(x - arm, y, x - gap, y),
                QLineF(x + gap, y, x + arm, y),
                QLineF(x, y - arm, x, y - gap),
                QLineF(x, y + gap, x, y + arm),
            ]
        )

    def _paint_marker(self, painter: QPainter, area: QRectF, frame: PaneFrame) -> None:
        if frame.marker is None or frame.image is None:
            return
        height = area.height() / frame.image.shape[0]
        y = area.y() + (frame.marker + 0.5) * height
        painter.setPen(QPen(LINE_COLOR, 1.0))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.left() + 6, y))
        painter.drawLine(QPointF(area.right() - 6, y), QPointF(area.right(), y))
        color = QColor(LINE_COLOR)
        color.setAlpha(110)
        painter.setPen(QPen(color, 1.0))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))

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


def _said(frame: PaneFrame) -> tuple[str, ...]:
    """Return all words of a frame."""
    return (frame.title, frame.aside, frame.message, frame.details, *frame.lines, "|", *frame.badges)
