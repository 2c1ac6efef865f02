"""Lines and points that lie on the pictures in data coordinates: contours, a clicked pixel, borders of segments."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Point = tuple[float, float]
"""x, y in data pixels; whole numbers are pixel centres."""


class MarkKind(StrEnum):
    """How a mark is drawn, so that none is told by its colour alone."""

    OUTLINE = "outline"  # closed line
    DASHED = "dashed"  # the same, dashed
    POINT = "point"  # a ring with a cross
    PIXEL = "pixel"  # a frame around one pixel
    LINES = "lines"  # separate thin lines, two points each
    WORD = "word"  # only its label, centred


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing drawn on every picture.

    Parameters
    ----------
    kind, points
        How, and where: data pixels (x, y).
    color
        Name of a colour ("#rrggbb").
    label
        Short word beside its first point, "" for none.
    key, handles
        Name under which its handles can be dragged with the mouse, "" when they cannot; where they are.
    """

    kind: MarkKind
    points: tuple[Point, ...]
    color: str
    label: str = ""
    key: str = ""
    handles: tuple[Point, ...] = ()
