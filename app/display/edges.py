"""The outline of a region as few straight line segments between pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.core.types import Bool


def segments(region: Bool) -> NDArray[np.int32]:
    """Return the border of a region (y, x) as segments (n, 4): x0, y0, x1, y1 on the grid of pixel corners.

    Each segment separates a pixel of the region from one outside and is as long as possible; beyond the image counts as outside.
    """
    padded = np.pad(region, 1)
    across = padded[1:, 1:-1] != padded[:-1, 1:-1]  # (height + 1, width): edges along x
    along = padded[1:-1, 1:] != padded[1:-1, :-1]  # (height, width + 1): edges along y
    row, start, stop = _runs(across)
    column, top, bottom = _runs(along.T)
    lines = (np.stack([start, row, stop, row], axis=1), np.stack([column, top, column, bottom], axis=1))
    return np.concatenate(lines).astype(np.int32)


def calmed(region: Bool) -> Bool:
    """Return a region (y, x) without specks and ragged borders: each pixel follows the majority of its 3 x 3 neighbourhood, twice.

    For the outline while pixels are small on screen; scores always use the region itself.
    """
    for _ in range(2):
        padded = np.pad(region, 1, mode="edge").astype(np.uint8)
        rows = padded[:-2] + padded[1:-1] + padded[2:]
        region = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] >= 5
    return region


def _runs(mask: Bool) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return (row, first, one past last) of the runs of True along the last axis."""
    step = np.diff(mask.astype(np.int8), axis=1, prepend=0, append=0)
    row, first = np.nonzero(step == 1)
    _, past = np.nonzero(step == -1)
    return row, first, past
