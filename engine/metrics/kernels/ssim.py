"""SSIM of one frame in one pass: window sums are updated row by row and never stored as images.

Four window means are enough, x, y, x^2 + y^2 and xy, because SSIM holds nothing but the sum of the two variances. Images are
float32, sums double: in single precision a running sum keeps the rounding of bright rows after they have left the window.
Both functions return the sum over windows of SSIM times ``weights`` (y - size + 1, x - size + 1).
"""

from __future__ import annotations

import numpy as np

from engine.metrics.kernels.compiled import compiled, inlined


@inlined
def _similarity(a, b, s, p, c1, c2, scale):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    ab = a * b
    aabb = a * a + b * b
    return (ab + ab + c1) * (scale * (p - ab + p - ab) + c2) / ((aabb + c1) * (scale * (s - aabb) + c2))


# One loop for each array that is written: more of them in one loop are not vectorised, for fear that they overlap.


@inlined
def _add(a, b, s, p, x, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for j in range(x.size):
        a[j] += x[j]
    for j in range(x.size):
        b[j] += y[j]
    for j in range(x.size):
        s[j] += np.float64(x[j]) * x[j] + np.float64(y[j]) * y[j]
    for j in range(x.size):
        p[j] += np.float64(x[j]) * y[j]


@inlined
def _remove(a, b, s, p, x, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for j in range(x.size):
        a[j] -= x[j]
    for j in range(x.size):
        b[j] -= y[j]
    for j in range(x.size):
        s[j] -= np.float64(x[j]) * x[j] + np.float64(y[j]) * y[j]
    for j in range(x.size):
        p[j] -= np.float64(x[j]) * y[j]


@inlined
def _pairs(single, double):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for j in range(single.size - 1):
        double[j] = single[j] + single[j + 1]


def _uniform(x, y, weights, c1, c2):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width = x.shape
    n, scale = 1.0 / 49.0, 49.0 / 48.0
    a = np.zeros(width, np.float64)
    b = np.zeros(width, np.float64)
    s = np.zeros(width, np.float64)
    p = np.zeros(width, np.float64)
    a2 = np.empty(width, np.float64)
    b2 = np.empty(width, np.float64)
    s2 = np.empty(width, np.float64)
    p2 = np.empty(width, np.float64)
    total = 0.0
    for row in range(height):
        _add(a, b, s, p, x[row], y[row])
        if row < 6:
            continue
        # Widths of 7 = 2 + 2 + 2 + 1.
        _pairs(a, a2)
        _pairs(b, b2)
        _pairs(s, s2)
        _pairs(p, p2)
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
def _fold(images, first, taps, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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
def _along(row, taps, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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


def _gaussian(x, y, weights, taps, c1, c2):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width = x.shape
    a = np.empty(width, np.float64)
    b = np.empty(width, np.float64)
    s = np.empty(width, np.float64)
    p = np.empty(width, np.float64)
    a2 = np.empty(width, np.float64)
    b2 = np.empty(width, np.float64)
    s2 = np.empty(width, np.float64)
    p2 = np.empty(width, np.float64)
    wide_x = x.astype(np.float64)
    wide_y = y.astype(np.float64)
    squares = np.empty((height, width))
    product = np.empty((height, width))
    for row in range(height):
        for j in range(width):
            squares[row, j] = wide_x[row, j] * wide_x[row, j] + wide_y[row, j] * wide_y[row, j]
        for j in range(width):
            product[row, j] = wide_x[row, j] * wide_y[row, j]
    total = 0.0
    for row in range(height - 10):
        _fold(wide_x, row, taps, a)
        _fold(wide_y, row, taps, b)
        _fold(squares, row, taps, s)
        _fold(product, row, taps, p)
        _along(a, taps, a2)
        _along(b, taps, b2)
        _along(s, taps, s2)
        _along(p, taps, p2)
        weight = weights[row]
        for j in range(width - 10):
            total += _similarity(a2[j], b2[j], s2[j], p2[j], c1, c2, 1.0) * weight[j]
    return total


uniform = compiled(_uniform)
gaussian = compiled(_gaussian)
