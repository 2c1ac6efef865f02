"""Where the panes lie: the arrangement that makes the images largest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.display.frames import Form

GAP: Final = 8
TITLE: Final = 22
SCORES: Final = 38
READABLE: Final = 176
"""Width in which the words under a pane can be read."""
SMALLEST_STRIP: Final = 36
LARGEST_STRIP: Final = 112


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in widget pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies.

    ``cells`` holds for each pane one box for each row, in the order of the rows; ``columns`` is how many panes stand beside each
    other, ``beside`` whether the pictures of one pane do. ``across`` and ``picture`` are the width and height of a picture; the
    words of the first row may be wider.
    """

    cells: tuple[tuple[Box, ...], ...]
    columns: int
    beside: bool
    across: int
    picture: int


@dataclass(frozen=True, slots=True)
class _Need:
    """What one pane needs: how many pictures (the one with words included), how many strips, height over width of an image."""

    pictures: int
    strips: int
    aspect: float

    def across(self, block_width: int, *, beside: bool) -> float:
        """Return the width left for one picture."""
        return (block_width - GAP * (self.pictures - 1)) / self.pictures if beside else block_width

    def height(self, block_height: int, *, beside: bool) -> int:
        """Return the height left for one picture after words and strips."""
        strip = min(max(round(block_height * 0.16), SMALLEST_STRIP), LARGEST_STRIP)
        left = block_height - TITLE - SCORES - self.strips * (GAP + strip)
        return max(1, left if beside else (left - GAP * (self.pictures - 1)) // self.pictures)

    def side(self, block: tuple[int, int], *, beside: bool) -> float:
        """Return the width an image gets."""
        return min(self.across(block[0], beside=beside), self.height(block[1], beside=beside) / self.aspect)


def arrange(count: int, width: int, height: int, forms: Sequence[Form], *, aspect: float = 1.0) -> Layout:
    """Return the layout of ``count`` panes in an area that shows images of height/width ``aspect`` largest.

    ``forms`` are those of the rows; the first has words. Tried are all numbers of columns, with the pictures of one pane under
    each other or beside. One row is preferred when it costs less than a tenth of the size, because panes in a row are compared by
    the shortest glance; full rows and room for the words count too.
    """
    if count < 1:
        return Layout((), 0, False, 0, 0)
    need = _Need(sum(form is not Form.STRIP for form in forms), sum(form is Form.STRIP for form in forms), aspect)
    best: tuple[float, int, bool] | None = None
    for columns in range(1, count + 1):
        block = _block(count, columns, width, height)
        for beside in (False, True) if need.pictures > 1 else (False,):
            merit = need.side(block, beside=beside)
            merit *= 1.1 if columns == count else 1.05 if count % columns == 0 else 1.0
            if block[0] < READABLE:
                merit *= 0.8
            if best is None or merit > best[0]:
                best = (merit, columns, beside)
    assert best is not None
    _, columns, beside = best
    return _place(count, columns, _block(count, columns, width, height), forms, need, beside=beside)


def _block(count: int, columns: int, width: int, height: int) -> tuple[int, int]:
    """Return the size of one cell of the comparison."""
    rows = -(-count // columns)
    return (width - GAP * (columns - 1)) // columns, (height - GAP * (rows - 1)) // rows


def _place(count: int, columns: int, block: tuple[int, int], forms: Sequence[Form], need: _Need, *, beside: bool) -> Layout:
    across, picture = max(1, int(need.across(block[0], beside=beside))), need.height(block[1], beside=beside)
    if need.strips:  # height that an image cannot use goes to the strips, until they are as large as an image
        most, stacked = math.ceil(across * need.aspect), 1 if beside else need.pictures
        spare = (picture - most) * stacked
        if spare > 0:
            picture = max(most, picture - min(spare, most * need.strips) // stacked)
    cells = []
    for index in range(count):
        x = (index % columns) * (block[0] + GAP)
        y = (index // columns) * (block[1] + GAP)
        cells.append(_cell(x, y, block, forms, across, picture, beside=beside))
    return Layout(tuple(cells), columns, beside, across, picture)


def _cell(
    x: int, y: int, block: tuple[int, int], forms: Sequence[Form], across: int, picture: int, *, beside: bool
) -> tuple[Box, ...]:
    """Return the boxes of one pane whose corner is at (x, y), in the order of the rows."""
    made: list[Box] = []
    bottom, pictures = y + TITLE + picture + SCORES, 0
    for form in forms:
        if form is Form.WORDS:
            made.append(Box(x, y, block[0], TITLE + picture + SCORES))
        elif form is Form.PICTURE:
            pictures += 1
            if beside:
                made.append(Box(x + pictures * (across + GAP), y + TITLE, across, picture))
            else:
                top = bottom if pictures == 1 else bottom + GAP
                made.append(Box(x, top, across, picture))
                bottom = top + picture
        else:
            made.append(Box(x, 0, block[0], 0))
    strips = [index for index, form in enumerate(forms) if form is Form.STRIP]
    room = y + block[1] - bottom
    for place, index in enumerate(strips):
        height = max(1, room // len(strips) - GAP)
        made[index] = Box(x, bottom + GAP + place * (height + GAP), block[0], height)
    return tuple(made)
