"""The comparison: linked panes in a grid that makes the images as large as they can be."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from app import theme
from app.display.camera import Camera
from app.display.frames import Display, PaneFrame, Role
from app.display.layout import GAP, Cell, Layout, arrange
from app.display.marks import Mark
from app.views.empty import EmptyState
from app.views.interaction import Hold, Interaction
from app.views.legend import STRIP, Legend, Scale
from app.views.link import Link
from app.views.pane import Pane

MARGIN = 8
SCALE_ROWS = (Role.IMAGE, Role.ERROR)
"""Rows whose colour scale is drawn beside the panes."""


class PaneGrid(QWidget):
    """Panes with one zoom, pan, cursor, window and profile line; what the mouse does is told in :mod:`app.views.interaction`.

    The grid draws what :meth:`apply` gives it and tells what the user wants by signals. Zoom and pan are its own; cursor and
    profile line move at once and are told as well. Coordinates in signals are data pixels (x, y), whatever the display orientation.
    """

    cursorMoved = Signal(int, int)  # noqa: N815
    cursorLeft = Signal()  # noqa: N815
    frameRequested = Signal(int)  # noqa: N815
    sliceRequested = Signal(int)  # noqa: N815
    windowChanged = Signal(float, float)  # noqa: N815
    windowDragFinished = Signal()  # noqa: N815
    windowReset = Signal()  # noqa: N815
    profileMoved = Signal(float, float, float, float)  # noqa: N815
    profileDragFinished = Signal()  # noqa: N815
    paneClicked = Signal(str)  # noqa: N815
    pixelClicked = Signal(str, int, int)  # noqa: N815
    pointClicked = Signal(str, float, float)  # noqa: N815
    handleMoved = Signal(str, int, float, float)  # noqa: N815
    handleDragFinished = Signal()  # noqa: N815
    viewChanged = Signal(float)  # noqa: N815

    def __init__(self, parent: QWidget | None = None, name: str = "review", scale_rows: tuple[Role, ...] = SCALE_ROWS) -> None:
        super().__init__(parent)
        self._name, self._scale_rows = name, scale_rows
        self.setObjectName(f"{name}.grid")
        self.setAccessibleName("Comparison of reconstructions")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(320, 240)
        self._link = Link()
        self._interaction = Interaction(self._link)
        self._panes: dict[tuple[Role, str], Pane] = {}
        self._legend = Legend(self)
        self._empty = EmptyState(self)
        self._pointed = QPointF()  # where on the desktop the mouse was seen last
        self._asked: int | None = None  # frame that was asked for and is not on screen yet
        self._flipped: tuple[str, str] | None = None
        self._structure: tuple[object, ...] = ()

    # --- what is shown -------------------------------------------------------------------------------------------------

    @property
    def display(self) -> Display:
        """What is on screen."""
        return self._link.display

    @property
    def camera(self) -> Camera:
        """Zoom and pan of all panes."""
        return self._link.camera

    def pane(self, key: str, role: Role = Role.IMAGE) -> Pane | None:
        """Return a pane by key and row, None when it is not there."""
        return self._panes.get((role, key))

    @property
    def pointed(self) -> PaneFrame | None:
        """The picture under the mouse (a flipped pane shows another one than its own), None outside."""
        pane = next((pane for pane in self._panes.values() if pane.objectName() == self._link.hovered), None)
        return None if pane is None else pane.frame

    def apply(self, display: Display) -> int:
        """Show ``display``; only panes whose frame differs are repainted. Return how many did."""
        link = self._link
        moved = link.line != display.line and self._interaction.hold is Hold.NOTHING
        turned = (link.display.orientation, link.display.pixel_aspect) != (display.orientation, display.pixel_aspect)
        link.display = display
        if self._interaction.hold not in (Hold.LINE, Hold.START, Hold.END):
            link.line = display.line
        self._asked = None
        self._empty.setVisible(not display.panes)
        self._empty.set_hint(display.hint)
        self.setAccessibleDescription(" ".join((display.hint, *display.messages)).strip())
        structure = (display.orientation.shape, display.pixel_aspect, *((f.role, f.key) for f in _frames(display)))
        if structure != self._structure:
            self._structure = structure
            self._rebuild(display)
        changed = self._show_frames()
        if turned or moved:
            self.refresh()
        self._point_again()
        return changed

    def set_selected(self, key: str) -> None:
        """Mark one pane as selected, "" for none."""
        if key != self._link.selected:
            self._link.selected = key
            self.refresh()

    def set_marks(self, marks: tuple[Mark, ...]) -> None:
        """Draw lines and points on all pictures."""
        if marks != self._link.marks:
            self._link.marks = marks
            self.refresh()

    def set_empty_actions(self, actions: Iterable[QAction], title: str = "") -> None:
        """Offer actions (open, samples) as buttons while there is nothing to show, under a ``title`` of its own."""
        if title:
            self._empty.set_title(title)
        self._empty.set_actions(actions)

    def flip(self, key_a: str, key_b: str) -> None:
        """Show the pictures of pane ``key_b`` in the place of ``key_a``, at once and without a blank; two empty keys end it."""
        flipped = (key_a, key_b) if key_a and key_b else None
        if flipped != self._flipped:
            self._flipped = flipped
            self._show_frames()

    def reset_view(self) -> None:
        """Show whole images again."""
        self._set_camera(Camera())

    def zoom_by(self, factor: float) -> None:
        """Zoom about the middle of the panes."""
        camera = self._link.camera
        self._set_camera(camera.zoomed(factor, camera.across, camera.down))

    def refresh(self) -> None:
        """Repaint all panes."""
        for pane in self._panes.values():
            pane.update()

    # --- building ------------------------------------------------------------------------------------------------------

    def _show_frames(self) -> int:
        display, changed = self._link.display, 0
        source = dict([self._flipped]) if self._flipped else {}
        frames = {(frame.role, frame.key): frame for frame in _frames(display)}
        for (role, key), pane in self._panes.items():
            frame = frames.get((role, source.get(key, key))) or frames[role, key]
            changed += pane.set_frame(frame)
        rows = [row[0] for row in (display.panes, display.errors) if row and row[0].role in self._scale_rows]
        self._legend.set_scales(tuple(Scale(frame.colormap, frame.levels, frame.label) for frame in rows))
        return changed

    def _rebuild(self, display: Display) -> None:
        wanted = {(frame.role, frame.key) for frame in _frames(display)}
        for name in [name for name in self._panes if name not in wanted]:
            gone = self._panes.pop(name)
            gone.hide()
            gone.deleteLater()
        for frame in _frames(display):
            name = (frame.role, frame.key)
            if name not in self._panes:
                pane = Pane(self._link, frame.key, frame.role, self)
                if self._name != "review":
                    pane.setObjectName(f"{self._name}.{pane.objectName()}")
                pane.installEventFilter(self)
                self._panes[name] = pane
        self._place()

    def _place(self) -> None:
        display = self._link.display
        self._empty.setGeometry(self.rect())
        shown = Role.IMAGE in self._scale_rows or bool(display.errors)
        self._legend.setVisible(bool(display.panes) and shown)
        if not display.panes:
            return
        rows, columns = display.orientation.shape
        errors, profiles = bool(display.errors), bool(display.profiles)
        width, height = self.width() - 2 * MARGIN, self.height() - 2 * MARGIN - (0 if errors or not shown else STRIP + GAP)
        aspect = rows * display.pixel_aspect / columns
        layout = arrange(len(display.panes), width, height, aspect=aspect, errors=errors, profiles=profiles)
        for frame, cell in zip(display.panes, layout.cells, strict=True):
            for role, box in ((Role.IMAGE, cell.image), (Role.ERROR, cell.error), (Role.PROFILE, cell.profile)):
                pane = self._panes.get((role, frame.key))
                if pane is not None and box is not None:
                    pane.setGeometry(MARGIN + box.x, MARGIN + box.y, box.width, box.height)
                    pane.across = layout.across
                    pane.show()
                    pane.raise_()  # an error map beside its image lies on the free part of the image's pane
            self._place_strip(frame, cell, layout)
        # The reference has no error: the scales stand in its place; without errors they stand below.
        free = layout.cells[0].error
        if free is not None:
            self._legend.setGeometry(MARGIN + free.x, MARGIN + free.y, free.width, free.height)
            self._legend.raise_()
        else:
            across = min(width, 320)
            self._legend.setGeometry(MARGIN + width - across, self.height() - MARGIN - STRIP, across, STRIP)

    def _place_strip(self, frame: PaneFrame, cell: Cell, layout: Layout) -> None:
        """Make a profile as wide as the whole image above it, so that a horizontal line and its profile align."""
        pane, box = self._panes.get((Role.PROFILE, frame.key)), cell.profile
        if pane is None or box is None:
            return
        rows, columns = self._link.display.orientation.shape
        pixel = min(layout.across / columns, layout.picture / (rows * self._link.display.pixel_aspect))
        width = pixel * columns
        pane.strip = None if layout.beside else QRectF((box.width - width) / 2, 0, width, box.height)

    # --- events --------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(800, 600)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: ARG002
        self._place()
        self._point_again()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        QPainter(self).fillRect(self.rect(), QColor(theme.IMAGE_BACKGROUND))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(watched, Pane):
            kind = event.type()
            if kind == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
                self._moved(watched, event)
            elif kind == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent):
                self.setFocus(Qt.FocusReason.MouseFocusReason)
                self._pressed(watched, event)
            elif kind == QEvent.Type.MouseButtonRelease and isinstance(event, QMouseEvent):
                self._released(watched, event)
            elif kind == QEvent.Type.MouseButtonDblClick and isinstance(event, QMouseEvent):
                self._double_clicked(event)
            elif kind == QEvent.Type.Wheel and isinstance(event, QWheelEvent):
                self._wheeled(watched, event)
            elif kind == QEvent.Type.Leave:
                self._left()
            else:
                return super().eventFilter(watched, event)
            return True
        return super().eventFilter(watched, event)

    def _pressed(self, pane: Pane, event: QMouseEvent) -> None:
        if pane.role is not Role.PROFILE:
            self._interaction.press(pane, event)
            return
        self._ask_for(pane.profile_row(event.position()))

    def _moved(self, pane: Pane, event: QMouseEvent) -> None:
        position = event.position()
        if pane.role is Role.PROFILE:
            if event.buttons() & Qt.MouseButton.LeftButton:
                self._ask_for(pane.profile_row(position))
            return
        hold = self._interaction.hold
        if hold is Hold.NOTHING:
            self._point(pane, position)
        elif self._interaction.begun(position):
            if hold is Hold.IMAGE:
                before = self._link.camera
                self._interaction.pan(pane, position)
                self._camera_changed(before)
            elif hold is Hold.WINDOW:
                self.windowChanged.emit(*self._interaction.window(position))
            elif hold is Hold.HANDLE:
                point = pane.data_point(position)
                if point is not None:
                    self.handleMoved.emit(*self._interaction.handle, *point)
            else:
                line = self._interaction.line(pane, position)
                if line is not None and line != self._link.line:
                    self._link.line = line
                    self.refresh()
                    self.profileMoved.emit(*line)

    def _ask_for(self, frame: int | None) -> None:
        """Ask for a frame; steps count from the one asked for last, for the mouse can be quicker than the drawing."""
        before = self._link.display.frame if self._asked is None else self._asked
        if frame is not None and frame != before:
            self._asked = frame
            self.frameRequested.emit(frame - before)

    def _point(self, pane: Pane, position: QPointF) -> None:
        """Move the shared cursor."""
        self._pointed = pane.mapToGlobal(position)
        over = self._interaction.over(pane, position)
        shape = Qt.CursorShape.CrossCursor if over is Hold.IMAGE else Qt.CursorShape.SizeAllCursor
        if pane.cursor().shape() != shape:
            pane.setCursor(shape)
        pixel = pane.data_pixel(position)
        if (pixel, pane.objectName()) == (self._link.cursor, self._link.hovered):
            return
        if pixel is None:
            self._left()
            return
        self._link.cursor, self._link.hovered = pixel, pane.objectName()
        self.refresh()
        self.cursorMoved.emit(*pixel)

    def _point_again(self) -> None:
        """Tell what lies under a mouse at rest now: images move under it when they are zoomed, turned, or placed anew."""
        if not self._link.hovered or self._interaction.hold is not Hold.NOTHING:
            return
        pane = self.childAt(self.mapFromGlobal(self._pointed).toPoint())
        if isinstance(pane, Pane) and pane.role is not Role.PROFILE:
            self._point(pane, pane.mapFromGlobal(self._pointed))
        else:
            self._left()

    def _left(self) -> None:
        if self._link.hovered:
            self._link.cursor, self._link.hovered = None, ""
            self.refresh()
            self.cursorLeft.emit()

    def _released(self, pane: Pane, event: QMouseEvent) -> None:
        was = self._interaction.hold
        held = self._interaction.release()
        if held is not Hold.NOTHING:
            self._point(pane, event.position())
        if held is Hold.WINDOW:
            self.windowDragFinished.emit()
        elif held is Hold.HANDLE:
            self.handleDragFinished.emit()
        elif held in (Hold.LINE, Hold.START, Hold.END):
            self.profileDragFinished.emit()
        elif held is Hold.NOTHING and was not in (Hold.NOTHING, Hold.WINDOW):
            self.paneClicked.emit(pane.key)
            pixel, point = pane.data_pixel(event.position()), pane.data_point(event.position())
            if pixel is not None and point is not None:
                self.pixelClicked.emit(pane.key, *pixel)
                self.pointClicked.emit(pane.key, *point)

    def _double_clicked(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.reset_view()
        else:
            self.windowReset.emit()

    def _wheeled(self, pane: Pane, event: QWheelEvent) -> None:
        event.accept()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            before = self._link.camera
            self._interaction.zoom(pane, event)
            self._camera_changed(before)
            return
        steps = self._interaction.notches(event)
        if steps:
            slices = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            (self.sliceRequested if slices else self.frameRequested).emit(steps)

    def _set_camera(self, camera: Camera) -> None:
        before, self._link.camera = self._link.camera, camera
        self._camera_changed(before)

    def _camera_changed(self, before: Camera) -> None:
        if self._link.camera != before:
            self.refresh()
            self._point_again()
            self.viewChanged.emit(self._link.camera.zoom)


def _frames(display: Display) -> tuple[PaneFrame, ...]:
    """Return the frames that have a pane: all but the reference's error."""
    return (*display.panes, *display.errors[1:], *display.profiles)
