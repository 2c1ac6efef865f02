"""T1 and T2 maps: ours against SciPy pixel by pixel, a dictionary match, and mrpro where it is installed.

The problem is that of a MOLLI series 4(1)3(1)2 at RR 900 ms (T1 250 to 2300 ms, B / A 1.75 to 1.97, SNR 20 to 50, Rician noise)
and of a T2 preparation; 65 536 pixels, a map of 256 x 256. The slow ones fit fewer pixels and are scaled. Quality is the root mean
square of the error over the Cramer-Rao bound of signed samples (1 is efficient), and the share of errors above 30 %.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.bench.contract import BENCHES, BenchSpec, seconds
from engine.bench.reconstruction_peers import module
from engine.core.jobs import Reporter
from engine.core.maps import FitRequest
from engine.core.records.machine import BenchResult
from engine.relaxometry import fit, solve
from engine.relaxometry.contract import MODELS
from engine.relaxometry.uncertainty import covariance, variances

SIDE = 256
TIMES_T1 = np.array([120.0, 200.0, 280.0, 1020.0, 1100.0, 1180.0, 1920.0, 2000.0, 2820.0])
TIMES_T2 = {"3 TE": np.array([0.0, 35.0, 55.0]), "9 TE": np.linspace(0.0, 80.0, 9)}
RANGE_T1_MS, RATIO, SNR = (250.0, 2300.0), (1.75, 1.97), (20.0, 50.0)
RANGE_T2_MS = (30.0, 120.0)
ENTRIES_T1, ENTRIES_T2 = 700, 300
FAILURE = 0.3
START_MS, START_T2_MS = 1000.0, 50.0
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Magnitudes float32 (sample, pixel), times (sample,), the true time and its Cramer-Rao bound (pixel,), all in ms."""

    samples: NDArray[np.float32]
    times: Array
    truth: Array
    bound: Array

    def quality(self, found: Array) -> str:
        """Return how good estimates of the first pixels are."""
        error = found - self.truth[: found.size]
        z = np.sqrt(np.mean((error / self.bound[: found.size]) ** 2))
        fails = np.mean(np.abs(error) > FAILURE * self.truth[: found.size])
        return f"rms z {z:.3f}, fail {100 * fails:.3g} %"


def molli(pixels: int) -> Problem:
    """Return the MOLLI problem."""
    rng = np.random.default_rng(20261121)
    t1, ratio, snr = (rng.uniform(*limits, pixels) for limits in (RANGE_T1_MS, RATIO, SNR))
    tau = t1 / (ratio - 1.0)
    return _problem(rng, "molli3", TIMES_T1, (np.ones(pixels), -ratio, tau), t1, snr)


def t2prep(pixels: int, times: Array) -> Problem:
    """Return the T2 problem."""
    rng = np.random.default_rng(20261122)
    t2, snr = rng.uniform(*RANGE_T2_MS, pixels), rng.uniform(*SNR, pixels)
    return _problem(rng, "t2prep2", times, (np.zeros(pixels), np.ones(pixels), t2), t2, snr)


def _problem(
    rng: np.random.Generator, name: str, times: Array, truth: tuple[Array, Array, Array], asked: Array, snr: Array
) -> Problem:
    model, (c0, c1, tau) = MODELS.get(name), truth
    x = times[:, None] / tau
    e = np.exp(-x)
    d = x * e
    signal = c0 + c1 * e
    noise = (rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape)) / snr
    mean_e, mean_d = (e.mean(0), d.mean(0)) if model.offset else (0.0, 0.0)
    e, d = e - mean_e, d - mean_d
    cov = covariance(float(len(times)), mean_e, mean_d, (e * e).sum(0), (e * d).sum(0), (d * d).sum(0), c1)
    bound = np.sqrt(variances(model, c0, c1, tau, cov, 1.0)[model.parameters[0]]) / snr
    return Problem(np.abs(signal + noise).astype(np.float32), times, asked, bound)


# --- ours --------------------------------------------------------------------------------------------------------------


def _ours(problem: Problem, name: str) -> Array:
    model = MODELS.get(name)
    found = solve.solve(problem.samples, problem.times, model, "magnitude", "cpu")
    return np.asarray(found.tau * (-found.c1 / found.c0 - 1.0) if model.look_locker else found.tau)


