"""The exact least-squares fit of all pixels at once, in torch: what runs on CUDA, where numba is missing, and as oracle.

For each tau of a logarithmic grid the energy explained by offset and exponential is a square of inner products, so that all
pixels, all tau and all polarities are one matrix product; signs are folded into the dictionary. Barral's rule (MRM 2010;64:1057),
which asks for the polarity only beside the smallest sample, is not used: with the clustered inversion times of MOLLI it fails.
The best candidates are refined by Newton's method on the log of the explained energy, in double precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.relaxometry.contract import SignalModel
from engine.relaxometry.dictionary import HIGHEST_RATIO, PENALTY, SIZE, dictionary, grid, margin
from engine.relaxometry.signal import curvature, gauss_newton, phase_coupling, slope
from engine.relaxometry.solution import NAMES, Solution
from engine.relaxometry.uncertainty import covariance

STEPS = 5
LONGEST = 0.4  # of a step in u: two of the grid's
# Largest number of dictionary responses held at once (float32).
CPU_RESPONSES, CUDA_RESPONSES = 8_000_000, 1_000_000_000
EXACT = 1e-9  # residual energy, as a share of the whole, below which a fit is exact


def solve(samples: Tensor, times_ms: NDArray[np.float64], model: SignalModel, mode: str, least: float | None = None) -> Solution:
    """Fit every pixel.

    Parameters
    ----------
    samples
        (sample, pixel) in ascending order of time: not negative for ``magnitude``, real for ``signed``, complex for ``complex``;
        the largest should be near 1.
    times_ms
        (sample,) ascending, in ms.
    model, mode
        Signal model, and what the samples are.
    least
        Polarities whose best energy on the grid is below this share of what is needed are not refined; 0 refines all. None is
        :func:`engine.relaxometry.dictionary.margin`.
    """
    polar = mode == "magnitude" and model.inverts
    share = margin(model, times_ms, grid(model)) if least is None else least
    count, pixels = samples.shape
    responses = SIZE * (count if polar else 1)
    limit = CUDA_RESPONSES if samples.device.type == "cuda" else CPU_RESPONSES
    step = max(1, limit // responses)
    parts = [_solve(samples[:, i : i + step], times_ms, model, polar, share) for i in range(0, pixels, step)]
    return _joined(parts)


def _joined(parts: list[Solution]) -> Solution:
    if len(parts) == 1:
        return parts[0]
    whole = {name: torch.cat([getattr(part, name) for part in parts]) for name in NAMES}
    return Solution(**whole, cov=tuple(torch.cat(list(c)) for c in zip(*(part.cov for part in parts), strict=True)))


def _solve(samples: Tensor, times_ms: NDArray[np.float64], model: SignalModel, polar: bool, share: float) -> Solution:
    u = grid(model)
    units = torch.as_tensor(dictionary(model, times_ms, u), device=samples.device)
    t = torch.as_tensor(times_ms, device=samples.device)[:, None]
    if samples.is_complex():
        return _refine_complex(samples.to(torch.complex128), t, model, u, _energy_complex(samples, units, model))
    if polar:
        return _solve_polar(samples, t, model, u, units, share)
    return _refine(samples.double(), t, model, u, (units.float() @ samples).square())


def _solve_polar(samples: Tensor, t: Tensor, model: SignalModel, u: NDArray[np.float64], units: Tensor, share: float) -> Solution:
    count = samples.shape[0]
    ones = torch.ones(count, count, device=samples.device, dtype=torch.float64)
    signs = 1.0 - 2.0 * torch.tril(ones, -1)  # row k: the first k are negative
    energy = _energy_polar(samples, units, signs)  # (grid, polarity, pixel)
    peaks = energy.amax(0)
    first = peaks.argmax(0)
    values = samples.double()
    best = _refine(values * signs.T[:, first], t, model, u, energy.gather(1, first.expand(u.size, 1, -1))[:, 0])
    best.polarity = first.to(torch.uint8)
    # Samples of as many times as there are unknowns: every polarity fits, but for the scatter of those of the same time (_better).
    exact = _scatter(values, t[:, 0]) if len(torch.unique(t)) == model.unknowns else None
    least = share * (values.square().sum(0) - _score(best)).clamp(min=0.0)
    for k in range(count):
        tried = ((peaks[k] >= least) | (exact is not None)) & (first != k)
        index = tried.nonzero()[:, 0]
        if index.numel() == 0:
            continue
        other = _refine(values[:, index] * signs[k][:, None], t, model, u, energy[:, k, index])
        other.polarity = torch.full_like(index, k, dtype=torch.uint8)
        chosen = _better(best.map(itemgetter(index)), other, None if exact is None else exact[index])
        for name in NAMES:
            getattr(best, name)[index] = getattr(chosen, name)
        for whole, part in zip(best.cov, chosen.cov, strict=True):
            whole[index] = part
    return best


def _energy_polar(samples: Tensor, units: Tensor, signs: Tensor) -> Tensor:
    count = samples.shape[0]
    atoms = (units[:, None, :] * signs).reshape(-1, count).float()
    energy = (atoms @ samples).square_().reshape(units.shape[0], count, -1)
    return energy.add_(((signs / math.sqrt(count)).float() @ samples).square_())


def _energy_complex(samples: Tensor, units: Tensor, model: SignalModel) -> Tensor:
    """Return the energy explained when the phase of a pixel is the best one: ``(|w|^2 + |w . w|) / 2``, w the inner products."""
    parts = torch.view_as_real(samples.to(torch.complex64))
    w = torch.complex(units.float() @ parts[..., 0], units.float() @ parts[..., 1])
    total, square = w.abs().square(), w * w
    if model.offset:
        mean = samples.to(torch.complex64).sum(0) / math.sqrt(samples.shape[0])
        total, square = total + mean.abs().square(), square + mean * mean
    return 0.5 * (total + square.abs())


def _scatter(samples: Tensor, times: Tensor) -> Tensor:
    """Return the energy (pixel,) of the differences between samples (sample, pixel) of the same time, which no curve explains."""
    _, group = torch.unique(times, return_inverse=True)
    means = torch.stack([samples[group == k].mean(0) for k in range(int(group.max()) + 1)])
    return (samples - means[group]).square().sum(0)


def _better(a: Solution, b: Solution, exact: Tensor | None) -> Solution:
    """Return pixel by pixel the solution with the smaller residual.

    Magnitudes at three times are fitted exactly, but for the energy ``exact`` that no curve explains, with more than one polarity;
    then the one whose B / A is nearest to that of an ideal inversion, 2, is taken.
    """
    take = _score(b) < _score(a)
    if exact is not None:
        fits = [s.rss - exact <= EXACT * (s.spread + s.rss) for s in (a, b)]
        far = [(-s.c1 / s.c0 - 2.0).abs().nan_to_num(nan=math.inf) for s in (a, b)]
        take = torch.where(fits[0] & fits[1], far[1] < far[0], take)
    chosen = {name: torch.where(take, getattr(b, name), getattr(a, name)) for name in NAMES}
    return Solution(**chosen, cov=tuple(torch.where(take, y, x) for x, y in zip(a.cov, b.cov, strict=True)))


def _score(found: Solution) -> Tensor:
    """Return the energy of the residual, PENALTY times of it where the answer is no inversion recovery."""
    ratio = -found.c1 / found.c0
    possible = (ratio > 1.0) & (ratio < HIGHEST_RATIO) & ~found.edge
    return torch.where(possible, found.rss, PENALTY * found.rss)


def _start(energy: Tensor, u: NDArray[np.float64]) -> Tensor:
    """Return u at the vertex of the parabola through the largest of ``energy`` (grid, pixel)."""
    grid_u = torch.as_tensor(u, device=energy.device)
    best = energy.argmax(0)
    left, right = (best - 1).clamp(min=0), (best + 1).clamp(max=u.size - 1)
    a, b, c = (energy.gather(0, i[None])[0].double() for i in (left, best, right))
    bend = a - 2.0 * b + c
    shift = torch.where(bend < 0, 0.5 * (a - c) / bend, 0.0).clamp(-1.0, 1.0)
    inner = (best > 0) & (best < u.size - 1)
    start: Tensor = grid_u[best] + torch.where(inner, shift, 0.0) * (u[1] - u[0])
    return start


@dataclass(slots=True, eq=False)
class _Sums:
    mean_e: Tensor
    mean_d: Tensor
    n: Tensor
    p: Tensor
    m: Tensor
    s: Tensor
    e: Tensor
    d: Tensor
    h: Tensor


def _sums(u: Tensor, t: Tensor, model: SignalModel) -> _Sums:
    x = t * torch.exp(-u)
    e = torch.exp(-x)
    d = x * e
    h = (x - 1.0) * d
    mean_e = mean_d = torch.zeros_like(u)
    if model.offset:
        mean_e, mean_d = e.mean(0), d.mean(0)
        e, d, h = e - mean_e, d - mean_d, h - h.mean(0)
    return _Sums(mean_e, mean_d, (e * e).sum(0), (e * d).sum(0), (d * d).sum(0), (e * h).sum(0), e, d, h)


def _advance(u: Tensor, y: Tensor, v: Tensor | None, sums: _Sums, u_grid: NDArray[np.float64], offset: bool) -> Tensor:
    """Return u after a Newton step, one of Gauss and Newton where log J is not concave.

    ``v`` is the imaginary part of complex samples, at their best phase.
    """
    f, f1, f2 = ((y * w).sum(0) for w in (sums.e, sums.d, sums.h))
    bend = curvature(sums.n, sums.p, sums.m, sums.s, f, f1, f2)
    if v is not None:
        still = (v.sum(0).square() - y.sum(0).square()) / y.shape[0] if offset else torch.zeros_like(u)
        bend = bend - phase_coupling(sums.n, sums.p, f, f1, (v * sums.e).sum(0), (v * sums.d).sum(0), still)
    newton = -slope(sums.n, sums.p, f, f1) / bend
    step = torch.where(bend < 0, newton, gauss_newton(sums.n, sums.p, sums.m, f, f1))
    return (u + step.nan_to_num(nan=0.0).clamp(-LONGEST, LONGEST)).clamp(u_grid[0], u_grid[-1])


def _refine(y: Tensor, t: Tensor, model: SignalModel, u_grid: NDArray[np.float64], energy: Tensor) -> Solution:
    u = _start(energy, u_grid)
    for _ in range(STEPS):
        u = _advance(u, y, None, _sums(u, t, model), u_grid, model.offset)
    return _finished(y, u, t, model, u_grid)


def _refine_complex(z: Tensor, t: Tensor, model: SignalModel, u_grid: NDArray[np.float64], energy: Tensor) -> Solution:
    """Refine with the best phase for each u."""
    u = _start(energy, u_grid)
    for _ in range(STEPS):
        sums = _sums(u, t, model)
        turned = z * torch.exp(-1j * _phase(z, sums, model))
        u = _advance(u, turned.real, turned.imag, sums, u_grid, model.offset)
    phase = _phase(z, _sums(u, t, model), model)
    turned = z * torch.exp(-1j * phase)
    found = _finished(turned.real, u, t, model, u_grid)
    found.phase = phase
    found.rss = found.rss + turned.imag.square().sum(0)
    found.spread = (z - z.mean(0)).abs().square().sum(0)
    return found


def _phase(z: Tensor, sums: _Sums, model: SignalModel) -> Tensor:
    w = (z * sums.e).sum(0)
    square = w * w / sums.n
    if model.offset:
        total = z.sum(0)
        square = square + total * total / z.shape[0]
    phase: Tensor = 0.5 * torch.angle(square)
    return phase


def _finished(y: Tensor, u: Tensor, t: Tensor, model: SignalModel, u_grid: NDArray[np.float64]) -> Solution:
    sums = _sums(u, t, model)
    count = y.shape[0]
    mean = y.mean(0)
    centred = y - mean
    c1 = (y * sums.e).sum(0) / sums.n
    c0 = mean - c1 * sums.mean_e if model.offset else torch.zeros_like(c1)
    rss = (y - c0 - c1 * (sums.e + sums.mean_e)).square().sum(0)
    return Solution(
        c0=c0,
        c1=c1,
        tau=torch.exp(u),
        rss=rss,
        spread=centred.square().sum(0),
        cov=covariance(float(count), sums.mean_e, sums.mean_d, sums.n, sums.p, sums.m, c1),
        polarity=torch.zeros_like(u, dtype=torch.uint8),
        phase=torch.zeros_like(u),
        edge=(u <= u_grid[0] + 1e-6) | (u >= u_grid[-1] - 1e-6),
    )
