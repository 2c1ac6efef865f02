"""The compiled pieces: the exponential in plain arithmetic, padding, and the largest number of samples."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from engine.relaxometry.contract import MODELS
from engine.relaxometry.dictionary import dictionary, grid, margin
from engine.relaxometry.kernels import entry
from engine.relaxometry.kernels.exponential import exp_minus
from engine.relaxometry.solve import solve
from tests.engine.relaxometry.problems import SCHEMES, decay, recovery


@numba.njit
def _each(x, out):
    for i in range(x.size):
        out[i] = exp_minus(x[i])


def test_exponential_is_exact_to_double_precision(rng):
    x = np.concatenate(
        [[0.0, 1e-300, 1e-9, 0.5 * np.log(2), np.log(2), 690.0], rng.uniform(0, 700, 20_000), rng.uniform(0, 2, 20_000)]
    )
    out = np.empty_like(x)
    _each(x, out)
    assert np.max(np.abs(out / np.exp(-x) - 1)) < 2e-14
    far = np.array([701.0, 1e5, 1e9])
    _each(far, far_out := np.empty(3))
    assert np.all((far_out >= 0) & (far_out < 1e-300))


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7, 31])
def test_padding_changes_nothing(rng, count):
    """Numbers of samples that are, and are not, multiples of the block; a part of a tile."""
    times = np.linspace(0.0, 120.0, count)
    t2 = rng.uniform(30, 90, 71)
    found = solve(decay(times, t2).astype(np.float32), times, MODELS.get("t2prep2"), "signed", "cpu")
    assert np.allclose(found.tau, t2, rtol=1e-5)
    if count > 3:
        sharp = np.geomspace(60.0, 3500.0, count)
        t1 = rng.uniform(200, 1500, 65)
        magnitudes = np.abs(recovery(sharp, t1, np.full(65, 1.9))).astype(np.float32)
        assert np.allclose(solve(magnitudes, sharp, MODELS.get("molli3"), "magnitude", "cpu").tau, t1 / 0.9, rtol=1e-4)


def test_very_long_series_go_to_torch(rng):
    times = np.linspace(50.0, 4000.0, entry.MOST_SAMPLES + 5)
    t1 = rng.uniform(500, 1500, 4)
    signed = recovery(times, t1, np.full(4, 1.9)).astype(np.float32)
    assert np.allclose(solve(signed, times, MODELS.get("ir3"), "signed", "cpu").tau, t1 / 0.9, rtol=1e-5)


def test_no_pixels_at_all():
    found = solve(np.zeros((9, 0), np.float32), np.sort(SCHEMES["4(1)3(1)2"]), MODELS.get("molli3"), "magnitude", "cpu")
    assert found.tau.shape == (0,)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_margin_covers_what_a_signal_loses_on_the_grid(rng, scheme):
    model, times = MODELS.get("molli3"), np.sort(SCHEMES[scheme])
    u = grid(model)
    least = margin(model, times, u)
    assert 0.99 < least < 1.0
    off = rng.uniform(u[0], u[-1], 5000)
    signal = dictionary(model, times, off)
    assert np.min(np.max((signal @ dictionary(model, times, u).T) ** 2, axis=1)) > least
