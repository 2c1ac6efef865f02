"""Mouse and wheel in the panes: which tool gets them, and the cursor that all panes share."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent

from app.display.frames import Form
from app.views.pane import Pane
from app.views.tools.contract import TOOLS, Surface, Tool, distance

GRIPS: Final = ("handle.grip", "divider.grip", "line.grip")
"""Tools that are asked before the chosen one, in this order: what can be moved is moved whatever tool is chosen."""
NOTCH: Final = 120


class Mouse:
    """Hands events of the panes to tools: those that move things first, then the chosen one; other buttons change the window."""

    def __init__(self, surface: Surface) -> None:
        self._surface, self._link = surface, surface.link
        self._tools: dict[str, Tool] = {}
        self._grips = tuple(self._tool(name) for name in GRIPS)
        self.chosen = self._tool("pan")
        self._held: Tool | None = None
        self._button = Qt.MouseButton.NoButton
        self._moved = False
        self._from = QPointF()
        self._pointed = QPointF()  # where on the desktop the mouse was seen last
        self._turned = 0

    def choose(self, name: str) -> None:
        """Give the left button to a tool."""
        self.chosen = self._tool(name)

    @property
    def dragging(self) -> bool:
        """Whether a tool has the mouse."""
        return self._held is not None

    def handle(self, pane: Pane, event: QEvent) -> bool:
        """Take an event of a pane; False leaves it to the pane."""
        kind = event.type()
        if isinstance(event, QWheelEvent):
            self._wheel(pane, event)
        elif not isinstance(event, QMouseEvent):
            if kind != QEvent.Type.Leave:
                return False
            self.leave()
        elif kind == QEvent.Type.MouseMove:
            self._move(pane, event.position())
        elif kind == QEvent.Type.MouseButtonPress:
            self._press(pane, event)
        elif kind == QEvent.Type.MouseButtonRelease:
            self._release(pane, event)
        elif kind == QEvent.Type.MouseButtonDblClick:
            (self.chosen if event.button() == Qt.MouseButton.LeftButton else self._tool("window")).double_click()
        else:
            return False
        return True

    def _tool(self, name: str) -> Tool:
        if name not in self._tools:
            self._tools[name] = TOOLS.get(name)(self._surface)
        return self._tools[name]

    def _tool_at(self, pane: Pane, position: QPointF) -> Tool:
        """Return the tool that a left press would go to."""
        if pane.form is Form.STRIP:
            return self._tool("scrub.grip")
        return next((grip for grip in self._grips if grip.takes(pane, position)), self.chosen)

    # --- buttons -------------------------------------------------------------------------------------------------------

    def _press(self, pane: Pane, event: QMouseEvent) -> None:
        if self._held is not None:  # its release was lost, or another button was pressed meanwhile
            self._end(pane, event.position())
        left = event.button() == Qt.MouseButton.LeftButton
        if pane.form is Form.STRIP and not left:
            return
        tool = self._tool_at(pane, event.position()) if left else self._tool("window")
        self._from, self._moved, self._button = event.position(), False, event.button()
        if tool.press(pane, event.position()):
            self._held = tool

    def _move(self, pane: Pane, position: QPointF) -> None:
        if self._held is None:
            self._point(pane, position)
            return
        self._moved = self._moved or distance(position, self._from) > self._held.slack
        if self._moved:
            self._held.drag(pane, position)

    def _release(self, pane: Pane, event: QMouseEvent) -> None:
        if event.button() != self._button:
            return
        self._button = Qt.MouseButton.NoButton
        moved = self._moved or distance(event.position(), self._from) > Tool.slack
        self._end(pane, event.position())
        if not moved and event.button() == Qt.MouseButton.LeftButton and pane.form is not Form.STRIP:
            self.chosen.click(pane, event.position())

    def _end(self, pane: Pane, position: QPointF) -> None:
        held, self._held = self._held, None
        if held is not None and self._moved:
            held.release(pane, position)
            self._point(pane, position)
            self._surface.dragFinished.emit()

    # --- wheel ---------------------------------------------------------------------------------------------------------

    def _wheel(self, pane: Pane, event: QWheelEvent) -> None:
        event.accept()
        # Shift and Alt make some desktops report the wheel as horizontal.
        turned = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom(pane, event.position(), turned)
            return
        steps = self._steps(-turned)
        if steps:
            slices = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            (self._surface.sliceRequested if slices else self._surface.frameRequested).emit(steps)

    def _zoom(self, pane: Pane, position: QPointF, turned: int) -> None:
        """Zoom about the cursor."""
        target = pane.target()
        if target is None:
            return
        rows, columns = self._link.display.orientation.shape
        column, row = target.to_image(position.x(), position.y())
        about = (column + 0.5) / columns, (row + 0.5) / rows
        self._surface.set_camera(self._link.camera.zoomed(1.25 ** (turned / NOTCH), *about))

    def _steps(self, turned: int) -> int:
        """Return whole steps of the wheel, down positive; finer wheels add up."""
        if self._turned * turned < 0:
            self._turned = 0
        self._turned += turned
        steps = int(self._turned / NOTCH)
        self._turned -= steps * NOTCH
        return steps

    # --- the shared cursor ---------------------------------------------------------------------------------------------

    def _point(self, pane: Pane, position: QPointF) -> None:
        """Move the shared cursor."""
        if pane.form is Form.STRIP:
            return
        link = self._link
        self._pointed = pane.mapToGlobal(position)
        shape = self._tool_at(pane, position).cursor
        if pane.cursor().shape() != shape:
            pane.setCursor(shape)
        pixel = pane.data_pixel(position)
        if (pixel, pane.objectName()) == (link.cursor, link.hovered):
            return
        if pixel is None:
            self.leave()
            return
        link.cursor, link.hovered = pixel, pane.objectName()
        self._surface.refresh()
        self._surface.cursorMoved.emit(*pixel)

    def point_again(self) -> None:
        """Tell what lies under a mouse at rest now: images move under it when they are zoomed, turned, or placed anew."""
        if not self._link.hovered or self._held is not None:
            return
        pane = self._surface.pane_at(self._pointed)
        if pane is not None and pane.form is not Form.STRIP:
            self._point(pane, pane.mapFromGlobal(self._pointed))
        else:
            self.leave()

    @property
    def place(self) -> QPointF:
        """Where on the desktop the mouse was seen last."""
        return self._pointed

    def leave(self) -> None:
        """Take the shared cursor away."""
        if self._link.hovered:
            self._link.cursor, self._link.hovered = None, ""
            self._surface.refresh()
            self._surface.cursorLeft.emit()
