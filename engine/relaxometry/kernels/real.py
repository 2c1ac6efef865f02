"""The exact fit of real samples, compiled: signed ones, and magnitudes with every polarity tried.

For one tau, giving one more sample the negative sign changes the inner product with the unit exponential q by ``-2 q_k y_k``: a
running update makes all N polarities cost as one. Energies are compared as integers whose low bits hold the number of the tau
(a code), which keeps the best tau of every polarity in one array. The fit goes in three steps: ``explore`` all tau and polarities,
``settle`` the best polarity of each pixel, and settle its ``rivals``, those that may yet be better.
"""

from __future__ import annotations

import numpy as np

from engine.metrics.kernels.compiled import Array, compiled, inlined
from engine.relaxometry import dictionary
from engine.relaxometry.kernels.tile import (
    BLOCK,
    ONE,
    ROWS,
    SIZE,
    SY,
    TILE,
    TILE2,
    TWO,
    YY,
    ZERO,
    I,
    U,
    Y,
    amplitudes,
    covariances,
    refine,
)

GRID_BITS = 5
GRID = 1 << GRID_BITS
UGRID = I(GRID)
POLARITY_BITS = 8
POLARITIES = (1 << POLARITY_BITS) - 1
# See engine.relaxometry.dictionary.
PENALTY, HIGHEST_RATIO = dictionary.PENALTY, dictionary.HIGHEST_RATIO


@inlined
def code_of(energy: float, g: int) -> np.int32:
    """Return an energy as an integer that is ordered like it, with the number of the tau in its lowest bits."""
    return (np.float32(energy).view(np.int32) & np.int32(-GRID)) | np.int32(g)


@inlined
def _project(y: Array, q: Array, s: Array, padded: int) -> None:
    for j in range(TILE):
        s[j] = np.float32(0.0)
    for i in range(ZERO, padded, BLOCK):
        q0, q1, q2 = q[i], q[i + ONE], q[i + TWO]
        base = i * TILE
        for j in range(TILE):
            s[j] += q0 * y[base + j] + q1 * y[base + TILE + j] + q2 * y[base + TILE2 + j]


@inlined
def _explore_signed(y: Array, q: Array, energy: Array, best: Array, padded: int) -> None:
    """Put the energies of all tau into ``energy``, and the codes of the best into ``best``."""
    for j in range(TILE):
        best[j] = 0
    for g in range(UGRID):
        row = energy[g * TILE : (g + ONE) * TILE]
        _project(y, q[g], row, padded)
        for j in range(TILE):
            row[j] = row[j] * row[j]
        for j in range(TILE):
            best[j] = max(best[j], code_of(row[j], g))


@inlined
def _vertex(energy: Array, g: int, j: int) -> np.float32:
    """Return how far from the g-th tau the vertex of the parabola through its energy and its neighbours' lies."""
    if g == 0 or g == GRID - 1:
        return np.float32(0.0)
    left, middle, right = energy[(g - 1) * SIZE + j], energy[g * SIZE + j], energy[(g + 1) * SIZE + j]
    bend = left - np.float32(2.0) * middle + right
    shift = np.float32(0.5) * (left - right) / bend if bend < 0 else np.float32(0.0)
    return min(max(shift, np.float32(-1.0)), np.float32(1.0))


@inlined
def _explore_polar(y: Array, q: Array, s: Array, mean: Array, best: Array, padded: int) -> None:
    two = np.float32(2.0)
    for j in range(padded * TILE):
        best[j] = 0
    for g in range(UGRID):
        _project(y, q[g], s, padded)
        for k in range(ZERO, padded, BLOCK):
            q0, q1, q2 = two * q[g, k], two * q[g, k + ONE], two * q[g, k + TWO]
            base = k * TILE
            for j in range(TILE):
                i0 = base + j
                i1 = i0 + TILE
                i2 = i0 + TILE2
                s0 = s[j]
                s1 = s0 - q0 * y[i0]
                s2 = s1 - q1 * y[i1]
                s[j] = s2 - q2 * y[i2]
                best[i0] = max(best[i0], code_of(s0 * s0 + mean[i0], g))
                best[i1] = max(best[i1], code_of(s1 * s1 + mean[i1], g))
                best[i2] = max(best[i2], code_of(s2 * s2 + mean[i2], g))


@inlined
def _means(y: Array, mean: Array, run: Array, padded: int, part: float) -> None:
    """Energy of the mean for each number of negative samples."""
    for j in range(TILE):
        run[j] = np.float32(0.0)
    for i in range(padded):
        for j in range(TILE):
            run[j] += y[i * TILE + j]
    for k in range(padded):
        for j in range(TILE):
            mean[k * TILE + j] = part * run[j] * run[j]
        for j in range(TILE):
            run[j] -= np.float32(2.0) * y[k * TILE + j]


@inlined
def _winner(best: Array, pick: Array, count: int) -> None:
    """Find the best code of each pixel of the tile, with its polarity in the lowest bits."""
    for j in range(TILE):
        pick[j] = np.int64(best[j]) << POLARITY_BITS
    for k in range(ONE, count):
        number = np.int64(k)
        base = k * TILE
        for j in range(TILE):
            pick[j] = max(pick[j], (np.int64(best[base + j]) << POLARITY_BITS) | number)