def _whole_map(problem: Problem, name: str) -> Array:
    """Return a map with all that comes with it: the call behind the button."""
    images = problem.samples.reshape(1, len(problem.times), -1, min(SIDE, problem.truth.size))
    maps = fit.fit_maps(images, FitRequest(name, device="cpu"), times_ms=problem.times)
    return np.asarray(maps.main.values.reshape(-1), np.float64)


def _by_torch(problem: Problem, name: str) -> Array:
    import torch

    found = solve.solve_on(torch.from_numpy(problem.samples), problem.times, MODELS.get(name), "magnitude")
    tau = found.tau * (-found.c1 / found.c0 - 1.0) if MODELS.get(name).look_locker else found.tau
    return np.asarray(tau.numpy())


# --- others -------------------------------------------------------------------------------------------------------------


def _curve_fit(signal: Callable[..., Array], times: Array, samples: Array, start: tuple[float, ...]) -> tuple[float, ...] | None:
    """Return the parameters that SciPy finds, None where it gives up."""
    from scipy.optimize import OptimizeWarning, curve_fit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # of a covariance that nobody asked for
        try:
            return tuple(float(p) for p in curve_fit(signal, times, samples, p0=start, maxfev=2000)[0])
        except RuntimeError:
            return None


def scipy_one_start(problem: Problem, pixels: int) -> Array:
    """Return T1 of magnitudes by ``curve_fit`` of ``|A - B exp(-t / T1*)|`` from one start, pixel by pixel; 0 where it gives up."""
    found = np.zeros(pixels)
    for i, y in enumerate(problem.samples[:, :pixels].T.astype(np.float64)):
        fitted = _curve_fit(_magnitude, problem.times, y, (y.max(), 1.9 * y.max(), START_MS))
        if fitted is not None:
            a, b, tau = fitted
            found[i] = tau * (b / a - 1.0)
    return found


def scipy_all_polarities(problem: Problem, pixels: int) -> Array:
    """Return T1 by ``curve_fit`` of ``A - B exp(-t / T1*)`` for each polarity, the one of the least residual kept."""
    found, order = np.zeros(pixels), np.arange(len(problem.times))
    for i, y in enumerate(problem.samples[:, :pixels].T.astype(np.float64)):
        best = np.inf
        for k in order:
            signed = np.where(order < k, -y, y)
            fitted = _curve_fit(_recovery, problem.times, signed, (y.max(), 1.9 * y.max(), START_MS))
            if fitted is None:
                continue
            a, b, tau = fitted
            rss = float(np.sum((_recovery(problem.times, a, b, tau) - signed) ** 2))
            if rss < best and 0.0 < a < b:
                best, found[i] = rss, tau * (b / a - 1.0)
    return found


def _recovery(t: Array, a: float, b: float, tau: float) -> Array:
    with np.errstate(all="ignore"):
        value: Array = np.nan_to_num(a - b * np.exp(-t / tau), nan=1e9, posinf=1e9, neginf=-1e9)
    return value


def _magnitude(t: Array, a: float, b: float, tau: float) -> Array:
    return np.abs(_recovery(t, a, b, tau))


def scipy_t2(problem: Problem, pixels: int) -> Array:
    """Return T2 by ``curve_fit`` pixel by pixel; 0 where it gives up."""
    found = np.zeros(pixels)
    for i, y in enumerate(problem.samples[:, :pixels].T.astype(np.float64)):
        fitted = _curve_fit(lambda t, a, tau: a * np.exp(-t / tau), problem.times, y, (y.max(), START_T2_MS))
        if fitted is not None:
            found[i] = fitted[1]
    return found


def dictionary_match(problem: Problem, recovery: bool) -> Array:
    """Return the time of the dictionary's entry that fits best: magnitudes of one B / A, the middle of the range."""
    times = np.geomspace(100.0, 3500.0, ENTRIES_T1) if recovery else np.geomspace(10.0, 400.0, ENTRIES_T2)
    ratio = 0.5 * sum(RATIO)
    entries = (
        np.abs(1.0 - ratio * np.exp(-problem.times * (ratio - 1.0) / times[:, None]))
        if recovery
        else np.exp(-problem.times / times[:, None])
    )
    entries = (entries / np.linalg.norm(entries, axis=1, keepdims=True)).astype(np.float32)
    found = [times[np.argmax(entries @ part, axis=0)] for part in np.array_split(problem.samples, 16, axis=1)]
    return np.concatenate(found)


