"""The fully sampled centre of k-space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST = 4


def centre_lines(size: int, count: int) -> slice:
    """Return the ``count`` central indices of an axis of ``size``.

    The block holds the zero frequency, index ``size // 2`` of a centred spectrum, with ``count // 2`` lines before it. This is
    CMRxRecon's zero-padding rule (even and odd sizes).
    """
    first = size // 2 - count // 2
    return slice(first, first + count)


def centre_square(ky: int, kx: int, count: int) -> tuple[slice, slice]:
    """Return the central square of ``count`` x ``count`` samples of a (ky, kx) plane, as indices of its two axes."""
    return centre_lines(ky, count), centre_lines(kx, count)


def sampled_centre(lines: NDArray[np.bool_], most: int) -> int | None:
    """Return how many lines in the centre of ky every frame samples along all of kx: at most ``most``.

    Parameters
    ----------
    lines
        Mask, bool (frame or 1, ky, kx or 1).
    most
        Where to stop: a fully sampled series has no ACS of its own.

    Returns
    -------
    int or None
        The largest count whose :func:`centre_lines` are all sampled; None below four, from which no coil can be told.
    """
    whole: NDArray[np.bool_] = np.asarray(lines.all(axis=(0, 2)))
    size = whole.shape[0]
    count = 0
    while count < min(most, size) and whole[centre_lines(size, count + 1)].all():
        count += 1
    return count if count >= FEWEST else None


def budget(samples: int, kept: int, acceleration: float) -> int:
    """Return how many of ``samples`` are measured beside the ``kept`` ones of the ACS, which are not counted.

    That is round((samples - kept) / R), and at least one when there is no ACS.
    """
    count = int((samples - kept) / acceleration + 0.5)
    return max(count, 1) if kept == 0 else count
