"""Variable-density Poisson-disc sampling of the (ky, kx) plane: random samples that keep their distance."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError
from engine.core.records.options import Option
from engine.core.types import Bool
from engine.sampling import draw
from engine.sampling.acs import budget, centre_square
from engine.sampling.contract import MASKS, MaskSpec
from engine.sampling.random2d import radius

_STEPS = 16
"""Squared exclusion radii are rounded to sixteenths of a squared index: coarse enough to be the same everywhere."""

_LARGEST = _STEPS * 64**2
"""No exclusion radius above 64 indices: it bounds the time and the memory of the table of discs."""


def _disc(squared: int) -> Bool:
    """Return the neighbourhood that a squared radius in sixteenths excludes, bool (2 h + 1, 2 h + 1)."""
    half = math.isqrt(squared // _STEPS)
    step = np.arange(-half, half + 1)
    return np.asarray((step[:, None] ** 2 + step[None, :] ** 2) * _STEPS <= squared)


def _throw(order: NDArray[np.intp], squared: NDArray[np.int64], blocked: Bool) -> list[int]:
    """Take the positions in ``order`` that no earlier one excludes.

    ``squared`` (ky, kx) holds squared exclusion radii in sixteenths; ``blocked`` (ky, kx) is true where nothing may be taken.
    """
    ky, kx = squared.shape
    discs: dict[int, Bool] = {}
    half = math.isqrt(int(squared.max()) // _STEPS)
    # A margin saves cutting the discs at the borders.
    field = np.ones((ky + 2 * half, kx + 2 * half), dtype=bool)
    field[half : half + ky, half : half + kx] = blocked
    width = kx + 2 * half
    where = (order // kx + half) * width + order % kx + half
    sizes = squared.ravel()[order]
    flat = field.ravel()
    taken: list[int] = []
    # Chunk by chunk: what is excluded already is dropped by one array operation.
    for start in range(0, order.size, 2048):
        chunk = np.flatnonzero(~flat[where[start : start + 2048]]) + start
        for index, position, size in zip(order[chunk].tolist(), where[chunk].tolist(), sizes[chunk].tolist(), strict=True):
            if flat[position]:
                continue
            taken.append(index)
            disc = discs[size] if size in discs else discs.setdefault(size, _disc(size))
            reach = disc.shape[0] // 2
            y, x = divmod(position, width)
            field[y - reach : y + reach + 1, x - reach : x + reach + 1] |= disc
    return taken


def build(
    frames: int,
    ky: int,
    kx: int,
    acceleration: float,
    acs: int,
    rng: np.random.Generator,
    growth: float = 4.0,
    corners: bool = False,
) -> Bool:
    """Return bool (frames, ky, kx): samples that keep the distance r0 (1 + growth r) from those thrown before, and the ACS square.

    r is 0 in the centre and 1 on the inscribed ellipse; the corners beyond are left out unless ``corners``. Samples are thrown in
    random order, each one excludes the disc around it, until the budget is reached; r0 is chosen so that at least the budget fits
    on the first frame. *Budget*: exactly round((ky kx - acs^2) / R) samples outside the ACS square, which is not counted.

    *Deviation*: r0^2 is a multiple of 1/16 (see ``_STEPS``), so that more than the budget would fit: 3 to 11 % more at R = 6 to
    24, 27 % at R = 4 and 65 % at R = 3 (204 x 448, ACS 24). At low R the distances are smaller than they could be.

    Raises
    ------
    InputError
        R is so low that the ellipse does not hold the samples.
    """
    distance = radius(ky, kx)
    square = centre_square(ky, kx, acs)
    blocked = np.zeros((ky, kx), dtype=bool) if corners else distance > 1
    blocked[square] = True
    count = budget(ky * kx, acs * acs, acceleration)
    free = int(np.count_nonzero(~blocked))
    if count > free:
        raise InputError(
            f"R = {acceleration:g} needs {count} samples (expected at most {free}, all inside the ellipse)",
            "Choose a higher R, or --mask-option corners=true.",
        )
    shape = (1 + growth * np.minimum(distance, 1)) ** 2
    orders = [draw.order(rng, ky * kx) for _ in range(frames)]

    def squared(scale: int) -> NDArray[np.int64]:
        return np.asarray(np.minimum(np.rint(shape * scale), _LARGEST), dtype=np.int64)

    grid = np.zeros((frames, ky, kx), dtype=bool)
    grid[:, *square] = True
    if count == 0:
        return grid
    scale = _scale(lambda trial: len(_throw(orders[0], squared(trial), blocked)), count, free, float(shape.mean()))
    for frame, order in enumerate(orders):
        while len(taken := _throw(order, squared(scale), blocked)) < count:
            # Another order may hold a few samples less: a little closer, then.
            scale -= max(1, scale // 256)
        # The last ones fill gaps anywhere; leaving them out keeps every distance.
        grid[frame].flat[taken[:count]] = True
    return grid


def _scale(thrown: Callable[[int], int], count: int, free: int, mean: float) -> int:
    """Return the largest scale found for which ``thrown(scale)`` is at least ``count``, and little above it.

    The number of samples is nearly inversely proportional to the scale: each step uses that, inside a shrinking bracket.
    """
    low, high = 0, 1 << 14
    # Random discs that touch fill about 0.55 of the plane; each holds pi / 4 of the squared distance.
    trial = int(_STEPS * 0.7 * free / (count * mean))
    while high - low > 1:
        trial = min(max(trial, low + 1), high - 1)
        found = thrown(trial)
        if found >= count:
            low = trial
        else:
            high = trial
        if count <= found <= count + count // 64:
            break
        # 0.7 % above the budget is aimed at: in the middle of what is accepted.
        trial = round(trial * found / (count * 1.007))
        if not low < trial < high:
            trial = math.isqrt(max(low, 1) * high)
    return low


MASKS.register(
    "poisson",
    MaskSpec(
        name="poisson",
        title="Poisson disc",
        description="Random samples that keep a distance growing outwards, and a full central square.",
        build=build,
        cartesian_1d=False,
        options=(
            Option("growth", 4.0, "how much wider the distance is at the border than in the centre", 0.0, 50.0),
            Option("corners", False, "whether the corners of k-space are sampled"),
        ),
        source="Bridson, SIGGRAPH sketches 2007; Vasanawala et al., IEEE ISBI 2011:1039",
    ),
)
