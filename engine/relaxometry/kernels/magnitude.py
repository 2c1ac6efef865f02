"""The exact fit of real samples, compiled: signed ones, and magnitudes with every polarity tried.

For one tau, giving one more sample the negative sign changes the inner product with the unit exponential q by ``-2 q_k y_k``: a
running update makes all N polarities cost as one. Energies are compared as integers whose low bits hold the number of the tau,
which keeps the best tau of every polarity in one array.
"""

from __future__ import annotations

import numpy as np

from engine.metrics.kernels.compiled import compiled, inlined
from engine.relaxometry import uncertainty
from engine.relaxometry.kernels.tile import (
    BLOCK, D, DD, E, ED, EE, HIGH, I, LOW, ONE, ROWS, SIZE, SY, TILE, TILE2, TWO, U, Y, YE, YY, ZERO, refine,
)

GRID_BITS = 5
GRID = 1 << GRID_BITS
UGRID = I(GRID)
POLARITY_BITS = 8
POLARITIES = (1 << POLARITY_BITS) - 1
# A polarity whose best energy on the grid is below this share of the winner's after refinement cannot win: between two tau of the
# grid the energy rises by less.
MARGIN = np.float32(0.99)

covariance = inlined(uncertainty.covariance)


@inlined
def _code(energy, g):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return (np.float32(energy).view(np.int32) & np.int32(-GRID)) | np.int32(g)


@inlined
def _project(y, q, s, padded):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for j in range(TILE):
        s[j] = np.float32(0.0)
    for i in range(ZERO, padded, BLOCK):
        q0, q1, q2 = q[i], q[i + ONE], q[i + TWO]
        base = i * TILE
        for j in range(TILE):
            s[j] += q0 * y[base + j] + q1 * y[base + TILE + j] + q2 * y[base + TILE2 + j]


@inlined
def _explore_signed(y, q, s, best, padded):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for j in range(TILE):
        best[j] = 0
    for g in range(UGRID):
        _project(y, q[g], s, padded)
        for j in range(TILE):
            best[j] = max(best[j], _code(s[j] * s[j], g))


@inlined
def _explore_polar(y, q, s, mean, best, padded):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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
                best[i0] = max(best[i0], _code(s0 * s0 + mean[i0], g))
                best[i1] = max(best[i1], _code(s1 * s1 + mean[i1], g))
                best[i2] = max(best[i2], _code(s2 * s2 + mean[i2], g))


@inlined
def _means(y, mean, run, padded, part):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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
def _winners(best, pick, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find the best and the second code of each pixel, each with its polarity in the lowest bits."""
    for j in range(TILE):
        pick[j] = np.int64(best[j]) << POLARITY_BITS
        pick[TILE + j] = -1
    for k in range(ONE, count):
        number = np.int64(k)
        for j in range(TILE):
            code = (np.int64(best[k * TILE + j]) << POLARITY_BITS) | number
            first = pick[j]
            pick[j] = max(first, code)
            pick[TILE + j] = max(pick[TILE + j], min(first, code))


@inlined
def _begin(w, y, pick, count, u0, du):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Put into the workspace where the codes of ``pick`` say to begin, and the samples with their signs."""
    for j in range(TILE):
        g = (pick[j] >> POLARITY_BITS) & (GRID - 1)
        w[U + j] = u0 + du * g
        w[LOW + j] = u0 + du * (g - 1 if g > 0 else 0)
        w[HIGH + j] = u0 + du * (g + 1 if g < GRID - 1 else GRID - 1)
    for i in range(count):
        number = np.int64(i)
        for j in range(TILE):
            v = np.float64(y[i * TILE + j])
            w[Y + i * TILE + j] = -v if number < (pick[j] & POLARITIES) else v


@inlined
def _emit(w, index, filled, pick, out, negatives, count, part, only_better):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write what was found; rows of ``out``: c0, c1, u, energy of the residual, spread, six covariances."""
    for j in range(I(filled)):
        e, d = w[E + j], w[D + j]
        y, yy = w[SY + j], w[YY + j]
        n = w[EE + j] - part * e * e
        f = w[YE + j] - part * e * y
        rss = max(yy - part * y * y - f * f / n, 0.0)
        i = index[j]
        if only_better and not rss < out[3, i]:
            continue
        c1 = f / n
        out[0, i] = part * (y - c1 * e)
        out[1, i] = c1
        out[2, i] = w[U + j]
        out[3, i] = rss
        out[4, i] = yy - y * y / count
        cov = covariance(count, part * e, part * d, n, w[ED + j] - part * e * d, w[DD + j] - part * d * d, c1)
        for r in range(6):
            out[5 + r, i] = cov[r]
        negatives[i] = pick[j] & POLARITIES


def _fit(samples, t, q, u0, du, offset, polar, first, last, out, negatives):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count, padded = I(samples.shape[0]), I(t.size)
    number = np.float64(count)
    part = 1.0 / number if offset else 0.0
    rows = I(ROWS) + padded
    w, w2 = np.zeros(rows * TILE, np.float64), np.zeros(rows * TILE, np.float64)
    y, y2 = np.zeros(padded * TILE, np.float32), np.zeros(padded * TILE, np.float32)
    s = np.empty(SIZE, np.float32)
    mean = np.empty(padded * TILE, np.float32)
    best = np.empty(padded * TILE, np.int32)
    pick, pick2 = np.zeros(2 * SIZE, np.int64), np.zeros(2 * SIZE, np.int64)
    index, index2 = np.zeros(SIZE, np.int64), np.zeros(SIZE, np.int64)
    waiting = 0
    for start in range(first, last, SIZE):
        filled = min(SIZE, last - start)
        for i in range(count):
            row = samples[i, start : start + filled]
            for j in range(row.size):
                y[i * TILE + I(j)] = row[j]
        if polar:
            _means(y, mean, s, padded, np.float32(part))
            _explore_polar(y, q, s, mean, best, padded)
            _winners(best, pick, count)
        else:
            _explore_signed(y, q, s, best, padded)
            for j in range(TILE):
                pick[j] = np.int64(best[j]) << POLARITY_BITS
        _begin(w, y, pick, count, u0, du)
        refine(w, t, padded, part)
        for j in range(filled):
            index[j] = start + j
        _emit(w, index, filled, pick, out, negatives, number, part, False)
        if not polar:
            continue
        for j in range(filled):
            least = MARGIN * np.float32(w[YY + I(j)] - out[3, start + j])
            if np.int32((pick[SIZE + j] >> POLARITY_BITS) & -GRID).view(np.float32) < least:
                continue
            for k in range(count):
                code = best[k * TILE + I(j)]
                if np.int32(code & np.int32(-GRID)).view(np.float32) < least or np.int64(k) == pick[j] & POLARITIES:
                    continue
                pick2[waiting] = (np.int64(code) << POLARITY_BITS) | np.int64(k)
                index2[waiting] = start + j
                for i in range(count):
                    y2[i * TILE + I(waiting)] = y[i * TILE + I(j)]
                waiting += 1
                if waiting == SIZE:
                    _second(w2, y2, pick2, index2, waiting, t, u0, du, count, padded, part, out, negatives)
                    waiting = 0
    if waiting > 0:
        _second(w2, y2, pick2, index2, waiting, t, u0, du, count, padded, part, out, negatives)


@inlined
def _second(w, y, pick, index, filled, t, u0, du, count, padded, part, out, negatives):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _begin(w, y, pick, count, u0, du)
    refine(w, t, padded, part)
    _emit(w, index, filled, pick, out, negatives, np.float64(count), part, True)


fit = compiled(_fit)
