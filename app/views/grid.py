"""The comparison: linked panes in a grid that makes the images as large as they can be."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from app import theme
from app.display.camera import Camera
from app.display.frames import IMAGE, Display, Form, PaneFrame
from app.display.layers import DividerLayer, Layer, first
from app.display.layout import GAP, Layout, arrange
from app.views.empty import EmptyState
from app.views.layers.pictures import divider_x
from app.views.legend import STRIP, Legend
from app.views.link import Link
from app.views.mouse import Mouse
from app.views.pane import Pane

MARGIN = 8


class PaneGrid(QWidget):
    """Rows of panes with one zoom, pan and cursor; what the mouse does is told in :mod:`app.views.tools`.

    The grid draws what :meth:`apply` gives it and tells what the user wants by signals. Zoom and pan are its own; what a tool
    drags moves at once and is told as well. Coordinates in signals are data pixels (x, y), whatever the display orientation.

    Signals
    -------
    cursorMoved(x, y), cursorLeft()
        The pixel under the mouse.
    frameRequested(by), sliceRequested(by)
        Steps.
    windowChanged(low, high), windowReset()
        Another window for all pictures; the automatic one again.
    viewEdited(words, changes)
        Other values of fields of the view, and what to call that when it is undone.
    handleMoved(key, index, x, y)
        A point of a shape was moved.
    dragFinished()
        What was told since the button was pressed is one step of undo.
    paneClicked(key), pixelClicked(key, x, y), pointClicked(key, x, y)
        A click; the last two by tools that want them.
    viewChanged(zoom)
        Another part of the images is shown.
    said(words)
        A tool has something to say.
    """

    cursorMoved = Signal(int, int)  # noqa: N815
    cursorLeft = Signal()  # noqa: N815
    frameRequested = Signal(int)  # noqa: N815
    sliceRequested = Signal(int)  # noqa: N815
    windowChanged = Signal(float, float)  # noqa: N815
    windowReset = Signal()  # noqa: N815
    viewEdited = Signal(str, object)  # noqa: N815
    handleMoved = Signal(str, int, float, float)  # noqa: N815
    dragFinished = Signal()  # noqa: N815
    paneClicked = Signal(str)  # noqa: N815
    pixelClicked = Signal(str, int, int)  # noqa: N815
    pointClicked = Signal(str, float, float)  # noqa: N815
    viewChanged = Signal(float)  # noqa: N815
    said = Signal(str)

    def __init__(self, parent: QWidget | None = None, name: str = "review") -> None:
        super().__init__(parent)
        self._name = name
        self.setObjectName(f"{name}.grid")
        self.setAccessibleName("Comparison of reconstructions")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(320, 240)
        self._link = Link()
        self.mouse = Mouse(self)
        self._panes: dict[tuple[str, str], Pane] = {}
        self._legend = Legend(self)
        self._empty = EmptyState(self)
        self._flipped: tuple[str, str] | None = None
        self._structure: tuple[object, ...] = ()

    # --- what is shown -------------------------------------------------------------------------------------------------

    @property
    def link(self) -> Link:
        """What all panes share."""
        return self._link

    @property
    def display(self) -> Display:
        """What is on screen."""
        return self._link.display

    @property
    def camera(self) -> Camera:
        """Zoom and pan of all panes."""
        return self._link.camera

    def pane(self, key: str, row: str = IMAGE) -> Pane | None:
        """Return a pane by key and row, None when it is not there."""
        return self._panes.get((row, key))

    @property
    def pointed(self) -> PaneFrame | None:
        """The frame whose picture is under the mouse (a flipped pane and a divider show another than its own), None outside."""
        pane = next((pane for pane in self._panes.values() if pane.objectName() == self._link.hovered), None)
        if pane is None:
            return None
        divider = first(pane.layers, DividerLayer)
        if divider is not None and pane.mapFromGlobal(self.mouse.place).x() < divider_x(divider, pane.picture_area()):
            return self._link.display.pane(divider.of)
        return pane.frame

    def apply(self, display: Display) -> int:
        """Show ``display``; only panes whose frame differs are repainted. Return how many did."""
        link = self._link
        turned = (link.display.orientation, link.display.pixel_aspect) != (display.orientation, display.pixel_aspect)
        link.display = display
        link.asked = None
        if link.live and not self.mouse.dragging:
            link.live.clear()
            turned = True
        self._empty.setVisible(not display.panes)
        self._empty.set_hint(display.hint)
        self.setAccessibleDescription(" ".join((display.hint, *display.messages)).strip())
        structure = (
            display.orientation.shape,
            display.pixel_aspect,
            *((row.form, row.scale is None, *((f.key, f.free) for f in row.panes)) for row in display.rows),
        )
        if structure != self._structure:
            self._structure = structure
            self._rebuild(display)
        changed = self._show_frames()
        link.keep_only(frame for row in display.rows for frame in row.panes)
        if turned:
            self.refresh()
        self.mouse.point_again()
        return changed

    def set_tool(self, name: str) -> None:
        """Give the left button of the mouse to a tool."""
        self.mouse.choose(name)

    def set_selected(self, key: str) -> None:
        """Mark one pane as selected, "" for none."""
        if key != self._link.selected:
            self._link.selected = key
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
        self.set_camera(Camera())

    def zoom_by(self, factor: float) -> None:
        """Zoom about the middle of the panes."""
        camera = self._link.camera
        self.set_camera(camera.zoomed(factor, camera.across, camera.down))

    def set_camera(self, camera: Camera) -> None:
        """Show another part of the images."""
        if camera != self._link.camera:
            self._link.camera = camera
            self.refresh()
            self.mouse.point_again()
            self.viewChanged.emit(camera.zoom)

    def show_live(self, layer: Layer) -> None:
        """Show a layer in the place of the one of the same key, until the session follows."""
        self._link.live[layer.key] = layer
        self.refresh()

    def refresh(self) -> None:
        """Repaint all panes."""
        for pane in self._panes.values():
            pane.update()

    # --- building ------------------------------------------------------------------------------------------------------

    def _show_frames(self) -> int:
        display, changed = self._link.display, 0
        source = dict([self._flipped]) if self._flipped else {}
        for row in display.rows:
            frames = {frame.key: frame for frame in row.panes if not frame.free}
            for key, own in frames.items():
                changed += self._panes[row.name, key].set_frame(frames.get(source.get(key, key), own))
        self._legend.set_scales(tuple(row.scale for row in display.rows if row.scale is not None))
        return changed

    def _rebuild(self, display: Display) -> None:
        wanted = {(row.name, frame.key): row.form for row in display.rows for frame in row.panes if not frame.free}
        for name in [name for name in self._panes if name not in wanted]:
            gone = self._panes.pop(name)
            gone.hide()
            gone.deleteLater()
        for (row, key), form in wanted.items():
            if (row, key) not in self._panes:
                pane = Pane(self._link, key, row, form, self)
                if self._name != "review":
                    pane.setObjectName(f"{self._name}.{pane.objectName()}")
                pane.installEventFilter(self)
                self._panes[row, key] = pane
        self._place()

    def _place(self) -> None:
        display = self._link.display
        self._empty.setGeometry(self.rect())
        scaled = [index for index, row in enumerate(display.rows) if row.scale is not None]
        self._legend.setVisible(bool(scaled))
        if not display.panes:
            return
        rows, columns = display.orientation.shape
        width, height = self.width() - 2 * MARGIN, self.height() - 2 * MARGIN
        # The reference has no error: the scales stand in its place; without a free place they stand below.
        free = next((index for index in scaled if display.rows[index].panes[0].free), None)
        height -= STRIP + GAP if scaled and free is None else 0
        aspect = rows * display.pixel_aspect / columns
        layout = arrange(len(display.panes), width, height, [row.form for row in display.rows], aspect=aspect)
        for index, row in enumerate(display.rows):
            for frame, cell in zip(row.panes, layout.cells, strict=True):
                pane, box = self._panes.get((row.name, frame.key)), cell[index]
                if pane is None:
                    continue
                pane.setGeometry(MARGIN + box.x, MARGIN + box.y, box.width, box.height)
                pane.across = layout.across
                pane.strip = self._strip(layout, box.width, box.height) if row.form is Form.STRIP else None
                pane.show()
                pane.raise_()  # a picture beside another one lies on the free part of that one's pane
        if free is not None:
            box = layout.cells[0][free]
            self._legend.setGeometry(MARGIN + box.x, MARGIN + box.y, box.width, box.height)
            self._legend.raise_()
        elif scaled:
            across = min(width, 320)
            self._legend.setGeometry(MARGIN + width - across, self.height() - MARGIN - STRIP, across, STRIP)

    def _strip(self, layout: Layout, width: int, height: int) -> QRectF | None:
        """Return the part of a strip as wide as the whole image above it, so that a horizontal line and its profile align."""
        if layout.beside:
            return None
        rows, columns = self._link.display.orientation.shape
        pixel = min(layout.across / columns, layout.picture / (rows * self._link.display.pixel_aspect))
        return QRectF((width - pixel * columns) / 2, 0, pixel * columns, height)

    def pane_at(self, place: QPointF) -> Pane | None:
        """Return the pane at a place of the desktop, None where there is none."""
        found = self.childAt(self.mapFromGlobal(place).toPoint())
        return found if isinstance(found, Pane) else None

    # --- events --------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(800, 600)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: ARG002
        self._place()
        self.mouse.point_again()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        QPainter(self).fillRect(self.rect(), QColor(theme.IMAGE_BACKGROUND))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(watched, Pane):
            if event.type() == QEvent.Type.MouseButtonPress:
                self.setFocus(Qt.FocusReason.MouseFocusReason)
            if self.mouse.handle(watched, event):
                return True
        return super().eventFilter(watched, event)
