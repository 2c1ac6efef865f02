"""What a tool is, what it may use, and the registry of tools."""

from __future__ import annotations

import math
from typing import ClassVar, Final, Protocol

from PySide6.QtCore import QPointF, Qt, SignalInstance

from app.display.camera import Camera
from app.display.layers import Layer
from app.views.link import Link
from app.views.pane import Pane
from engine.core.registry import Registry

GRAB: Final = 7.0
"""Pixels from which something that can be moved is taken."""


class Surface(Protocol):
    """The panes, as tools see them. What a tool asks for is told by signals; see :class:`app.views.grid.PaneGrid`."""

    windowChanged: SignalInstance  # noqa: N815
    windowReset: SignalInstance  # noqa: N815
    viewEdited: SignalInstance  # noqa: N815
    frameRequested: SignalInstance  # noqa: N815
    paneClicked: SignalInstance  # noqa: N815
    pixelClicked: SignalInstance  # noqa: N815
    pointClicked: SignalInstance  # noqa: N815
    handleMoved: SignalInstance  # noqa: N815
    sliceRequested: SignalInstance  # noqa: N815
    dragFinished: SignalInstance  # noqa: N815
    cursorMoved: SignalInstance  # noqa: N815
    cursorLeft: SignalInstance  # noqa: N815
    said: SignalInstance

    @property
    def link(self) -> Link:
        """What all panes share."""

    def set_camera(self, camera: Camera) -> None:
        """Show another part of the images."""

    def reset_view(self) -> None:
        """Show whole images again."""

    def show_live(self, layer: Layer) -> None:
        """Show a layer in the place of the one of the same key, until the session follows."""

    def refresh(self) -> None:
        """Paint all panes again."""

    def pane_at(self, place: QPointF) -> Pane | None:
        """Return the pane at a place of the desktop, None where there is none."""


class Tool:
    """A way to use the mouse. One object serves all panes; a drag is ``press``, ``drag`` any number of times, ``release``.

    Positions are those of the pane's widget. A press that was released where it was is a ``click``. Override what you need.
    """

    cursor: ClassVar[Qt.CursorShape] = Qt.CursorShape.CrossCursor
    slack: ClassVar[float] = 3.0
    """Pixels that the mouse may move before a press becomes a drag."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        self.start = QPointF()

    @property
    def link(self) -> Link:
        """What all panes share."""
        return self.surface.link

    def takes(self, pane: Pane, position: QPointF) -> bool:  # noqa: ARG002
        """Whether there is something here for this tool; asked of those that move things before the chosen tool gets a press."""
        return True

    def press(self, pane: Pane, position: QPointF) -> bool:  # noqa: ARG002
        """Begin; False refuses the drag."""
        self.start = position
        return True

    def drag(self, pane: Pane, position: QPointF) -> None:
        """Follow the mouse."""

    def release(self, pane: Pane, position: QPointF) -> None:
        """End a drag."""

    def click(self, pane: Pane, position: QPointF) -> None:  # noqa: ARG002
        """Select the pane."""
        self.surface.paneClicked.emit(pane.key)

    def double_click(self) -> None:
        """Show whole images again."""
        self.surface.reset_view()


TOOLS: Registry[type[Tool]] = Registry("tool", "app.views.tools")


def distance(a: QPointF, b: QPointF) -> float:
    """Return the distance of two positions in pixels."""
    return math.hypot(a.x() - b.x(), a.y() - b.y())
