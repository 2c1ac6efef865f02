"""SSIM of one frame in one pass: window sums are updated row by row and never stored as images.

Four window means are enough, x, y, x^2 + y^2 and xy, because SSIM holds nothing but the sum of the two variances. Images are
float32, sums double: in single precision a running sum keeps the rounding of bright rows after they have left the window.
Both functions return the sum over windows of SSIM times ``weights`` (y - size + 1, x - size + 1).
"""

from __future__ import annotations

import numpy as np

from engine.metrics.kernels.compiled import Array, compiled, inlined


@inlined
def _similarity(a: float, b: float, s: float, p: float, c1: float, c2: float, scale: float) -> float:
    ab = a * b
    aabb = a * a + b * b
    return (ab + ab + c1) * (scale * (p - ab + p - ab) + c2) / ((aabb + c1) * (scale * (s - aabb) + c2))


# One loop for each array that is written: more of them in one loop are not vectorised, for fear that they overlap.


@inlined
def _add(a: Array, b: Array, s: Array, p: Array, x: Array, y: Array) -> None:
    for j in range(x.size):
        a[j] += x[j]
    for j in range(x.size):
        b[j] += y[j]
    for j in range(x.size):
        s[j] += np.float64(x[j]) * x[j] + np.float64(y[j]) * y[j]
    for j in range(x.size):
        p[j] += np.float64(x[j]) * y[j]


@inlined
def _remove(a: Array, b: Array, s: Array, p: Array, x: Array, y: Array) -> None:
    for j in range(x.size):
        a[j] -= x[j]
    for j in range(x.size):
        b[j] -= y[j]
    for j in range(x.size):
        s[j] -= np.float64(x[j]) * x[j] + np.float64(y[j]) * y[j]
    for j in range(x.size):
        p[j] -= np.float64(x[j]) * y[j]


@inlined
def _pairs(single: Array, double: Array) -> None:
    for j in range(single.size - 1):
        double[j] = single[j] + single[j + 1]


def _uniform(x: Array, y: Array, weights: Array, c1: float, c2: float) -> float:
    height, width = x.shape
    n, scale = 1.0 / 49.0, 49.0 / 48.0
    one = np.zeros((4, width), np.float64)
    two = np.empty((4, width), np.float64)
    a, b, s, p = one[0], one[1], one[2], one[3]
    a2, b2, s2, p2 = two[0], two[1], two[2], two[3]
    total = 0.0
    for row in range(height):
        _add(a, b, s, p, x[row], y[row])
        if row < 6:
            continue
        # Widths of 7 = 2 + 2 + 2 + 1.
        for k in range(4):
            _pairs(one[k], two[k])
        weight = weights[row - 6]
        for j in range(width - 6):
            value = _similarity(
                (a2[j] + a2[j + 2] + a2[j + 4] + a[j + 6]) * n,
                (b2[j] + b2[j + 2] + b2[j + 4] + b[j + 6]) * n,
                (s2[j] + s2[j + 2] + s2[j + 4] + s[j + 6]) * n,
                (p2[j] + p2[j + 2] + p2[j + 4] + p[j + 6]) * n,
                c1,
                c2,
                scale,
            )
            total += value * weight[j]
        _remove(a, b, s, p, x[row - 6], y[row - 6])
    return total


@inlined
def _fold(images: Array, first: int, taps: Array, out: Array) -> None:
    """Weight the 11 rows from ``first`` on with symmetric ``taps``."""
    r0, r1, r2, r3, r4 = images[first], images[first + 1], images[first + 2], images[first + 3], images[first + 4]
    r5, r6, r7, r8, r9, r10 = (
        images[first + 5],
        images[first + 6],
        images[first + 7],
        images[first + 8],
        images[first + 9],
        images[first + 10],
    )
    t0, t1, t2, t3, t4, t5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    for j in range(out.size):
        out[j] = (
            t0 * (r0[j] + r10[j])
            + t1 * (r1[j] + r9[j])
            + t2 * (r2[j] + r8[j])
            + t3 * (r3[j] + r7[j])
            + t4 * (r4[j] + r6[j])
            + t5 * r5[j]
        )


@inlined
def _along(row: Array, taps: Array, out: Array) -> None:
    t0, t1, t2, t3, t4, t5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    for j in range(row.size - 10):
        out[j] = (
            t0 * (row[j] + row[j + 10])
            + t1 * (row[j + 1] + row[j + 9])
            + t2 * (row[j + 2] + row[j + 8])
            + t3 * (row[j + 3] + row[j + 7])
            + t4 * (row[j + 4] + row[j + 6])
            + t5 * row[j + 5]
        )


def _gaussian(x: Array, y: Array, weights: Array, taps: Array, c1: float, c2: float) -> float:
    height, width = x.shape
    images = np.empty((4, height, width), np.float64)
    for row in range(height):
        for j in range(width):
            images[0, row, j] = x[row, j]
            images[1, row, j] = y[row, j]
            images[2, row, j] = np.float64(x[row, j]) * x[row, j] + np.float64(y[row, j]) * y[row, j]
            images[3, row, j] = np.float64(x[row, j]) * y[row, j]
    folded = np.empty(width, np.float64)
    means = np.empty((4, width), np.float64)
    a, b, s, p = means[0], means[1], means[2], means[3]
    total = 0.0
    for row in range(height - 10):
        for k in range(4):
            _fold(images[k], row, taps, folded)
            _along(folded, taps, means[k])
        weight = weights[row]
        for j in range(width - 10):
            total += _similarity(a[j], b[j], s[j], p[j], c1, c2, 1.0) * weight[j]
    return total


uniform = compiled(_uniform)
gaussian = compiled(_gaussian)
