"""Which arithmetic a fit is done with: the compiled kernels on the CPU where numba is there, torch otherwise and on CUDA."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.relaxometry.contract import SignalModel
from engine.relaxometry.dictionary import dictionary, grid, margin
from engine.relaxometry.polarity import orient
from engine.relaxometry.solution import Solution
from engine.relaxometry.times import distinct

# A thread more is worth its start only for this many pixels.
PIXELS_A_THREAD = 32_768


def solve(samples: NDArray[Any], times_ms: NDArray[np.float64], model: SignalModel, mode: str, device: str) -> Solution:
    """Return the least-squares fit of samples (sample, pixel) in ascending order of time, as NumPy arrays (pixel,).

    Where only the magnitude or the phase is open, the solution has the sign of a recovery (B > 0) or of a decay (A > 0).
    """
    if cuda(device) is None and (found := _by_kernels(samples, times_ms, model, mode)) is not None:
        return orient(found, model, mode, len(samples))
    import torch

    values = torch.from_numpy(np.ascontiguousarray(samples)).to(cuda(device) or "cpu")
    return solve_on(values, times_ms, model, mode).map(lambda tensor: tensor.cpu().numpy())


def solve_on(samples: Any, times_ms: NDArray[np.float64], model: SignalModel, mode: str) -> Solution:
    """Return the fit of a torch tensor (sample, pixel), computed where it is, as tensors in double precision."""
    from engine.relaxometry import varpro

    scale = _scale(float(samples.abs().max()) if samples.numel() else 0.0)
    found = varpro.solve(samples * scale, times_ms, model, mode)
    return orient(_unscaled(found, scale), model, mode, len(samples))


def cuda(name: str) -> Any:
    """Return the torch device when ``name`` means CUDA, None for the CPU; Apple's GPU knows no double precision."""
    if name == "cpu":
        return None
    from engine.core.device import choose

    place = choose(name)
    return place if place.type == "cuda" else None


def _scale(peak: float) -> float:
    """Return a power of two that brings ``peak`` near 1: it changes no digit, and squares stay in single precision's range."""
    return 2.0 ** -math.frexp(peak)[1] if 0 < peak < math.inf else 1.0


def _unscaled(found: Solution, scale: float) -> Solution:
    """Return the solution of samples that were multiplied by ``scale``, in units of the samples; changed in place."""
    if scale == 1.0:
        return found
    # Covariances are those for noise of variance 1: amplitudes do not know of their size, the variance of u falls with its square.
    _, _, var_u, _, cov_0u, cov_1u = found.cov
    changes = ((found.c0, -1), (found.c1, -1), (found.rss, -2), (found.spread, -2), (var_u, 2), (cov_0u, 1), (cov_1u, 1))
    for array, power in changes:
        array *= scale**power
    return found


def kernels() -> ModuleType | None:
    """Return the compiled kernels, or None without numba."""
    try:
        from engine.relaxometry.kernels import entry
    except ImportError:
        return None
    return entry


def threads(pixels: int) -> int:
    """Return how many threads fit ``pixels``: one core is left to the window."""
    return max(1, min((os.cpu_count() or 2) - 1, pixels // PIXELS_A_THREAD))


def _by_kernels(samples: NDArray[Any], times_ms: NDArray[np.float64], model: SignalModel, mode: str) -> Solution | None:
    """Fit with the compiled kernels; None where they do not serve."""
    polar = mode == "magnitude" and model.inverts
    compiled = kernels()
    count, pixels = samples.shape
    if compiled is None or count > compiled.MOST_SAMPLES or (polar and distinct(times_ms) == model.unknowns):
        return None
    values = np.ascontiguousarray(samples)
    parts = values.view(np.float32)  # real and imaginary parts of complex ones: no more is needed of the largest
    scale = _scale(max(float(parts.max(initial=0.0)), -float(parts.min(initial=0.0))))
    u = grid(model, compiled.GRID)
    units, least = dictionary(model, times_ms, u), margin(model, times_ms, u)
    problem = compiled.prepared(values, scale, times_ms, u, units, model.offset, polar, least)
    _in_parts(lambda begin, end: compiled.fit(problem, begin, end), pixels)
    c0, c1, log_tau, rss, spread, phase = problem.out[:6, :pixels]
    found = Solution(
        c0=c0,
        c1=c1,
        tau=np.exp(log_tau),
        rss=rss,
        spread=spread,
        polarity=problem.negatives,
        phase=phase,
        edge=(log_tau <= u[0] + 1e-6) | (log_tau >= u[-1] - 1e-6),
        cov=tuple(problem.out[6:, :pixels]),
    )
    return _unscaled(found, scale)


def _in_parts(work: Callable[[int, int], None], pixels: int) -> None:
    count = threads(pixels)
    if count == 1:
        work(0, pixels)
        return
    bounds = [pixels * i // count for i in range(count + 1)]
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(work, a, b) for a, b in itertools.pairwise(bounds)]:
            done.result()
