"""The compiled kernels as the fit calls them, and their constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.relaxometry.kernels import phase, real
from engine.relaxometry.kernels.real import GRID, POLARITIES
from engine.relaxometry.kernels.tile import BLOCK_SIZE, NEVER_MS

__all__ = ["GRID", "MOST_SAMPLES", "Problem", "fit", "prepared"]

MOST_SAMPLES = POLARITIES
OUTPUTS = 12
# Rows of results begin this many values apart from a power of two, or all would share a few lines of the cache.
SKEW = 72


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is fitted, and where the results go. All arrays are whole and C-contiguous: another layout would be compiled anew.

    Parameters
    ----------
    samples
        float32 or complex64 (sample, pixel), in ascending order of time.
    scale
        What they are multiplied by: the largest should be near 1.
    times, units
        Times (sample,) and unit exponentials float32 (grid, sample), padded with NEVER_MS and 0 to a multiple of BLOCK_SIZE.
    first, step
        First value of u = log tau on the grid, and the distance to the next.
    offset, polar
        Whether the model has an offset; whether the samples are magnitudes whose signs are to be found.
    margin
        Share of the energy that is needed below which a rival polarity is not looked at.
    out, negatives
        (OUTPUTS, at least pixels): c0, c1, u, residual energy, spread, phase and six covariances, of which
        real samples leave the phase, and models without offset what concerns c0, untouched; how many samples are negative.
    codes, picks, shifts, energies
        Room for the work: int32 (sample or 1, pixel); int64, float32 (zeros) and float64 (pixel,).
    """

    samples: Any
    scale: float
    times: Any
    units: Any
    first: float
    step: float
    offset: bool
    polar: bool
    margin: float
    out: Any
    negatives: Any
    codes: Any
    picks: Any
    shifts: Any
    energies: Any


def prepared(
    samples: Any, scale: float, times_ms: Any, grid: Any, dictionary: Any, offset: bool, polar: bool, margin: float
) -> Problem:
    """Return the problem with its times and units padded, and with room for the results."""
    count, pixels = samples.shape
    padded = -(-count // BLOCK_SIZE) * BLOCK_SIZE
    times = np.full(padded, NEVER_MS)
    times[:count] = times_ms
    units = np.zeros((GRID, padded), np.float32)
    units[:, :count] = dictionary
    real_samples = samples.dtype.kind != "c"
    return Problem(
        samples=samples,
        scale=scale,
        times=times,
        units=units,
        first=float(grid[0]),
        step=float(grid[1] - grid[0]),
        offset=offset,
        polar=polar,
        margin=margin,
        out=np.zeros((OUTPUTS, pixels + SKEW)),  # rows that are not touched cost nothing
        negatives=np.zeros(pixels, np.uint8),
        codes=np.empty((count if polar else 1, pixels if real_samples else 0), np.int32),
        picks=np.empty(pixels if real_samples else 0, np.int64),
        shifts=np.zeros(pixels if real_samples else 0, np.float32),
        energies=np.empty(pixels if real_samples else 0),
    )


def fit(problem: Problem, begin: int, end: int) -> None:
    """Fit the pixels ``begin`` to ``end``."""
    p = problem
    if p.samples.dtype.kind == "c":
        phase.fit(p.samples, p.scale, p.times, p.units, p.first, p.step, p.offset, begin, end, p.out)
        return

    def settle(chosen: Any, shifts: Any, index: Any, again: bool) -> None:
        real.settle(
            p.samples, p.scale, p.times, p.first, p.step, p.offset, chosen, shifts, index, again, p.out, p.energies, p.negatives
        )

    real.explore(p.samples, p.scale, p.units, p.offset, p.polar, begin, end, p.codes, p.picks, p.shifts)
    settle(p.picks[begin:end], p.shifts[begin:end], np.arange(begin, end), False)
    if not p.polar:
        return
    room = end - begin
    while True:
        found, index = np.empty(room, np.int64), np.empty(room, np.int64)
        listed = real.rivals(p.codes, p.picks, p.energies, p.margin, begin, end, p.out, p.first, p.step, found, index)
        if listed <= room:
            break
        room = listed
    settle(found[:listed], np.zeros(listed, np.float32), index[:listed], True)
