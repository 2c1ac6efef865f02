"""The two solvers against each other and against SciPy: the compiled kernels, and torch with every polarity refined."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from engine.relaxometry import solve as module
from engine.relaxometry import varpro
from engine.relaxometry.contract import MODELS
from engine.relaxometry.polarity import orient
from engine.relaxometry.solve import kernels, solve, threads
from tests.engine.relaxometry.problems import SCHEMES, decay, recovery

FIELDS = ("c0", "c1", "tau", "rss", "spread")
CASES = [("molli3", "magnitude"), ("molli3", "signed"), ("molli3", "complex"), ("ir3", "magnitude")]
CASES += [(model, mode) for model in ("t2prep2", "t2prep3") for mode in ("magnitude", "signed", "complex")]


def noisy(rng, model, mode, pixels=1537):
    """Return samples (sample, pixel) in ascending order of time, and the times."""
    if MODELS.get(model).quantity == "T1":
        times = np.sort(SCHEMES["4(1)3(1)2"])
        signal = 300.0 * recovery(times, rng.uniform(150, 2500, pixels), rng.uniform(1.7, 2.5, pixels))
    else:
        times = np.array([0.0, 12.0, 25.0, 35.0, 55.0, 80.0, 110.0])
        signal = 300.0 * decay(times, rng.uniform(20, 150, pixels)) + (30.0 if model == "t2prep3" else 0.0)
    noise = 9.0 * (rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape))
    if mode == "signed":
        return (signal + noise.real).astype(np.float32), times
    turned = (signal + noise) * np.exp(1j * rng.uniform(-np.pi, np.pi, pixels))
    return (np.abs(turned).astype(np.float32) if mode == "magnitude" else turned.astype(np.complex64)), times


def by_torch(samples, times, model, mode, margin=None):
    found = varpro.solve(torch.from_numpy(samples) / 512.0, times, MODELS.get(model), mode, margin)
    found = orient(found.map(lambda t: t.numpy()), MODELS.get(model), mode, len(samples))
    return module._unscaled(found, 1.0 / 512.0)


@pytest.mark.parametrize(("model", "mode"), CASES)
def test_kernels_agree_with_torch_where_every_polarity_is_refined(rng, model, mode):
    assert kernels() is not None
    samples, times = noisy(rng, model, mode)
    ours, oracle = solve(samples, times, MODELS.get(model), mode, "cpu"), by_torch(samples, times, model, mode, margin=0.0)
    assert np.array_equal(ours.edge, oracle.edge)
    assert np.allclose(ours.rss, oracle.rss, rtol=1e-7)
    # where the samples hardly tell tau, its optimum is flat
    inner = ~oracle.edge & (np.sqrt(oracle.cov[2] * oracle.rss / len(times)) < 0.5)
    assert inner.mean() > 0.7
    for name in FIELDS:
        assert np.allclose(getattr(ours, name)[inner], getattr(oracle, name)[inner], rtol=1e-8, atol=1e-8), name
    for number in range(6) if MODELS.get(model).offset else (1, 2, 5):  # without an offset c0 has none
        assert np.allclose(ours.cov[number][inner], oracle.cov[number][inner], rtol=1e-4, atol=1e-12)
    assert np.array_equal(ours.polarity[inner], oracle.polarity[inner])
    assert np.allclose(np.exp(1j * ours.phase[inner]), np.exp(1j * oracle.phase[inner]), atol=1e-6)


def test_margin_loses_no_polarity(rng):
    samples, times = noisy(rng, "molli3", "magnitude", 4096)
    quick, all_of_them = (by_torch(samples, times, "molli3", "magnitude", m).rss for m in (None, 0.0))
    assert np.all(quick <= all_of_them * (1 + 1e-9))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["magnitude", "signed"])
def test_no_other_optimizer_finds_a_smaller_residual(rng, mode):
    """SciPy from many starts, for every polarity: the least residual of all possible inversion recoveries is ours."""
    samples, times = noisy(rng, "molli3", mode, 5)
    found = solve(samples, times, MODELS.get("molli3"), mode, "cpu")
    for pixel, y in enumerate(samples.T.astype(float)):
        best = np.inf
        for k in range(len(times) if mode == "magnitude" else 1):
            signed = np.where(np.arange(len(times)) < k, -y, y)
            for start in (150.0, 500.0, 1200.0, 3000.0):
                fit = least_squares(
                    lambda p, s=signed: p[0] - p[1] * np.exp(-times / np.exp(np.clip(p[2], 0, 12))) - s,
                    (300.0, 600.0, np.log(start)),
                )
                a, b, u = fit.x
                if 0 < a < b and 20 < np.exp(u) < 10_000:
                    best = min(best, 2.0 * fit.cost)
        assert found.rss[pixel] <= best * (1 + 1e-6)


def test_complex_fit_is_the_joint_optimum(rng):
    samples, times = noisy(rng, "molli3", "complex", 10)
    found = solve(samples, times, MODELS.get("molli3"), "complex", "cpu")
    for pixel, z in enumerate(samples.T.astype(complex)):

        def residual(p, z=z):
            r = (p[0] - p[1] * np.exp(-times / np.exp(p[2]))) * np.exp(1j * p[3]) - z
            return np.concatenate([r.real, r.imag])

        start = (found.c0[pixel], -found.c1[pixel], np.log(found.tau[pixel]), found.phase[pixel])
        other = least_squares(residual, start, x_scale=(100, 100, 0.1, 0.1), xtol=1e-14, ftol=1e-14, gtol=1e-14)
        assert found.rss[pixel] == pytest.approx(2 * other.cost, rel=1e-7)
        assert np.log(found.tau[pixel]) == pytest.approx(other.x[2], abs=1e-5)


@pytest.mark.parametrize("scale", [1e-20, 1e-6, 1e15])
def test_any_scale_of_the_images_gives_the_same_times(rng, scale):
    samples, times = noisy(rng, "molli3", "magnitude", 300)
    one = solve(samples, times, MODELS.get("molli3"), "magnitude", "cpu")
    other = solve((samples * scale).astype(np.float32), times, MODELS.get("molli3"), "magnitude", "cpu")
    assert np.allclose(one.tau, other.tau, rtol=1e-4)
    assert np.allclose(one.c0 * scale, other.c0, rtol=1e-4)
    assert np.allclose(one.cov[2], other.cov[2] * scale**2, rtol=1e-3)


def test_without_numba_torch_serves(rng, monkeypatch):
    samples, times = noisy(rng, "molli3", "magnitude", 200)
    compiled = solve(samples, times, MODELS.get("molli3"), "magnitude", "cpu")
    monkeypatch.setattr(module, "kernels", lambda: None)
    plain = solve(samples, times, MODELS.get("molli3"), "magnitude", "cpu")
    assert np.allclose(compiled.tau, plain.tau, rtol=1e-6)
    assert np.array_equal(compiled.polarity, plain.polarity)


def test_parts_of_several_threads_make_the_whole(rng, monkeypatch):
    samples, times = noisy(rng, "molli3", "complex", 1000)
    one = solve(samples, times, MODELS.get("molli3"), "complex", "cpu")
    monkeypatch.setattr(module, "threads", lambda _: 3)
    several = solve(samples, times, MODELS.get("molli3"), "complex", "cpu")
    assert np.allclose(one.tau, several.tau, rtol=1e-9)


def test_one_core_is_left_to_the_window(monkeypatch):
    monkeypatch.setattr(module.os, "cpu_count", lambda: 8)
    assert threads(10_000_000) == 7
    assert threads(1000) == 1
    monkeypatch.setattr(module.os, "cpu_count", lambda: 1)
    assert threads(10_000_000) == 1


@pytest.mark.cuda
@pytest.mark.parametrize(("model", "mode"), CASES)
def test_cuda_equals_the_cpu(rng, model, mode):
    samples, times = noisy(rng, model, mode)
    here, there = (solve(samples, times, MODELS.get(model), mode, place) for place in ("cpu", "cuda:0"))
    inner = ~here.edge
    assert np.allclose(here.tau[inner], there.tau[inner], rtol=1e-6)
    assert np.array_equal(here.polarity[inner], there.polarity[inner])
