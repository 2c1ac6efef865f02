"""Random choices that come out the same on every machine and with every NumPy.

Only ``BitGenerator.random_raw`` is used: NumPy guarantees the bits of PCG64, not the streams of ``Generator`` methods. What is
done with the bits is integer arithmetic or single IEEE-754 operations, and ties are broken by position.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WEIGHT_ONE = 1 << 20
"""Integer that stands for a weight of 1: weights are rounded to it, so that the last bit of an ``exp`` cannot matter."""


def raw(rng: np.random.Generator, count: int) -> NDArray[np.uint64]:
    """Return ``count`` random 64-bit words."""
    return np.asarray(rng.bit_generator.random_raw(count), dtype=np.uint64).reshape(count)


def units(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return ``count`` numbers uniform in [0, 1), each a multiple of 2^-53."""
    return (raw(rng, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(rng: np.random.Generator, bound: int) -> int:
    """Return an integer uniform in 0 .. ``bound`` - 1."""
    return (int(raw(rng, 1)[0]) * int(bound)) >> 64


def order(rng: np.random.Generator, count: int) -> NDArray[np.intp]:
    """Return a random permutation of 0 .. ``count`` - 1."""
    return np.argsort(raw(rng, count), kind="stable")


def quantised(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return non-negative weights (largest 1) as integers; a positive weight stays positive."""
    integers = np.rint(weights * WEIGHT_ONE).astype(np.int64)
    return np.where(weights > 0, np.maximum(integers, 1), 0)


def weighted(rng: np.random.Generator, weights: NDArray[np.int64], count: int) -> NDArray[np.intp]:
    """Return ``count`` distinct positions, drawn with inclusion probabilities proportional to integer ``weights``.

    Pareto order sampling (Rosen, J Stat Plan Inference 1997;62:159): of all ranks u/(1-u) * (1-p)/p the smallest are taken. It
    has a fixed size, needs no logarithm, and its inclusion probabilities are the wanted p to a good approximation. Positions of
    weight 0 are never drawn; when fewer than ``count`` have a weight, all of them are returned.
    """
    possible = np.flatnonzero(weights)
    if count >= possible.size:
        return possible
    if count <= 0:
        return possible[:0]
    chance = _inclusion(weights[possible], count)
    u = units(rng, possible.size)
    rank = u * (1.0 - chance) / (chance * (1.0 - u))
    last = np.partition(rank, count - 1)[count - 1]
    chosen = rank < last
    # Equal ranks (all that is certain has rank 0) are taken in order of position.
    chosen[np.flatnonzero(rank == last)[: count - np.count_nonzero(chosen)]] = True
    return np.asarray(possible[chosen])


def _inclusion(weights: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return probabilities proportional to ``weights``, none above 1, that add up to ``count``."""
    certain = np.zeros(weights.size, dtype=bool)
    while True:
        left = count - int(np.count_nonzero(certain))
        total = int(weights[~certain].sum())
        # Integers: sums of weights are exact, so the set of certain positions is the same everywhere.
        over = ~certain & (weights * left >= total)
        if left <= 0 or not over.any():
            break
        certain |= over
    chance = weights.astype(np.float64) * (max(left, 0) / max(total, 1))
    # Certain positions rank first: (1 - p) / p = 0.
    return np.where(certain, 1.0, np.maximum(chance, 2.0**-60))
