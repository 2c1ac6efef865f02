"""What mouse and wheel do in a pane.

==============================  =========================================================
wheel                           step through frames (Shift: slices)
Ctrl + wheel                    zoom about the cursor
left drag                       pan; on the profile line or its ends: move them
right or middle drag            window: right widens, down darkens
left double click               whole image again
right or middle double click    automatic window again
==============================  =========================================================
"""

from __future__ import annotations

import math
from enum import Enum, auto

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent

from app.display.frames import Role
from app.display.profile import Line, clipped
from app.display.state import Component
from app.display.window import dragged
from app.views.link import Link
from app.views.pane import Pane

GRAB = 7.0
CLICK = 3.0
NOTCH = 120


class Hold(Enum):
    """What a drag moves."""

    NOTHING = auto()
    IMAGE = auto()
    WINDOW = auto()
    LINE = auto()
    START = auto()
    END = auto()
    HANDLE = auto()


class Interaction:
    """The drag in progress. Changes the link's camera, and returns what else the user asks for; emits nothing itself."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.hold = Hold.NOTHING
        self.moved = False
        self._from = QPointF()
        self._last = QPointF()
        self._window = (0.0, 1.0)
        self._line: Line | None = None
        self._turned = 0
        self.handle: tuple[str, int] = ("", 0)  # of which mark, which one

    def press(self, pane: Pane, event: QMouseEvent) -> None:
        """Begin a drag."""
        self._from = self._last = event.position()
        self.moved = False
        self._window, self._line = self.link.display.window, self.link.line
        if event.button() == Qt.MouseButton.LeftButton:
            self.hold = self.over(pane, event.position())
            self.handle = self.handle_at(pane, event.position()) or ("", 0)
        elif self.link.display.component not in (Component.PHASE, Component.KSPACE):
            self.hold = Hold.WINDOW

    def release(self) -> Hold:
        """End the drag and return what was held when it moved, ``Hold.NOTHING`` for a click."""
        held = self.hold if self.moved else Hold.NOTHING
        self.hold = Hold.NOTHING
        return held

    def over(self, pane: Pane, position: QPointF) -> Hold:
        """Return what a left press at a position would hold."""
        if self.handle_at(pane, position) is not None:
            return Hold.HANDLE
        ends = pane.line_ends()
        if ends is None or pane.role is Role.PROFILE:
            return Hold.IMAGE
        start, end = ends
        if _distance(position, start) <= GRAB:
            return Hold.START
        if _distance(position, end) <= GRAB:
            return Hold.END
        return Hold.LINE if _from_segment(position, start, end) <= GRAB - 2 else Hold.IMAGE

    def handle_at(self, pane: Pane, position: QPointF) -> tuple[str, int] | None:
        """Return which handle of which mark lies under a position, None for none; the nearest wins."""
        target = pane.target()
        if target is None:
            return None
        turn, best, found = self.link.display.orientation.to_display, GRAB, None
        for mark in self.link.marks:
            for index, point in enumerate(mark.handles if mark.key else ()):
                away = _distance(position, QPointF(*target.to_view(*turn(*point))))
                if away <= best:
                    best, found = away, (mark.key, index)
        return found

    def begun(self, position: QPointF) -> bool:
        """Whether the mouse has gone far enough for a drag."""
        self.moved = self.moved or _distance(position, self._from) > CLICK
        return self.moved

    def pan(self, pane: Pane, position: QPointF) -> None:
        """Move the image with the mouse."""
        target = pane.target()
        step, self._last = position - self._last, position
        if target is not None:
            rows, columns = self.link.display.orientation.shape
            across, down = step.x() / (columns * target.pixel_width), step.y() / (rows * target.pixel_height)
            self.link.camera = self.link.camera.panned(-across, -down)

    def window(self, position: QPointF) -> tuple[float, float]:
        """Return the window the drag asks for."""
        step = position - self._from
        return dragged(self._window, math.exp(step.x() / 200), step.y() / 300)

    def line(self, pane: Pane, position: QPointF) -> Line | None:
        """Return the profile line the drag asks for, in data pixels."""
        target = pane.target()
        if self._line is None or target is None:
            return None
        orientation, sizes = self.link.display.orientation, self.link.display.sizes
        from_x, from_y = orientation.to_data(*target.to_image(self._from.x(), self._from.y()))
        to_x, to_y = orientation.to_data(*target.to_image(position.x(), position.y()))
        x0, y0, x1, y1 = self._line
        dx, dy = to_x - from_x, to_y - from_y
        if self.hold is Hold.START:
            moved = (x0 + dx, y0 + dy, x1, y1)
        elif self.hold is Hold.END:
            moved = (x0, y0, x1 + dx, y1 + dy)
        else:  # the whole line stops at the border instead of being bent by it
            dx = min(max(dx, -min(x0, x1)), sizes.width - 1 - max(x0, x1))
            dy = min(max(dy, -min(y0, y1)), sizes.height - 1 - max(y0, y1))
            moved = (x0 + dx, y0 + dy, x1 + dx, y1 + dy)
        return clipped(moved, sizes.height, sizes.width)

    def zoom(self, pane: Pane, event: QWheelEvent) -> None:
        """Zoom about the cursor."""
        target = pane.target()
        if target is None:
            return
        rows, columns = self.link.display.orientation.shape
        column, row = target.to_image(event.position().x(), event.position().y())
        factor = 1.25 ** (_wheel(event) / NOTCH)
        self.link.camera = self.link.camera.zoomed(factor, (column + 0.5) / columns, (row + 0.5) / rows)

    def notches(self, event: QWheelEvent) -> int:
        """Return whole steps of the wheel, down positive; finer wheels add up."""
        turned = -_wheel(event)
        if self._turned * turned < 0:
            self._turned = 0
        self._turned += turned
        steps = int(self._turned / NOTCH)
        self._turned -= steps * NOTCH
        return steps


def _wheel(event: QWheelEvent) -> int:
    # Shift and Alt make some desktops report the wheel as horizontal.
    return event.angleDelta().y() or event.angleDelta().x()


def _distance(a: QPointF, b: QPointF) -> float:
    return math.hypot(a.x() - b.x(), a.y() - b.y())


def _from_segment(point: QPointF, start: QPointF, end: QPointF) -> float:
    along = end - start
    length = along.x() ** 2 + along.y() ** 2
    if length == 0:
        return _distance(point, start)
    share = QPointF.dotProduct(point - start, along) / length
    return _distance(point, start + along * min(max(share, 0.0), 1.0))
