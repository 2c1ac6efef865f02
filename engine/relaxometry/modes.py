"""What the samples are: magnitudes, real values with a sign, or complex numbers whose phase is not known. And where zero lies.

A series that is taken for signed although it is not reads as an inversion recovery that never was negative: no T1 is found, or a
wrong one. How many values are negative tells little, for processing leaves tiny negative values in magnitudes (interpolation, a
noise bias that was subtracted); so it is decided by how large they are against the noise, and by whether a fit that believes the
signs explains the samples as well as one that does not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.axes import FRAME
from engine.core.errors import InputError
from engine.relaxometry.contract import SignalModel
from engine.relaxometry.polarity import orders
from engine.relaxometry.solve import solve

AUTO = "auto"
# Share of the bright pixels whose earliest image must be clearly negative for an inversion recovery to carry signs.
NEGATIVE_SHARE = 0.05
# Clearly: beyond this share of the pixel's largest sample, and this many times the noise that a fit of magnitudes leaves.
LEAST_SHARE, LEAST_NOISE = 0.05, 3.0
# Signs are believed where the fit that does leaves at most this many times the residual energy of the one that does not.
MOST_RESIDUAL = 2.0
# Shares of the energy of the bright pixels that must lie along one line through 0.
IN_LINE = 0.95
BRIGHT_PERCENTILE = 80.0
MOST_PIXELS, MOST_VALUES = 2000, 100_000
# Values that integers of scanners and converters stand for zero with, when they have no sign of their own.
ZEROS: tuple[int, ...] = tuple(1 << power for power in range(7, 16))
NEAR_ZERO = 0.02  # how far, as a share of it, the most frequent value may lie from such a zero
BELOW_SHARE = 0.01  # share of the values that must lie clearly below it


class Mode(NamedTuple):
    """``magnitude``, ``signed`` or ``complex``, and why in a person's words ("" when a person said it)."""

    name: str
    why: str


