"""What the samples are: magnitudes, real values with a sign, or complex numbers whose phase is not known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.axes import FRAME
from engine.core.errors import InputError
from engine.relaxometry.contract import SignalModel
from engine.relaxometry.solution import Solution

AUTO = "auto"
# Share of negative values in the earliest image of an inversion recovery from which real values carry a sign.
NEGATIVE_SHARE = 0.05
# Shares of the energy of the bright pixels that must lie along one line through 0.
IN_LINE = 0.95
BRIGHT_PERCENTILE = 80.0


def resolve_mode(images: NDArray[Any], times_ms: NDArray[Any], model: SignalModel, told: str) -> str:
    """Return ``magnitude``, ``signed`` or ``complex`` for what a person asked.

    ``auto`` decides so. Real images are ``signed`` when at least 5 % of the bright pixels of the earliest image of an inversion
    recovery are negative (of a decay: when any bright pixel of any image is), else ``magnitude``. Complex images are ``complex``
    when the samples of the bright pixels lie along a line through 0, and, for an inversion recovery, when some of them turn round
    from the earliest to the latest time: scanners write phases that do not know of the inversion. Else ``magnitude``.

    Parameters
    ----------
    images
        (slice, frame, y, x), real or complex.
    times_ms
        (slice, frame).
    model, told
        Signal model; ``auto`` or a mode.

    Raises
    ------
    InputError
        There is no such mode, the model cannot use it, or the images are not of that kind.
    """
    if told not in (AUTO, *model.modes):
        raise InputError(
            f"--signed {told} cannot be used with {model.name} (expected {', '.join((AUTO, *model.modes))})", "Use --signed auto."
        )
    is_complex = np.iscomplexobj(images)
    if told == "complex" and not is_complex:
        raise InputError(
            "the images are not complex (expected complex images for --signed complex / found real ones)",
            "Use --signed auto, or fit a reconstruction instead of its magnitude.",
        )
    if told == "signed" and is_complex:
        raise InputError(
            "the images are complex (expected real ones for --signed signed)", "Use --signed complex: the phase is found."
        )
    if told != AUTO:
        return told
    if "signed" not in model.modes:
        return "magnitude"
    return _of_complex(images, times_ms, model) if is_complex else _of_real(images, times_ms, model)


def _of_real(images: NDArray[Any], times_ms: NDArray[Any], model: SignalModel) -> str:
    negative = images < 0
    if not negative.any():
        return "magnitude"
    bright = _bright(np.abs(images))
    if not bright.any():
        return "magnitude"
    if not model.inverts:
        return "signed" if (negative.any(axis=FRAME) & bright).any() else "magnitude"
    first = np.argmin(times_ms, axis=1)
    earliest = negative[np.arange(images.shape[0]), first]
    return "signed" if earliest[bright].mean() >= NEGATIVE_SHARE else "magnitude"


def _of_complex(images: NDArray[Any], times_ms: NDArray[Any], model: SignalModel) -> str:
    z = np.nan_to_num(images, nan=0.0, posinf=0.0, neginf=0.0)
    bright = _bright(np.abs(z))
    if not bright.any():
        return "magnitude"
    chosen = np.moveaxis(z, FRAME, -1)[bright].astype(np.complex128)  # (pixel, frame)
    energy = np.sum(np.abs(chosen) ** 2, axis=1)
    along = np.abs(np.sum(chosen * chosen, axis=1)).sum() / energy.sum()
    if along < IN_LINE:
        return "magnitude"
    if not model.inverts:
        return "complex"
    first, last = np.argmin(times_ms, axis=1), np.argmax(times_ms, axis=1)
    index = np.arange(z.shape[0])
    earliest, latest = (z[index, k].astype(np.complex128) for k in (first, last))  # products leave single precision's range
    turned = np.real(earliest * np.conj(latest)) < 0
    return "complex" if turned[bright].mean() >= NEGATIVE_SHARE else "magnitude"


def _bright(magnitude: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels (slice, y, x) whose largest sample is among the upper fifth of all."""
    peak = np.nan_to_num(magnitude.max(axis=FRAME), nan=0.0, posinf=0.0)
    bright: NDArray[np.bool_] = (peak >= np.percentile(peak, BRIGHT_PERCENTILE)) & (peak > 0)
    return bright


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
