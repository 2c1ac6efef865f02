"""Masks: seconds for each pattern against a plain way to make one of the same kind, with the quality of both."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import rotate

from engine.bench.contract import BENCHES, BenchResult, BenchSpec, seconds
from engine.core.jobs import Reporter
from engine.core.requests import MaskRequest
from engine.core.types import Bool
from engine.sampling import MASKS, make_mask
from engine.sampling.random2d import radius

R = 8.0
ACS = 24
Plain = Callable[[tuple[int, int, int], np.random.Generator], Bool]


def run(quick: bool, report: Reporter) -> Iterator[BenchResult]:
    """Yield one line for each pattern and alternative, one mask per frame, at 12 x 204 x 448 (quick: 4 x 102 x 112)."""
    shape = (4, 102, 112) if quick else (12, 204, 448)
    names = MASKS.names()
    for done, name in enumerate(names):
        report.step(done, len(names), MASKS.get(name).title)
        # Poisson discs are compared on one frame: the plain way takes seconds for each.
        request = MaskRequest(name, R, ACS, per_frame=name != "poisson")
        size = (1, *shape[1:]) if name == "poisson" else shape
        ours_s, mask = seconds(lambda request=request, size=size: make_mask(request, *size), 3)  # type: ignore[misc]
        for other, work in _alternatives(name):
            # Twice: a peer may compile on its first call.
            other_s, lines = seconds(lambda work=work, size=size: work(size, np.random.default_rng(0)), 2)  # type: ignore[misc]
            yield BenchResult(
                benchmark="masks",
                case=f"{name}, {' x '.join(str(n) for n in size)}, R {R:g}",
                ours_s=ours_s,
                other=other,
                other_s=other_s,
                ratio=other_s / ours_s,
                quality_ours=quality(name, mask.lines),
                quality_other=quality(name, lines),
            )


def quality(name: str, lines: Bool) -> str:
    """Return effective R, and for patterns that keep a distance how well they do."""
    text = f"effective R {lines.size / np.count_nonzero(lines):.2f}"
    if name == "vista":
        return f"{text}, Riesz energy per sample {riesz_energy(lines[..., 0]):.3f}"
    if name == "poisson":
        return f"{text}, 5th percentile of distance {nearest(lines[0]):.2f}"
    return text


def riesz_energy(lines: Bool, power: float = 1.4) -> float:
    """Return the mean energy of a k-t sample, distances in stretched lines (see vista) and frames, cyclic."""
    from engine.sampling.vista import stretched

    frames, ky = lines.shape
    t, y = np.nonzero(lines)
    u = stretched(ky, 0.28)[y]
    dt, du = np.abs(t[:, None] - t), np.abs(u[:, None] - u)
    squared = np.minimum(dt, frames - dt) ** 2 + np.minimum(du, ky - du) ** 2
    return float((squared[~np.eye(t.size, dtype=bool)] ** (-power / 2)).sum() / t.size)


def nearest(grid: Bool) -> float:
    """Return the 5th percentile of the distance to the next sample outside the central square, over our rule's 1 + 4 r."""
    from scipy.spatial import cKDTree

    r = radius(*grid.shape)
    points = np.argwhere(grid)
    distance = np.asarray(cKDTree(points).query(points, k=2)[0])[:, 1] / (1 + 4 * np.minimum(r[grid], 1))
    side = np.abs(points - np.array(grid.shape) // 2).max(axis=1)
    return float(np.percentile(distance[side > ACS], 5))


def _alternatives(name: str) -> Iterator[tuple[str, Plain]]:
    if name in ("equispaced", "kt_uniform"):
        yield "Python loop over lines", _loop_lines
    elif name in ("random", "gaussian", "variable_density", "kt_gaussian", "random2d"):
        yield "numpy Generator.choice", _choice_plane if name == "random2d" else _choice_lines
    elif name == "vista":
        yield "gradient descent on the plane, 120 steps", _gradient_vista
    elif name in ("kt_radial", "radial2d"):
        yield "turned pictures of a line (scipy rotate)", _rotated
    elif name == "poisson":
        yield "loop over all earlier samples", _plain_poisson
        if importlib.util.find_spec("sigpy") is not None:
            yield "sigpy.mri.poisson", _sigpy_poisson


def _loop_lines(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    del rng
    frames, ky, _ = shape
    lines = np.zeros((frames, ky, 1), dtype=bool)
    for frame in range(frames):
        for line in range(ky):
            lines[frame, line] = (line - frame) % R == 0 or ky // 2 - ACS // 2 <= line < ky // 2 + ACS // 2
    return lines


def _choice_lines(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    frames, ky, _ = shape
    density = np.exp(-(((np.arange(ky) - ky // 2) / (ky / 5)) ** 2)) + 0.1
    lines = np.zeros((frames, ky, 1), dtype=bool)
    lines[:, ky // 2 - ACS // 2 : ky // 2 + ACS // 2] = True
    for frame in range(frames):
        lines[frame, rng.choice(ky, round(ky / R), replace=False, p=density / density.sum())] = True
    return lines


def _choice_plane(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    frames, ky, kx = shape
    density = (np.maximum(1 - radius(ky, kx), 0) ** 2 + 0.02).ravel()
    grid = np.zeros((frames, ky, kx), dtype=bool)
    for frame in range(frames):
        grid[frame].flat[rng.choice(ky * kx, round(ky * kx / R), replace=False, p=density / density.sum())] = True
    return grid


def _gradient_vista(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    """Move all samples down the energy's gradient in continuous k-t space; round to the grid at the end."""
    from engine.sampling.vista import stretched

    frames, ky, _ = shape
    per_frame = round(ky / R)
    t = np.repeat(np.arange(frames), per_frame)
    u = rng.random(t.size) * ky
    dt = np.abs(t[:, None] - t)
    dt2 = np.minimum(dt, frames - dt).astype(np.float64) ** 2
    for _ in range(120):
        du = (u[:, None] - u + ky / 2) % ky - ky / 2
        squared = np.maximum(du**2 + dt2, 0.05)
        np.fill_diagonal(squared, np.inf)
        force = (du * squared ** (-1.4 / 2 - 1)).sum(axis=1)
        u = (u + np.clip(0.5 * force, -1, 1)) % ky
    spread = stretched(ky, 0.28)
    lines = np.zeros((frames, ky, 1), dtype=bool)
    for frame, place in zip(t, u, strict=True):
        free = np.flatnonzero(~lines[frame, :, 0])
        lines[frame, free[np.argmin(np.abs(spread[free] - place))]] = True
    return lines


def _rotated(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    del rng
    frames, ky, kx = shape
    size = max(ky, kx) + 1
    picture = np.zeros((size, size), dtype=np.uint8)
    picture[size // 2] = 1
    count = int(180 / (0.6 * R))
    grid = np.zeros((frames, ky, kx), dtype=bool)
    y, x = size // 2 - ky // 2, size // 2 - kx // 2
    for frame in range(frames):
        for spoke in range(count):
            turned = rotate(picture, 137.5 * frame + 180 * spoke / count, reshape=False, order=0)
            grid[frame] |= turned[y : y + ky, x : x + kx] > 0
    return grid


def _plain_poisson(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    """Throw samples in random order and compare each with all before; the distance rule is given, not searched for."""
    frames, ky, kx = shape
    r = radius(ky, kx)
    # The distance rule of ours at R = 8, found there by search.
    base = 0.57
    wanted = round(ky * kx / R)
    taken: list[tuple[int, int]] = []
    points: NDArray[np.int64] = np.empty((wanted, 2), dtype=np.int64)
    reach = np.empty(wanted)
    for position in rng.permutation(ky * kx):
        y, x = divmod(int(position), kx)
        if r[y, x] > 1:
            continue
        count = len(taken)
        away = (points[:count, 0] - y) ** 2 + (points[:count, 1] - x) ** 2
        if (away > reach[:count]).all():
            points[count] = y, x
            reach[count] = (base * (1 + 4 * r[y, x])) ** 2
            taken.append((y, x))
            if len(taken) == wanted:
                break
    grid = np.zeros((ky, kx), dtype=bool)
    grid[tuple(points[: len(taken)].T)] = True
    return np.repeat(grid[None], frames, axis=0)


def _sigpy_poisson(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    import sigpy.mri

    del rng
    frames, ky, kx = shape
    return np.stack([np.abs(sigpy.mri.poisson((ky, kx), R, calib=(ACS, ACS), seed=frame)) > 0 for frame in range(frames)])


BENCHES.register("masks", BenchSpec("masks", "Masks", run))
