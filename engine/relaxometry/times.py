"""Times of the samples, checked at the door: as many as frames, in milliseconds, enough different ones for the model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError
from engine.core.types import Float, check_times
from engine.relaxometry.contract import SignalModel

# No series whose longest time is below this can show the quantity: the times are in seconds.
SECONDS_BELOW_MS = {"T1": 20.0, "T2": 1.0}
MICROSECONDS_ABOVE_MS = {"T1": 100_000.0, "T2": 20_000.0}


def checked_times(times_ms: NDArray[Any] | None, slices: int, frames: int, model: SignalModel) -> Float:
    """Return the times as float32 (slice, frame).

    Raises
    ------
    InputError
        Times are missing, negative, not finite, not in milliseconds, or fewer different ones than parameters. Images of the same
        time are samples like others: they are fitted as they are.
    ShapeError
        Their number is not that of the frames.
    """
    what = "inversion" if model.inverts else "echo or preparation"
    if times_ms is None:
        raise InputError(
            f"the {what} times are not known (expected {frames} times in ms / found none)",
            "Give one for each frame in milliseconds, as acquired: --times 100,180,260 and so on.",
        )
    times = check_times(np.asarray(times_ms, np.float64), slices, frames)
    assert times is not None
    if frames < model.minimum_samples:
        raise InputError(
            f"{model.name} cannot be fitted to so few samples (expected at least {model.minimum_samples} frames / found {frames})",
            "Choose a model with fewer parameters." if model.quantity == "T2" and frames == 2 else "Take all frames of the series.",
        )
    for row in times:
        if distinct(row) < model.minimum_samples:
            raise InputError(
                f"{what} times do not differ enough for {model.name} (expected at least {model.minimum_samples} different ones / "
                f"found {distinct(row)} in {frames} images)",
                "Correct the times, or choose a model with fewer parameters: images of the same time say the same.",
            )
        _check_unit(row, model, what)
    return times


def distinct(times_ms: NDArray[Any]) -> int:
    """Return how many different times there are."""
    return len(np.unique(times_ms))


def _check_unit(row: Float, model: SignalModel, what: str) -> None:
    longest = float(row.max())
    shown = ", ".join(f"{t:g}" for t in row[:3])
    below, above = SECONDS_BELOW_MS[model.quantity], MICROSECONDS_ABOVE_MS[model.quantity]
    if longest < below:
        meant = ",".join(f"{1000.0 * t:g}" for t in row)
        raise InputError(
            f"the {what} times seem to be in seconds (expected ms, the longest at least {below:g} / found {shown} ...)",
            f"If so, say --times {meant}.",
        )
    if longest > above:
        meant = ",".join(f"{0.001 * t:g}" for t in row)
        raise InputError(
            f"the {what} times seem to be in microseconds (expected ms, at most {above:g} / found {shown} ...)",
            f"If so, say --times {meant}.",
        )