def mrpro_fit(problem: Problem, recovery: bool, iterations: int) -> Array | None:
    """Return the time by mrpro: a dictionary of its signal model, then L-BFGS on all pixels at once; None when it is not there.

    Its dictionary takes c = B / A - 1 from 0.7 to 1, which is what the problem has: more than a fit knows.
    """
    operators, functionals = module("mrpro.operators"), module("mrpro.operators.functionals")
    optimizers = module("mrpro.algorithms.optimizers")
    if operators is None or functionals is None or optimizers is None:
        return None
    import torch

    times, samples = torch.as_tensor(1e-3 * problem.times, dtype=torch.float32), torch.from_numpy(problem.samples)
    one = torch.ones(1)
    entries: tuple[torch.Tensor, ...]
    if recovery:
        model = operators.MagnitudeOp() @ operators.models.MOLLI(times)
        t1 = torch.logspace(-1.0, 0.544, ENTRIES_T1 // 10)
        entries = (one, torch.linspace(0.7, 1.0, 10)[:, None], t1)
    else:
        model = operators.models.MonoExponentialDecay(decay_time=times)
        entries = (one, torch.logspace(-2.0, -0.4, ENTRIES_T2))
    match = operators.DictionaryMatchOp(model, index_of_scaling_parameter=0).append(*entries)
    start = tuple(value.clone() for value in match(samples))
    if iterations:
        start = optimizers.lbfgs(functionals.L2NormSquared(target=samples) @ model, start, max_iterations=iterations)
    return 1e3 * np.asarray(start[-1].detach().numpy(), np.float64)


# --- the table ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Other:
    """Another way: its name, how many pixels it fits, and the work."""

    name: str
    pixels: int
    work: Callable[[], Array | None]


def run(quick: bool, report: Reporter) -> Iterator[BenchResult]:
    """Yield one line for each other way to a T1 and a T2 map of 256 x 256 (quick: 64 x 64)."""
    pixels = (64 if quick else SIDE) ** 2
    cases: list[tuple[str, str, Problem]] = [("T1, MOLLI 4(1)3(1)2", "molli3", molli(pixels))]
    cases += [(f"T2, {name}", "t2prep2", t2prep(pixels, times)) for name, times in TIMES_T2.items()]
    for done, (title, name, problem) in enumerate(cases):
        report.step(done, len(cases), title)
        _ours(problem, name)  # compiles, or loads what was compiled before
        ours_s, ours = seconds(partial(_ours, problem, name), 7)
        for other in _others(problem, name, quick):
            report.step(done, len(cases), f"{title}: {other.name}")
            spent, found = seconds(other.work, 1 if other.pixels < pixels else 2)
            if found is None:
                continue
            scaled = spent * pixels / other.pixels
            yield BenchResult(
                benchmark="relaxometry",
                case=f"{title}, {pixels} pixels",
                ours_s=ours_s,
                other=other.name,
                other_s=scaled,
                ratio=scaled / ours_s,
                quality_ours=f"{pixels / ours_s / 1e6:.2f} Mpx/s, {problem.quality(ours)}",
                quality_other=f"{other.pixels / spent / 1e6:.3g} Mpx/s, {problem.quality(found)}",
                difference=f"median {np.median(np.abs(found - ours[: found.size])):.2g} ms",
            )


def _others(problem: Problem, name: str, quick: bool) -> Iterator[_Other]:
    pixels = problem.truth.size
    share = 8 if quick else 1
    recovery = MODELS.get(name).look_locker
    yield _Other("ours, the whole call: maps with deviations, R2, residual", pixels, lambda: _whole_map(problem, name))
    yield _Other("our torch form (without numba)", pixels, lambda: _by_torch(problem, name))
    if recovery:
        one, every = 400 // share, 160 // share
        yield _Other("scipy curve_fit, magnitude, one start", one, lambda: scipy_one_start(problem, one))
        yield _Other("scipy curve_fit, all polarities", every, lambda: scipy_all_polarities(problem, every))
    else:
        some = 600 // share
        yield _Other("scipy curve_fit", some, lambda: scipy_t2(problem, some))
    entries = ENTRIES_T1 if recovery else ENTRIES_T2
    yield _Other(f"dictionary match, {entries} entries", pixels, lambda: dictionary_match(problem, recovery))
    yield _Other("mrpro dictionary", pixels, lambda: mrpro_fit(problem, recovery, 0))
    yield _Other("mrpro dictionary + L-BFGS 100", pixels, lambda: mrpro_fit(problem, recovery, 100))


BENCHES.register("relaxometry", BenchSpec("relaxometry", "T1 and T2 maps", run))
