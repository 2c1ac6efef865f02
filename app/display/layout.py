"""Where the panes lie: the arrangement that makes the images largest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

GAP: Final = 8
TITLE: Final = 22
SCORES: Final = 38
READABLE: Final = 176
"""Width in which the words under a pane can be read."""
SMALLEST_PROFILE: Final = 36
LARGEST_PROFILE: Final = 112


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in widget pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Cell:
    """Boxes of one column of the comparison: image with words, error map, profile; None where a row is off."""

    image: Box
    error: Box | None
    profile: Box | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Cells in the order of the panes, and how many stand beside each other.

    ``across`` and ``picture`` are the width and height of an image's picture; its words may be wider.
    """

    cells: tuple[Cell, ...]
    columns: int
    beside: bool
    across: int
    picture: int


def arrange(count: int, width: int, height: int, *, aspect: float = 1.0, errors: bool = True, profiles: bool = True) -> Layout:
    """Return the layout of ``count`` panes in an area that shows images of height/width ``aspect`` largest.

    Tried are all numbers of columns, with the error map under the image or beside it. One row is preferred when it costs less than
    a tenth of the size, because panes in a row are compared by the shortest glance; full rows and room for the words count too.
    """
    if count < 1:
        return Layout((), 0, False, 0, 0)
    best: tuple[float, int, bool] | None = None
    for columns in range(1, count + 1):
        for beside in (False, True) if errors else (False,):
            side = _side(count, columns, width, height, aspect, errors=errors, profiles=profiles, beside=beside)
            merit = side * (1.1 if columns == count else 1.05 if count % columns == 0 else 1.0)
            if _block(count, columns, width, height)[0] < READABLE:
                merit *= 0.8
            if best is None or merit > best[0]:
                best = (merit, columns, beside)
    assert best is not None
    _, columns, beside = best
    return _place(count, columns, width, height, aspect, errors=errors, profiles=profiles, beside=beside)


def _block(count: int, columns: int, width: int, height: int) -> tuple[int, int]:
    """Return the size of one cell of the comparison."""
    rows = -(-count // columns)
    return (width - GAP * (columns - 1)) // columns, (height - GAP * (rows - 1)) // rows


def _profile_height(block_height: int, *, profiles: bool) -> int:
    return min(max(round(block_height * 0.16), SMALLEST_PROFILE), LARGEST_PROFILE) if profiles else 0


def _picture_height(block_height: int, *, errors: bool, profiles: bool, beside: bool) -> int:
    """Return the height left for one picture after words and profile."""
    left = block_height - TITLE - SCORES - (GAP + _profile_height(block_height, profiles=True) if profiles else 0)
    return max(1, (left - GAP) // 2 if errors and not beside else left)


def _side(count: int, columns: int, width: int, height: int, aspect: float, *, errors: bool, profiles: bool, beside: bool) -> float:
    """Return the width an image of this aspect gets."""
    block_width, block_height = _block(count, columns, width, height)
    across = (block_width - GAP) / 2 if beside else block_width
    return min(across, _picture_height(block_height, errors=errors, profiles=profiles, beside=beside) / aspect)


def _place(
    count: int, columns: int, width: int, height: int, aspect: float, *, errors: bool, profiles: bool, beside: bool
) -> Layout:
    block_width, block_height = _block(count, columns, width, height)
    picture = _picture_height(block_height, errors=errors, profiles=profiles, beside=beside)
    across = max(1, (block_width - GAP) // 2 if beside else block_width)
    if profiles:  # height that an image cannot use goes to the profile, until that is as large as an image
        most = math.ceil(across * aspect)
        spare = (picture - most) * (2 if errors and not beside else 1)
        picture = max(most, picture - max(0, min(spare, most)) // (2 if errors and not beside else 1)) if spare > 0 else picture
    cells = []
    for index in range(count):
        x = (index % columns) * (block_width + GAP)
        y = (index // columns) * (block_height + GAP)
        image = Box(x, y, block_width, TITLE + picture + SCORES)
        bottom = y + image.height
        error = None
        if errors:
            error = Box(x + across + GAP, y + TITLE, across, picture) if beside else Box(x, bottom, across, picture)
            bottom = max(bottom, error.y + error.height)
        profile = None
        if profiles:
            profile = Box(x, bottom + GAP, block_width, max(1, y + block_height - bottom - GAP))
        cells.append(Cell(image, error, profile))
    return Layout(tuple(cells), columns, beside, across, picture)
