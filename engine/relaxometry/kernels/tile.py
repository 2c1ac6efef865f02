"""The refinement of one tile of pixels: Newton's method on the log of the explained energy, all pixels of the tile in step.

A tile is TILE pixels. All that belongs to it stands in one flat array of rows of TILE doubles, so that the compiler sees that no
row overlaps another; samples are taken three at a time, so that sums stay in registers; indices are unsigned, for a signed one
might count from the end. Each of the three is needed for several pixels to be computed at once. Samples are padded to a multiple
of three with zeros, at a time when every exponential is over. The names of the sums are those of :mod:`engine.relaxometry.signal`,
whose functions are compiled here.
"""

from __future__ import annotations

import numpy as np

from engine.metrics.kernels.compiled import Array, inlined
from engine.relaxometry import signal, uncertainty
from engine.relaxometry.kernels.exponential import exp_minus

I = np.uintp  # noqa: E741
SIZE = 64
BLOCK_SIZE = 3
STEPS = 8
CONVERGED = 1e-5  # largest last step in u of a tile: the error that is left goes with its square
NEVER_MS = 1e9
LONGEST = 0.4  # of a step in u: two of the grid's

ZERO, ONE, TWO, BLOCK = I(0), I(1), I(2), I(BLOCK_SIZE)
TILE, TILE2 = I(SIZE), I(2 * SIZE)

# Where the rows of the workspace begin. Those of the samples come last.
U, INV, STEP, E, D, H, EE, ED, DD, EH, YE, YD, YH, SY, YY, Y = (I(SIZE * row) for row in range(16))
ROWS = 15

slope = inlined(signal.slope)
curvature = inlined(signal.curvature)
gauss_newton = inlined(signal.gauss_newton)
covariance = inlined(uncertainty.covariance)


@inlined
def terms(t: float, inv: float) -> tuple[float, float, float]:
    """Return the exponential and its first two derivatives with respect to u."""
    x = t * inv
    e = exp_minus(x)
    d = x * e
    return e, d, x * d - d


@inlined
def totals(w: Array, padded: int) -> None:
    """Put the sum of the samples and their energy into their rows."""
    for j in range(TILE):
        w[SY + j] = 0.0
        w[YY + j] = 0.0
    for i in range(padded):
        base = Y + i * TILE
        for j in range(TILE):
            y = w[base + j]
            w[SY + j] += y
            w[YY + j] += y * y


@inlined
def sums(w: Array, t: Array, padded: int) -> None:
    """Put the sums at u into their rows."""
    for j in range(TILE):
        w[INV + j] = exp_minus(w[U + j])
    for j in range(E, SY):
        w[j] = 0.0
    for i in range(ZERO, padded, BLOCK):
        t0, t1, t2 = t[i], t[i + ONE], t[i + TWO]
        base = Y + i * TILE
        for j in range(TILE):
            inv = w[INV + j]
            e0, d0, h0 = terms(t0, inv)
            e1, d1, h1 = terms(t1, inv)
            e2, d2, h2 = terms(t2, inv)
            y0, y1, y2 = w[base + j], w[base + TILE + j], w[base + TILE2 + j]
            w[E + j] += e0 + e1 + e2
            w[D + j] += d0 + d1 + d2
            w[H + j] += h0 + h1 + h2
            w[EE + j] += e0 * e0 + e1 * e1 + e2 * e2
            w[ED + j] += e0 * d0 + e1 * d1 + e2 * d2
            w[DD + j] += d0 * d0 + d1 * d1 + d2 * d2
            w[EH + j] += e0 * h0 + e1 * h1 + e2 * h2
            w[YE + j] += e0 * y0 + e1 * y1 + e2 * y2
            w[YD + j] += d0 * y0 + d1 * y1 + d2 * y2
            w[YH + j] += h0 * y0 + h1 * y1 + h2 * y2


@inlined
def cut(u: float, step: float, low: float, high: float) -> float:
    """Return the step cut to LONGEST and to the range of u; one that is no number is 0."""
    step = LONGEST if step > LONGEST else step
    step = -LONGEST if step < -LONGEST else step
    step = low - u if u + step < low else step
    step = high - u if u + step > high else step
    return step if step == step else 0.0


@inlined
def largest_step(w: Array) -> float:
    """Return the largest step that was taken last in the tile."""
    largest = 0.0
    for j in range(TILE):
        largest = max(largest, abs(w[STEP + j]))
    return largest


@inlined
def advance(w: Array, part: float, low: float, high: float) -> None:
    """Move u by a Newton step (one of Gauss and Newton where log J is not concave).

    ``part`` is 1 / N with an offset, which takes off means, and 0 without.
    """
    for j in range(TILE):
        e, d, h, y = w[E + j], w[D + j], w[H + j], w[SY + j]
        n = w[EE + j] - part * e * e
        p = w[ED + j] - part * e * d
        m = w[DD + j] - part * d * d
        s = w[EH + j] - part * e * h
        f = w[YE + j] - part * e * y
        f1 = w[YD + j] - part * d * y
        f2 = w[YH + j] - part * h * y
        bend = curvature(n, p, m, s, f, f1, f2)
        newton = -slope(n, p, f, f1) / bend
        other = gauss_newton(n, p, m, f, f1)
        step = cut(w[U + j], newton if bend < 0.0 else other, low, high)
        w[STEP + j] = step
        w[U + j] += step


@inlined
def amplitudes(w: Array, j: int, part: float) -> tuple[float, float, float]:
    """Return c0, c1 and the energy that the exponential explains; the sums follow the last step of u to first order."""
    step, y = w[STEP + j], w[SY + j]
    e = w[E + j] + step * w[D + j]
    n = w[EE + j] + 2.0 * step * w[ED + j] - part * e * e
    f = w[YE + j] + step * w[YD + j] - part * e * y
    c1 = f / n
    return part * (y - c1 * e), c1, f * c1


@inlined
def covariances(w: Array, j: int, count: float, part: float, c1: float) -> tuple[float, ...]:
    """Return the six covariances from the sums before the last step: they belong together."""
    e, d = w[E + j], w[D + j]
    n, p, m = w[EE + j] - part * e * e, w[ED + j] - part * e * d, w[DD + j] - part * d * d
    six: tuple[float, ...] = covariance(count, part * e, part * d, n, p, m, c1)
    return six


@inlined
def refine(w: Array, t: Array, padded: int, part: float, low: float, high: float) -> None:
    """Bring u to the optimum, and leave the sums before the last step."""
    totals(w, padded)
    for _ in range(STEPS):
        sums(w, t, padded)
        advance(w, part, low, high)
        if largest_step(w) < CONVERGED:
            break
