"""What a painter is given, and the registry of painters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter

from app.display.camera import Target
from app.display.layers import Layer
from app.display.shapes import Point
from app.views.link import Link
from engine.core.registry import Registry

L = TypeVar("L", bound=Layer)

LINE_COLOR: Final = QColor("#4cb3d4")
SHADOW: Final = QColor(0, 0, 0, 170)
"""A dark rim keeps lines readable on any colour."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Where a layer is painted.

    Parameters
    ----------
    painter, area
        Of the pane, clipped to its picture area.
    place
        Where the picture lies, in widget coordinates; it may be larger than the area.
    target
        From display pixels to the widget; None in a strip, whose picture fills the area.
    link
        What all panes share.
    main
        Whether this is the pane with the words: there handles are shown.
    ratio
        Screen pixels for each widget pixel.
    """

    painter: QPainter
    area: QRectF
    place: QRectF
    target: Target | None
    link: Link
    main: bool
    ratio: float

    def at(self, point: Point) -> QPointF:
        """Return where a data pixel lies in the widget."""
        assert self.target is not None
        return QPointF(*self.target.to_view(*self.link.display.orientation.to_display(*point)))


Painter = Callable[[Canvas, Any], None]
PAINTERS: Registry[Painter] = Registry("kind of layer", "app.views.layers")


def paints(kind: type[L]) -> Callable[[Callable[[Canvas, L], None]], Callable[[Canvas, L], None]]:
    """Register a function as the painter of a kind of layer."""

    def register(function: Callable[[Canvas, L], None]) -> Callable[[Canvas, L], None]:
        PAINTERS.register(kind.__name__, function)
        return function

    return register


def painter_of(kind: type[Layer]) -> Painter:
    """Return the painter of a kind of layer."""
    return PAINTERS.get(kind.__name__)
