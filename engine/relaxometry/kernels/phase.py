"""The exact fit of complex samples with one unknown phase for each pixel, compiled.

With w the inner products of the samples with the orthonormal basis (unit exponential, and unit constant with an offset), the
energy explained at the best phase is ``(|w|^2 + |w . w|) / 2``, and that phase is half the angle of ``w . w``. Newton's steps are
taken on the samples turned by the phase that is best at their tau, with the phase eliminated from Newton's equations.
"""

from __future__ import annotations

import numpy as np

from engine.metrics.kernels.compiled import Array, compiled, inlined
from engine.relaxometry import signal
from engine.relaxometry.kernels.exponential import exp_minus
from engine.relaxometry.kernels.real import GRID, UGRID, code_of
from engine.relaxometry.kernels.tile import (
    BLOCK,
    CONVERGED,
    DD,
    ED,
    EE,
    EH,
    INV,
    ONE,
    ROWS,
    SIZE,
    STEP,
    STEPS,
    SY,
    TILE,
    TILE2,
    TWO,
    YD,
    YE,
    YH,
    YY,
    ZERO,
    D,
    E,
    H,
    I,
    U,
    amplitudes,
    covariances,
    curvature,
    cut,
    gauss_newton,
    largest_step,
    slope,
    terms,
)

# Rows of the imaginary part, behind those of the real one: sums, then the phase; samples come last.
ZE, ZD, ZH, SZ, RE, RD, RH, SR, COS, SIN, X = (I(SIZE * row) for row in range(ROWS, ROWS + 11))
MORE = 10
"""Rows between those of the tile and the samples."""

phase_coupling = inlined(signal.phase_coupling)


@inlined
def _explore(x: Array, q: Array, re: Array, im: Array, mean: Array, best: Array, padded: int, imaginary: int) -> None:
    half = np.float32(0.5)
    for j in range(TILE):
        best[j] = 0
    for g in range(UGRID):
        for j in range(TILE):
            re[j] = np.float32(0.0)
            im[j] = np.float32(0.0)
        for i in range(ZERO, padded, BLOCK):
            q0, q1, q2 = q[g, i], q[g, i + ONE], q[g, i + TWO]
            a, b = i * TILE, imaginary + i * TILE
            for j in range(TILE):
                re[j] += q0 * x[a + j] + q1 * x[a + TILE + j] + q2 * x[a + TILE2 + j]
            for j in range(TILE):
                im[j] += q0 * x[b + j] + q1 * x[b + TILE + j] + q2 * x[b + TILE2 + j]
        for j in range(TILE):
            a, b = re[j], im[j]
            c, d = mean[j], mean[TILE + j]
            square_re = a * a - b * b + c * c - d * d
            square_im = a * b + a * b + c * d + c * d
            energy = a * a + b * b + c * c + d * d
            energy = half * (energy + np.float32(np.sqrt(square_re * square_re + square_im * square_im)))
            best[j] = max(best[j], code_of(energy, g))


@inlined
def _sums(w: Array, t: Array, padded: int) -> None:
    """Put the sums at u into their rows: those of the real parts in R, of the imaginary ones in Z."""
    for j in range(TILE):
        w[INV + j] = exp_minus(w[U + j])
    for j in range(E, SY):
        w[j] = 0.0
    for j in range(ZE, SZ):
        w[j] = 0.0
    for j in range(RE, SR):
        w[j] = 0.0
    imaginary = padded * TILE
    for i in range(ZERO, padded, BLOCK):
        t0, t1, t2 = t[i], t[i + ONE], t[i + TWO]
        a = X + i * TILE
        b = a + imaginary
        for j in range(TILE):
            inv = w[INV + j]
            e0, d0, h0 = terms(t0, inv)
            e1, d1, h1 = terms(t1, inv)
            e2, d2, h2 = terms(t2, inv)
            x0, x1, x2 = w[a + j], w[a + TILE + j], w[a + TILE2 + j]
            z0, z1, z2 = w[b + j], w[b + TILE + j], w[b + TILE2 + j]
            w[E + j] += e0 + e1 + e2
            w[D + j] += d0 + d1 + d2
            w[H + j] += h0 + h1 + h2
            w[EE + j] += e0 * e0 + e1 * e1 + e2 * e2
            w[ED + j] += e0 * d0 + e1 * d1 + e2 * d2
            w[DD + j] += d0 * d0 + d1 * d1 + d2 * d2
            w[EH + j] += e0 * h0 + e1 * h1 + e2 * h2
            w[RE + j] += e0 * x0 + e1 * x1 + e2 * x2
            w[RD + j] += d0 * x0 + d1 * x1 + d2 * x2
            w[RH + j] += h0 * x0 + h1 * x1 + h2 * x2
            w[ZE + j] += e0 * z0 + e1 * z1 + e2 * z2
            w[ZD + j] += d0 * z0 + d1 * z1 + d2 * z2
            w[ZH + j] += h0 * z0 + h1 * z1 + h2 * z2