def resolve_mode(images: NDArray[Any], times_ms: NDArray[Any], model: SignalModel, told: str) -> Mode:
    """Return what the samples are, for what a person asked.

    ``auto`` decides so. Real images of an inversion recovery are ``signed`` when at least 5 % of the bright pixels of the earliest
    image are clearly negative (see :data:`LEAST_SHARE`) and the signed fit of these explains the samples about as well as the fit
    that finds the polarity itself; of a decay when any bright pixel of any image is negative; else ``magnitude``. Complex images
    are ``complex`` when the samples of the bright pixels lie along a line through 0, and, for an inversion recovery, when some of
    them turn round from the earliest to the latest time: scanners write phases that do not know of the inversion. Else
    ``magnitude``.

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
        return Mode(told, "")
    if "signed" not in model.modes:
        return Mode("magnitude", "")
    return _of_complex(images, times_ms, model) if is_complex else _of_real(images, times_ms, model)


def zero_level(images: NDArray[Any]) -> int:
    """Return the value that stands for zero in real images: 0, or an offset that unsigned integers were coded with.

    An offset is believed where all values are whole and none is negative, the most frequent one (air) lies at a power of two from
    128 to 32768, and at least one value in a hundred lies below it by more than a twentieth: a magnitude has nothing below its air.
    """
    if np.iscomplexobj(images):
        return 0
    values = images.reshape(-1)[:: max(1, images.size // MOST_VALUES)]
    values = values[np.isfinite(values)]
    if not values.size or values.min() < 0 or (values != np.floor(values)).any():
        return 0
    found, counts = np.unique(values, return_counts=True)
    # Noise spreads the air over some values: it is looked for in steps of a sixty-fourth of the range.
    step = max(1.0, float(found[-1]) / 64.0)
    bins = np.bincount((found / step).astype(np.int64), weights=counts)
    middle = (int(np.argmax(bins)) + 0.5) * step
    for zero in ZEROS:
        if abs(middle - zero) <= max(NEAR_ZERO * zero, step) and np.mean(values < 0.95 * zero) >= BELOW_SHARE:
            return zero
    return 0


def _of_real(images: NDArray[Any], times_ms: NDArray[Any], model: SignalModel) -> Mode:
    negative = images < 0
    if not negative.any():
        return Mode("magnitude", "no sample is negative")
    peak, bright = _bright(np.abs(images))
    if not bright.any():
        return Mode("magnitude", "nothing is bright")
    if not model.inverts:
        if (negative.any(axis=FRAME) & bright).any():
            return Mode("signed", "samples of bright pixels are negative")
        return Mode("magnitude", "no sample of a bright pixel is negative")
    first = np.argmin(times_ms, axis=1)
    earliest = images[np.arange(images.shape[0]), first]
    if (earliest[bright] < -LEAST_SHARE * peak[bright]).mean() < NEGATIVE_SHARE:
        return Mode("magnitude", f"negative values are below {100 * LEAST_SHARE:.0f} % of the largest")
    below, ratio = _fitted_both(images, times_ms, model, bright)
    if below < NEGATIVE_SHARE:
        return Mode("magnitude", f"negative values are within {LEAST_NOISE:.0f} times the noise")
    if ratio > MOST_RESIDUAL:
        return Mode("magnitude", f"with their signs the samples fit {np.sqrt(ratio):.1f} times worse than without")
    return Mode("signed", f"{100 * below:.0f} % of the bright pixels are negative in the earliest image, beyond the noise")


def _fitted_both(
    images: NDArray[Any], times_ms: NDArray[Any], model: SignalModel, bright: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the share of bright pixels whose earliest sample is negative beyond the noise, and how the two fits compare.

    The noise is what the fit of magnitudes leaves. The comparison is the residual energy of the signed fit over that of the other,
    both over all the pixels that are negative there (1 where there are none).
    """
    below, total, signed_rss, free_rss = 0, 0, 0.0, 0.0
    for members, ascending, order in orders(times_ms):
        inside = bright[members]
        samples = np.moveaxis(images[members], FRAME, -1)[inside].T[order]  # (sample, pixel)
        finite = np.isfinite(samples).all(axis=0)
        samples = samples[:, finite][:, :: max(1, int(finite.sum()) // MOST_PIXELS)]
        if not samples.size:
            continue
        chosen = np.ascontiguousarray(samples, np.float32)
        free = solve(np.abs(chosen), ascending, model, "magnitude", "cpu")
        noise = np.sqrt(np.maximum(free.rss, 0.0) / max(1, len(ascending) - model.unknowns))
        clear = chosen[0] < -np.maximum(LEAST_NOISE * noise, LEAST_SHARE * np.abs(chosen).max(axis=0))
        below, total = below + int(clear.sum()), total + clear.size
        if clear.any():
            believed = solve(np.ascontiguousarray(chosen[:, clear]), ascending, model, "signed", "cpu")
            signed_rss += float(np.sum(believed.rss))
            free_rss += float(np.sum(free.rss[clear]))
    floor = float(np.finfo(np.float32).eps) * signed_rss
    return below / max(1, total), (signed_rss + floor) / (free_rss + floor) if signed_rss > 0 else 1.0


def _of_complex(images: NDArray[Any], times_ms: NDArray[Any], model: SignalModel) -> Mode:
    z = np.nan_to_num(images, nan=0.0, posinf=0.0, neginf=0.0)
    _, bright = _bright(np.abs(z))
    if not bright.any():
        return Mode("magnitude", "nothing is bright")
    chosen = np.moveaxis(z, FRAME, -1)[bright].astype(np.complex128)  # (pixel, frame)
    energy = np.sum(np.abs(chosen) ** 2, axis=1)
    along = np.abs(np.sum(chosen * chosen, axis=1)).sum() / energy.sum()
    if along < IN_LINE:
        return Mode("magnitude", "the phase of a pixel changes from image to image")
    if not model.inverts:
        return Mode("complex", "the phase of a pixel stays")
    first, last = np.argmin(times_ms, axis=1), np.argmax(times_ms, axis=1)
    index = np.arange(z.shape[0])
    earliest, latest = (z[index, k].astype(np.complex128) for k in (first, last))  # products leave single precision's range
    turned = np.real(earliest * np.conj(latest)) < 0
    if turned[bright].mean() >= NEGATIVE_SHARE:
        return Mode("complex", "pixels turn round between the earliest and the latest image")
    return Mode("magnitude", "no pixel turns round: the phase does not know of the inversion")


def _bright(magnitude: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the largest sample of each pixel (slice, y, x), and whether it is among the upper fifth of all."""
    peak = np.nan_to_num(magnitude.max(axis=FRAME), nan=0.0, posinf=0.0)
    bright: NDArray[np.bool_] = (peak >= np.percentile(peak, BRIGHT_PERCENTILE)) & (peak > 0)
    return peak, bright