def _explore(
    samples: Array,
    scale: float,
    q: Array,
    offset: bool,
    polar: bool,
    first: int,
    last: int,
    codes: Array,
    picks: Array,
    shifts: Array,
) -> None:
    count, padded, rows = I(samples.shape[0]), I(q.shape[1]), I(codes.shape[0])
    factor = np.float32(scale)
    part = np.float32(1.0) / np.float32(count) if offset else np.float32(0.0)
    y = np.zeros(padded * TILE, np.float32)
    s = np.empty(SIZE, np.float32)
    energy = np.empty(SIZE if polar else GRID * SIZE, np.float32)
    mean = np.empty(padded * TILE, np.float32)
    best = np.empty(padded * TILE, np.int32)
    pick = np.empty(SIZE, np.int64)
    for start in range(first, last, SIZE):
        filled = min(SIZE, last - start)
        for i in range(count):
            row = samples[i, start : start + filled]
            base = i * TILE
            for j in range(row.size):
                y[base + I(j)] = factor * row[j]
        if polar:
            _means(y, mean, s, padded, part)
            _explore_polar(y, q, s, mean, best, padded)
        else:
            _explore_signed(y, q, energy, best, padded)
            for j in range(filled):
                shifts[start + j] = _vertex(energy, best[j] & (GRID - 1), j)
        _winner(best, pick, rows)
        for k in range(rows):
            row_of_codes = codes[k, start : start + filled]
            base = k * TILE
            for j in range(row_of_codes.size):
                row_of_codes[j] = best[base + I(j)]
        for j in range(filled):
            picks[start + j] = pick[j]


@inlined
def _score(rss: float, c0: float, c1: float, u: float, u0: float, du: float) -> float:
    """Return the energy of the residual, PENALTY times of it where the answer is no inversion recovery."""
    ratio = -c1 / c0
    possible = ratio > 1.0 and ratio < HIGHEST_RATIO and u > u0 and u < u0 + du * (GRID - 1)
    return rss if possible else PENALTY * rss


def _settle(
    samples: Array,
    scale: float,
    t: Array,
    u0: float,
    du: float,
    offset: bool,
    picks: Array,
    shifts: Array,
    index: Array,
    again: bool,
    out: Array,
    energies: Array,
    negatives: Array,
) -> None:
    count, padded = I(samples.shape[0]), I(t.size)
    number, factor = np.float64(count), np.float64(scale)
    part = 1.0 / number if offset else 0.0
    w = np.zeros((I(ROWS) + padded) * TILE, np.float64)
    for start in range(0, index.size, SIZE):
        filled = min(SIZE, index.size - start)
        pick, place = picks[start : start + filled], index[start : start + filled]
        for k in range(filled):
            g = (pick[k] >> POLARITY_BITS) & (GRID - 1)
            w[U + I(k)] = u0 + du * (g + shifts[start + k])
        for i in range(count):
            row = samples[i]
            base = Y + i * TILE
            for k in range(filled):
                v = factor * row[place[k]]
                w[base + I(k)] = -v if np.int64(i) < (pick[k] & POLARITIES) else v
        refine(w, t, padded, part, u0, u0 + du * (GRID - 1))
        for k in range(filled):
            at, j = place[k], I(k)
            c0, c1, explained = amplitudes(w, j, part)
            rss = max(w[YY + j] - part * w[SY + j] * w[SY + j] - explained, 0.0)
            u = w[U + j]
            if again and _score(rss, c0, c1, u, u0, du) >= _score(out[3, at], out[0, at], out[1, at], out[2, at], u0, du):
                continue
            out[1, at], out[2, at], out[3, at] = c1, u, rss
            out[4, at] = w[YY + j] - w[SY + j] * w[SY + j] / number
            var_0, var_1, var_u, cov_01, cov_0u, cov_1u = covariances(w, j, number, part, c1)
            out[7, at], out[8, at], out[11, at] = var_1, var_u, cov_1u
            if offset:
                out[0, at], out[6, at], out[9, at], out[10, at] = c0, var_0, cov_01, cov_0u
            energies[at] = w[YY + j]
            negatives[at] = pick[k] & POLARITIES


def _rivals(
    codes: Array,
    picks: Array,
    energies: Array,
    margin: float,
    first: int,
    last: int,
    out: Array,
    u0: float,
    du: float,
    found: Array,
    index: Array,
) -> int:
    """List the polarities that may yet be better than those that were settled; return how many there are.

    Only as many are written as ``found`` and ``index`` hold.
    """
    listed = 0
    for i in range(first, last):
        score = _score(out[3, i], out[0, i], out[1, i], out[2, i], u0, du)
        least = np.float32(margin * max(energies[i] - score, 0.0))
        for k in range(codes.shape[0]):
            code = codes[k, i]
            if np.int32(code & np.int32(-GRID)).view(np.float32) < least or k == picks[i] & POLARITIES:
                continue
            if listed < found.size:
                found[listed] = (np.int64(code) << POLARITY_BITS) | k
                index[listed] = i
            listed += 1
    return listed


explore, settle, rivals = compiled(_explore), compiled(_settle), compiled(_rivals)
