"""Variable density incoherent spatiotemporal acquisition: k-t samples that repel each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.core.records.options import Option
from engine.core.types import Bool
from engine.sampling import draw
from engine.sampling.contract import MASKS, MaskSpec
from engine.sampling.density import kt_density

_ONE = 1 << 30
"""Integer that stands for an energy of 1: whole numbers add up the same in any order and on any machine."""

POWER = 1.4
"""Exponent of the Riesz energy."""

_GOLDEN = 0x9E3779B97F4A7C15
"""The golden ratio's fractional part times 2^64: turns of a frame against the one before."""


def stretched(ky: int, alpha: float) -> NDArray[np.float64]:
    """Return for each line its place u on an axis (0 .. ky) on which the wanted density is uniform."""
    density = np.rint(kt_density(ky, alpha) * draw.WEIGHT_ONE)
    return np.asarray((np.cumsum(density) - density / 2) * (ky / density.sum()))


def _kernel(u: NDArray[np.float64], frames: int, step: float, power: float) -> NDArray[np.int64]:
    """Return the energy of two samples, int64 (frame distance 0 .. frames // 2, line, line); a sample with itself has none."""
    ky = u.size
    apart = np.abs(u[:, None] - u[None, :])
    apart = np.minimum(apart, ky - apart)
    later = np.arange(frames // 2 + 1)[:, None, None] * step
    squared = apart[None] ** 2 + later**2
    squared[0, np.arange(ky), np.arange(ky)] = np.inf
    return np.asarray(np.rint(squared ** (-power / 2) * _ONE), dtype=np.int64)


def _counts(frames: int, ky: int, acceleration: float) -> NDArray[np.int64]:
    """Return the number of lines of each frame: their sum is round(frames ky / R), and they differ by one at most."""
    total = max(int(frames * ky / acceleration + 0.5), frames)
    bounds = np.arange(frames + 1) * total // frames
    return np.diff(bounds)


def _start(u: NDArray[np.float64], counts: NDArray[np.int64], rng: np.random.Generator) -> list[list[int]]:
    """Return first lines of each frame: evenly spread along u, each frame turned by the golden ratio."""
    ky = u.size
    begin = int(draw.raw(rng, 1)[0])
    lines: list[list[int]] = []
    for frame, count in enumerate(counts.tolist()):
        turn = ((begin + frame * _GOLDEN) % (1 << 64)) / 2.0**64
        free = np.ones(ky, dtype=bool)
        for k in range(count):
            vacant = np.flatnonzero(free)
            free[vacant[np.argmin(np.abs(u[vacant] - (k + turn) * ky / count))]] = False
        lines.append(np.flatnonzero(~free).tolist())
    return lines


def _relax(lines: list[list[int]], kernel: NDArray[np.int64], rng: np.random.Generator, sweeps: int) -> None:
    """Move one sample at a time to the line of its frame where the energy is least, until none moves; in place."""
    frames, ky = len(lines), kernel.shape[-1]
    gap = np.abs(np.arange(frames)[:, None] - np.arange(frames)[None, :])
    gap = np.minimum(gap, frames - gap)
    field = np.zeros((frames, ky), dtype=np.int64)
    for frame, chosen in enumerate(lines):
        field += kernel[gap[frame][:, None], chosen].sum(axis=1)
    taken = np.zeros((frames, ky), dtype=bool)
    for frame, chosen in enumerate(lines):
        taken[frame, chosen] = True
    samples = [(frame, k) for frame, chosen in enumerate(lines) for k in range(len(chosen))]
    for _ in range(sweeps):
        moved = False
        for index in draw.order(rng, len(samples)).tolist():
            frame, k = samples[index]
            line = lines[frame][k]
            own = kernel[gap[frame], line]
            energy = field[frame] - own[frame]
            energy[taken[frame]] = np.iinfo(np.int64).max
            energy[line] = field[frame, line]
            best = int(np.argmin(energy))
            if energy[best] < energy[line]:
                field += kernel[gap[frame], best] - own
                taken[frame, [line, best]] = False, True
                lines[frame][k] = best
                moved = True
        if not moved:
            break


def build(
    frames: int,
    ky: int,
    kx: int,
    acceleration: float,
    acs: int,
    rng: np.random.Generator,
    alpha: float = 0.28,
    step: float = 1.0,
    sweeps: int = 20,
) -> Bool:
    """Return bool (frames, ky, 1): lines of least Riesz energy on the k-t grid (Ahmad et al. 2015), denser in the centre.

    Two samples have the energy d^-1.4; d is their distance over lines and frames. The density over ky is that of
    :func:`~engine.sampling.density.kt_density`, uniform for ``alpha`` 0; neighbouring frames are ``step`` lines apart. *Budget*:
    exactly round(frames ky / R) lines in all, each frame within one line of the others; no line is always measured and there is
    no ACS.

    *Deviation*: the paper moves charges of different strength by gradient descent on the continuous plane and rounds at the end.
    Here ky is stretched so that the wanted density is uniform, all charges are equal, and samples move on the grid itself, one at
    a time to the best free line of their frame: every frame keeps its budget, the energy never rises, and integers make the
    result the same on every machine. Distances are cyclic in time (so is the heart) and in ky (the border attracts no samples).
    """
    del kx, acs
    u = stretched(ky, alpha)
    kernel = _kernel(u, frames, step, POWER)
    lines = _start(u, _counts(frames, ky, acceleration), rng)
    _relax(lines, kernel, rng, sweeps)
    grid = np.zeros((frames, ky, 1), dtype=bool)
    for frame, chosen in enumerate(lines):
        grid[frame, chosen] = True
    return grid


MASKS.register(
    "vista",
    MaskSpec(
        name="vista",
        title="VISTA",
        description="Lines that keep their distance over ky and time, denser in the centre; no line is measured in every frame.",
        build=build,
        per_frame=True,
        uses_acs=False,
        options=(
            Option("alpha", 0.28, "how much the density prefers the centre; 0 is uniform", 0.0, 0.99),
            Option("step", 1.0, "distance of neighbouring frames in lines", 0.1, 100.0),
            Option("sweeps", 20, "rounds of moving every sample to its best line", 0, 1000),
        ),
        source="Ahmad et al., Magn Reson Med 2015;74:1266",
    ),
)
