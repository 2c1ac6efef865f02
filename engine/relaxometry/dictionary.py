"""The relaxation times that are tried first, their exponentials, and which answers are physical."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.relaxometry.contract import SignalModel

SIZE = 32
# A polarity whose best fit is no inversion recovery is taken only when the best one that is leaves a residual three times as large.
# One is 1 < B / A < 5 (an ideal inversion has 2, the readouts of MOLLI bring up to 3) with tau inside its range.
PENALTY = 9.0
HIGHEST_RATIO = 5.0


def grid(model: SignalModel, size: int = SIZE) -> NDArray[np.float64]:
    """Return the values of u = log tau that are tried first."""
    low, high = model.tau_range_ms
    return np.linspace(math.log(low), math.log(high), size)


def dictionary(model: SignalModel, times_ms: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit exponentials (grid, sample), their mean taken off when the model has an offset."""
    e = np.exp(-times_ms / np.exp(u)[:, None])
    if model.offset:
        e = e - e.mean(axis=1, keepdims=True)
    return np.asarray(e / np.maximum(np.linalg.norm(e, axis=1, keepdims=True), np.finfo(np.float64).tiny))


def margin(model: SignalModel, times_ms: NDArray[np.float64], u: NDArray[np.float64]) -> float:
    """Return the share of its energy that a signal shows on the grid at least.

    A signal whose tau lies half-way between two values of the grid shows least. Noise may bend the energy more strongly than that
    of a pure signal, so that the loss is taken half as large again; single precision and codes cost a little more.
    """
    units, between = dictionary(model, times_ms, u), dictionary(model, times_ms, 0.5 * (u[1:] + u[:-1]))
    shown = np.maximum(np.sum(between * units[1:], axis=1), np.sum(between * units[:-1], axis=1)) ** 2
    return float(1.0 - 1.5 * (1.0 - shown.min()) - 2.0**-16)
