"""Signal equations in closed form, and the fits that tell what a MOLLI or T2-prepared series of a tissue reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.phantom.sequences import CINE_READOUT, MOLLI_READOUT, Readout

Array = NDArray[np.float64]


def bssfp(t1_ms: Array, t2_ms: Array, pd: Array, readout: Readout = CINE_READOUT) -> Array:
    """Return the steady-state bSSFP signal on resonance (Freeman and Hill, J Magn Reson 1971;4:366), any shape.

    ``pd sin a (1 - E1) / (1 - (E1 - E2) cos a - E1 E2) exp(-TE / T2)`` with E = exp(-TR / T).
    """
    alpha = np.deg2rad(readout.flip_deg)
    e1, e2 = np.exp(-readout.tr_ms / t1_ms), np.exp(-readout.tr_ms / t2_ms)
    steady = np.sin(alpha) * (1.0 - e1) / (1.0 - (e1 - e2) * np.cos(alpha) - e1 * e2)
    signal: Array = pd * steady * np.exp(-readout.te_ms / t2_ms)
    return signal


def look_locker_parameters(
    t1_ms: Array, t2_ms: Array, pd: Array, rr_ms: float, readout: Readout = MOLLI_READOUT
) -> tuple[Array, Array, Array]:
    """Return (A, B, T1*) of the ideal MOLLI signal ``A - B exp(-TI / T1*)``, any shape.

    During a readout of flip angle a the recovery rate is ``cos^2(a/2) / T1 + sin^2(a/2) / T2`` (Schmitt, MRM 2004;51:661); 1 / T1*
    is its mean over the heartbeat. ``B / A`` is that of a perfect inversion, so that ``T1 = T1* (B / A - 1)`` holds exactly.
    """
    duty = readout.duration_ms / rr_ms
    half = 0.5 * np.deg2rad(readout.flip_deg)
    rate = (1.0 - duty * np.sin(half) ** 2) / t1_ms + duty * np.sin(half) ** 2 / t2_ms
    t1_star = 1.0 / rate
    start = pd * np.sin(np.deg2rad(readout.flip_deg)) * np.exp(-readout.te_ms / t2_ms)
    a = start * t1_star / t1_ms
    return a, a + start, t1_star


def look_locker(ti_ms: float, a: Array, b: Array, t1_star_ms: Array) -> Array:
    """Return ``A - B exp(-TI / T1*)``."""
    return a - b * np.exp(-ti_ms / t1_star_ms)


def t2_decay(echo_ms: float, a: Array, t2_ms: Array) -> Array:
    """Return ``A exp(-TE / T2)``."""
    return a * np.exp(-echo_ms / t2_ms)


def fit_look_locker(times_ms: Sequence[float], signal: NDArray[Any]) -> tuple[float, float, float]:
    """Return (A, B, T1*) that fit one signed series best in the least-squares sense; T1 = T1* (B / A - 1).

    A and B are linear, so they are eliminated, and the problem that remains in log T1* is searched on a grid and refined (variable
    projection; Golub and Pereyra, SIAM J Numer Anal 1973;10:413).
    """
    from scipy.optimize import minimize_scalar

    times, values = np.asarray(times_ms, dtype=np.float64), np.asarray(signal, dtype=np.float64)

    def residual(log_t: float) -> float:
        design = np.stack([np.ones_like(times), -np.exp(-times / np.exp(log_t))], axis=1)
        return float(np.sum((values - design @ np.linalg.lstsq(design, values, rcond=None)[0]) ** 2))

    grid = np.log(np.geomspace(20.0, 8000.0, 60))
    best = int(np.argmin([residual(g) for g in grid]))
    low, high = grid[max(0, best - 1)], grid[min(grid.size - 1, best + 1)]
    log_t = float(minimize_scalar(residual, bounds=(low, high), method="bounded", options={"xatol": 1e-8}).x)
    design = np.stack([np.ones_like(times), -np.exp(-times / np.exp(log_t))], axis=1)
    a, b = np.linalg.lstsq(design, values, rcond=None)[0]
    return float(a), float(b), float(np.exp(log_t))


def fit_t2(echo_times_ms: Sequence[float], signal: NDArray[Any]) -> tuple[float, float]:
    """Return (A, T2 in ms) of ``A exp(-TE / T2)`` from a straight line through the logarithm of one magnitude series."""
    slope, start = np.polyfit(np.asarray(echo_times_ms, dtype=np.float64), np.log(np.abs(signal)), 1)
    return float(np.exp(start)), float(-1.0 / slope)
