"""The sign that magnitudes and complex samples leave open, and the order of the samples in time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.relaxometry.contract import SignalModel
from engine.relaxometry.solution import Solution


def orient(found: Solution, model: SignalModel, mode: str, samples: int) -> Solution:
    """Return the solution (NumPy or torch) with the sign that the samples leave open, changed in place.

    Magnitudes of an inversion recovery and complex samples tell a signal up to its sign: that of a recovery (B > 0), or of a decay
    (A > 0), is taken.
    """
    if mode == "signed" or (mode == "magnitude" and not model.inverts):
        return found
    turn = found.c1 > 0 if model.inverts else found.c1 < 0
    if not bool(turn.any()):
        return found
    sign = 1.0 - 2.0 * turn
    found.c0, found.c1 = found.c0 * sign, found.c1 * sign
    found.cov = (*found.cov[:4], found.cov[4] * sign, found.cov[5] * sign)
    if mode == "complex":
        found.phase = found.phase + np.pi * turn
    else:
        found.polarity = found.polarity + turn * (samples - 2.0 * found.polarity)
    return found


def orders(times_ms: NDArray[Any]) -> list[tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]]:
    """Return (slices, ascending times, order of the frames) for each set of slices that share their times."""
    rows, inverse = np.unique(np.asarray(times_ms, np.float64), axis=0, return_inverse=True)
    found = []
    for index, row in enumerate(rows):
        order = np.argsort(row, kind="stable")
        found.append((np.flatnonzero(inverse.reshape(-1) == index), row[order], order))
    return found