@inlined
def _turn(w: Array, part: float) -> None:
    """Find the phase for the sums at hand, and put those of the turned samples where the tile's Newton step looks for them."""
    for j in range(TILE):
        e = w[E + j]
        n = w[EE + j] - part * e * e
        a = w[RE + j] - part * e * w[SR + j]
        b = w[ZE + j] - part * e * w[SZ + j]
        c, d = w[SR + j], w[SZ + j]
        square_re = (a * a - b * b) / n + part * (c * c - d * d)
        square_im = 2.0 * (a * b / n + part * c * d)
        length = np.sqrt(square_re * square_re + square_im * square_im)
        ratio = square_re / length if length > 0.0 else 1.0
        cos = np.sqrt(max(0.5 + 0.5 * ratio, 0.0))
        sin = np.sqrt(max(0.5 - 0.5 * ratio, 0.0))
        sin = -sin if square_im < 0.0 else sin
        w[COS + j] = cos
        w[SIN + j] = sin
        w[YE + j] = cos * w[RE + j] + sin * w[ZE + j]
        w[YD + j] = cos * w[RD + j] + sin * w[ZD + j]
        w[YH + j] = cos * w[RH + j] + sin * w[ZH + j]
        w[SY + j] = cos * c + sin * d


@inlined
def _advance(w: Array, part: float, low: float, high: float) -> None:
    """Move u as :func:`engine.relaxometry.kernels.tile.advance` does, with the phase free."""
    for j in range(TILE):
        e, d, h, y = w[E + j], w[D + j], w[H + j], w[SY + j]
        cos, sin = w[COS + j], w[SIN + j]
        v = cos * w[SZ + j] - sin * w[SR + j]
        n = w[EE + j] - part * e * e
        p = w[ED + j] - part * e * d
        m = w[DD + j] - part * d * d
        s = w[EH + j] - part * e * h
        f = w[YE + j] - part * e * y
        f1 = w[YD + j] - part * d * y
        f2 = w[YH + j] - part * h * y
        g = cos * w[ZE + j] - sin * w[RE + j] - part * e * v
        g1 = cos * w[ZD + j] - sin * w[RD + j] - part * d * v
        bend = curvature(n, p, m, s, f, f1, f2) - phase_coupling(n, p, f, f1, g, g1, part * (v * v - y * y))
        newton = -slope(n, p, f, f1) / bend
        other = gauss_newton(n, p, m, f, f1)
        step = cut(w[U + j], newton if bend < 0.0 else other, low, high)
        w[STEP + j] = step
        w[U + j] += step


@inlined
def _totals(w: Array, padded: int) -> None:
    for j in range(TILE):
        w[SR + j] = 0.0
        w[SZ + j] = 0.0
        w[YY + j] = 0.0
    imaginary = padded * TILE
    for i in range(padded):
        a = X + i * TILE
        b = a + imaginary
        for j in range(TILE):
            x, z = w[a + j], w[b + j]
            w[SR + j] += x
            w[SZ + j] += z
            w[YY + j] += x * x + z * z


@inlined
def _emit(w: Array, start: int, filled: int, out: Array, count: float, part: float) -> None:
    for j in range(I(filled)):
        i, energy = start + j, w[YY + j]
        c0, c1, explained = amplitudes(w, j, part)
        out[0, i], out[1, i], out[2, i] = c0, c1, w[U + j]
        out[3, i] = max(energy - part * w[SY + j] * w[SY + j] - explained, 0.0)
        out[4, i] = energy - (w[SR + j] * w[SR + j] + w[SZ + j] * w[SZ + j]) / count
        out[5, i] = np.arctan2(w[SIN + j], w[COS + j])
        cov = covariances(w, j, count, part, c1)
        for r in range(6):
            out[6 + r, i] = cov[r]


def _fit(
    samples: Array, scale: float, t: Array, q: Array, u0: float, du: float, offset: bool, first: int, last: int, out: Array
) -> None:
    count, padded = I(samples.shape[0]), I(t.size)
    number = np.float64(count)
    part = 1.0 / number if offset else 0.0
    root = np.float32(np.sqrt(part))
    factor = np.float32(scale)
    imaginary = padded * TILE
    w = np.zeros((I(ROWS + MORE) + padded + padded) * TILE, np.float64)
    x = np.zeros(I(2) * imaginary, np.float32)
    re, im = np.empty(SIZE, np.float32), np.empty(SIZE, np.float32)
    mean = np.empty(2 * SIZE, np.float32)
    best = np.empty(SIZE, np.int32)
    for start in range(first, last, SIZE):
        filled = min(SIZE, last - start)
        for i in range(count):
            row = samples[i, start : start + filled]
            for j in range(row.size):
                x[i * TILE + I(j)] = factor * row[j].real
                x[imaginary + i * TILE + I(j)] = factor * row[j].imag
        for j in range(I(2) * imaginary):
            w[X + j] = x[j]
        _totals(w, padded)
        for j in range(TILE):
            mean[j] = root * np.float32(w[SR + j])
            mean[TILE + j] = root * np.float32(w[SZ + j])
        _explore(x, q, re, im, mean, best, padded, imaginary)
        for j in range(TILE):
            g = best[j] & (GRID - 1)
            w[U + j] = u0 + du * g
        for _ in range(STEPS):
            _sums(w, t, padded)
            _turn(w, part)
            _advance(w, part, u0, u0 + du * (GRID - 1))
            if largest_step(w) < CONVERGED:
                break
        _emit(w, start, filled, out, number, part)


fit = compiled(_fit)
