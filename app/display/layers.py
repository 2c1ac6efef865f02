"""What lies on a pane, from the bottom up: frozen records without Qt. How each kind is painted is told in :mod:`app.views.layers`.

Positions are data pixels (x, y), whole numbers at pixel centres, whatever the display orientation; arrays have that orientation
applied. Two layers are equal when they draw the same: arrays are compared by identity, which the cache of the resolvers keeps.
A new kind is a record here or in the room that needs it, and a painter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from app.display.marks import Mark
from app.display.profile import Line
from app.display.shapes import Point, Shape
from engine.core.types import Bool, Float

Levels = tuple[float, float]
L = TypeVar("L", bound="Layer")


class Layer:
    """Base of all kinds: frozen dataclasses with slots, ``eq=False``.

    A layer with a ``key`` can be moved with the mouse: it is held under that name while it is.
    """

    __slots__: tuple[str, ...] = ()
    key: str = ""

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return type(self) is type(other) and all(_same(getattr(self, name), getattr(other, name)) for name in self.__slots__)

    def __hash__(self) -> int:
        values = (getattr(self, name) for name in self.__slots__)
        return hash((type(self), *(id(value) if isinstance(value, np.ndarray) else value for value in values)))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return a is b
    return bool(a == b)


@dataclass(frozen=True, slots=True, eq=False)
class ImageLayer(Layer):
    """A picture that fills the pane.

    Parameters
    ----------
    values
        float32 (y, x), read-only. A profile is (frame, position).
    colormap, levels
        Name of the colour map; values of its ends, in the units of ``values``.
    invalid
        Pixels that are NaN or infinite.
    """

    values: Float
    colormap: str = "gray"
    levels: Levels = (0.0, 1.0)
    invalid: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class OverlayLayer(Layer):
    """A picture (y, x) in colours over another one: ``opacity`` 0 to 1, pixels without a number are clear."""

    values: Float
    colormap: str
    levels: Levels
    opacity: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class OutlineLayer(Layer):
    """The border of a region, bool (y, x)."""

    region: Bool


@dataclass(frozen=True, slots=True, eq=False)
class MarksLayer(Layer):
    """Lines, points and words."""

    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LineLayer(Layer):
    """A straight line, with its two ends as handles."""

    line: Line
    key: str = "profile"


@dataclass(frozen=True, slots=True, eq=False)
class RoiLayer(Layer):
    """A closed line through or round ``points``, which are its handles.

    ``dashed`` tells it from another one without colour; ``label`` stands beside its first point.
    """

    shape: Shape
    points: tuple[Point, ...]
    color: str
    key: str
    dashed: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class DividerLayer(Layer):
    """Another picture, that of the pane ``of``, left of a vertical line at ``position``, a fraction of the pane's width."""

    position: float
    other: ImageLayer
    of: str
    key: str = "divider"


@dataclass(frozen=True, slots=True, eq=False)
class MarkerLayer(Layer):
    """A mark at one of the ``rows`` of a profile: the frame on screen."""

    row: int
    rows: int


def first(layers: Iterable[Layer], kind: type[L]) -> L | None:
    """Return the first layer of a kind, None without one."""
    return next((layer for layer in layers if isinstance(layer, kind)), None)
