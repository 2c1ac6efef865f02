"""Lines, points and words that lie on the pictures in data coordinates: a clicked pixel, borders and numbers of segments."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.display.shapes import Point


class MarkKind(StrEnum):
    """How a mark is drawn, so that none is told by its colour alone."""

    PIXEL = "pixel"  # a frame around one pixel
    LINES = "lines"  # separate thin lines, two points each
    WORD = "word"  # only its label, centred


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing drawn on every picture: how, where (data pixels x, y), in which colour ("#rrggbb"), with which word."""

    kind: MarkKind
    points: tuple[Point, ...]
    color: str
    label: str = ""
