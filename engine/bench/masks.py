"""Masks: seconds for each pattern against a plain way to make one of the same kind, with the quality of both.

Like is compared with like: the plain way measures as many samples as ours, around the same ACS. What each lacks or adds is said
in its name (``other``), and how many samples they differ by stands in ``difference``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import rotate

from engine.bench.contract import BENCHES, BenchSpec, seconds
from engine.core.jobs import Reporter
from engine.core.records.machine import BenchResult
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
        spec = MASKS.get(name)
        report.step(done, len(names), spec.title)
        # Poisson discs are compared on one frame: the plain way takes seconds for each.
        request = MaskRequest(name, R, ACS, per_frame=name != "poisson")
        acs = f", ACS {ACS}" if spec.uses_acs else ""
        size = (1, *shape[1:]) if name == "poisson" else shape
        ours_s, mask = seconds(partial(make_mask, request, *size), 3)
        for other, work in _alternatives(name):
            # Twice: a peer may compile on its first call.
            other_s, lines = seconds(partial(_seeded, work, size), 2)
            yield BenchResult(
                benchmark="masks",
                case=f"{name}, {' x '.join(str(n) for n in size)}, R {R:g}{acs}",
                ours_s=ours_s,
                other=other,
                other_s=other_s,
                ratio=other_s / ours_s,
                quality_ours=quality(name, mask.lines),
                quality_other=quality(name, lines),
                difference=f"{np.count_nonzero(lines) - np.count_nonzero(mask.lines):+d} samples",
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


def _seeded(work: Plain, size: tuple[int, int, int]) -> Bool:
    return work(size, np.random.default_rng(0))


def _alternatives(name: str) -> Iterator[tuple[str, Plain]]:
    if name in ("equispaced", "kt_uniform"):
        yield "Python loop over lines", _loop_lines
    elif name in ("random", "gaussian", "variable_density", "random2d"):
        yield "numpy Generator.choice", partial(_choice, name)
    elif name == "kt_gaussian":
        yield "numpy Generator.choice, without moving repetitions", _choice_kt
    elif name == "vista":
        yield "gradient descent on the plane, 120 steps", _gradient_vista
    elif name == "kt_radial":
        yield "turned pictures of a line (scipy rotate), oblique ones thicker", _rotated
    elif name == "radial2d":
        yield "rounded points of every spoke, one spoke more until R", _dotted_wheel
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


def _centre(ky: int, kx: int) -> tuple[slice, ...]:
    """Return the ACS lines of a (ky, 1) mask or the ACS square of a (ky, kx) mask as indices."""
    return tuple(slice(n // 2 - ACS // 2, n // 2 + ACS // 2) for n in ((ky, kx) if kx > 1 else (ky,)))


def _outside(ky: int, kx: int) -> int:
    """Return how many samples are measured beside the ACS."""
    return int((ky * kx - ACS * (ACS if kx > 1 else 1)) / R + 0.5)


def _choice(name: str, shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    frames, ky, kx = shape
    y = (np.arange(ky) - ky // 2) / (ky / 2)
    if name == "random2d":
        density = np.maximum(1 - radius(ky, kx), 0) ** 2 + 0.02
    else:
        density = {"random": y**0, "gaussian": np.exp(-4.5 * y**2) + 0.02, "variable_density": (1 - np.abs(y)) ** 3 + 0.02}[name][
            :, None
        ]
    centre = _centre(*density.shape)
    density[centre] = 0
    grid = np.zeros((frames, *density.shape), dtype=bool)
    for frame in grid:
        frame.flat[rng.choice(density.size, _outside(*density.shape), replace=False, p=density.ravel() / density.sum())] = True
    grid[:, *centre] = True
    return grid


def _choice_kt(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    frames, ky, _ = shape
    density = 0.1 + 0.25 * np.exp(-(((np.arange(ky) - ky // 2) / (ky / 5)) ** 2))
    lines = np.zeros((frames, ky, 1), dtype=bool)
    for frame in lines:
        frame[rng.choice(ky, int(ky / R + 0.5), replace=False, p=density / density.sum())] = True
    lines[:, *_centre(ky, 1)] = True
    return lines


def _gradient_vista(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    """Move all samples down the energy's gradient in continuous k-t space; round to the grid at the end."""
    from engine.sampling.vista import stretched

    frames, ky, _ = shape
    total = int(frames * ky / R + 0.5)
    t = np.repeat(np.arange(frames), np.diff(np.arange(frames + 1) * total // frames))
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
    grid[:, *_centre(ky, kx)] = True
    return grid


def _dotted_wheel(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    del rng
    frames, ky, kx = shape
    steps = np.linspace(-0.75, 0.75, 3 * max(ky, kx))

    def wheel(count: int, start: float) -> Bool:
        grid = np.zeros((ky, kx), dtype=bool)
        for angle in np.radians(start + np.arange(count) * 180 / count):
            y = np.floor(steps * ky * np.sin(angle) + 0.5).astype(int) + ky // 2
            x = np.floor(steps * kx * np.cos(angle) + 0.5).astype(int) + kx // 2
            inside = (y >= 0) & (y < ky) & (x >= 0) & (x < kx)
            grid[y[inside], x[inside]] = True
        return grid

    count = 1
    while np.count_nonzero(wheel(count, 0.0)) < ky * kx / R:
        count += 1
    grid = np.stack([wheel(count, 111.246 * frame) for frame in range(frames)])
    grid[:, *_centre(ky, kx)] = True
    return grid


def _plain_poisson(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    """Throw samples in random order and compare each with all before; a little closer when the budget does not fit."""
    frames, ky, kx = shape
    centre = _centre(ky, kx)
    blocked = radius(ky, kx) > 1
    blocked[centre] = True
    order = rng.permutation(np.flatnonzero(~blocked.ravel()))
    # Found by search for the full size: it saves the plain way the search that ours makes.
    base = 0.57
    while len(taken := _compared(order, base * (1 + 4 * radius(ky, kx)), _outside(ky, kx))) < _outside(ky, kx):
        base *= 0.97
    grid = np.zeros((ky, kx), dtype=bool)
    grid[tuple(taken.T)] = True
    grid[centre] = True
    return np.repeat(grid[None], frames, axis=0)


def _compared(order: NDArray[np.intp], distance: NDArray[np.float64], wanted: int) -> NDArray[np.int64]:
    """Return up to ``wanted`` of the positions in ``order`` as (sample, 2), none within the ``distance`` (ky, kx) of one before."""
    points: NDArray[np.int64] = np.empty((wanted, 2), dtype=np.int64)
    reach = np.empty(wanted)
    count = 0
    for position in order.tolist():
        y, x = divmod(position, distance.shape[1])
        if count == wanted:
            break
        if ((points[:count, 0] - y) ** 2 + (points[:count, 1] - x) ** 2 > reach[:count]).all():
            points[count], reach[count] = (y, x), distance[y, x] ** 2
            count += 1
    return points[:count]


def _sigpy_poisson(shape: tuple[int, int, int], rng: np.random.Generator) -> Bool:
    import sigpy.mri

    del rng
    frames, ky, kx = shape
    # There R counts the central square.
    counted = ky * kx / (_outside(ky, kx) + ACS * ACS)
    return np.stack([np.abs(sigpy.mri.poisson((ky, kx), counted, calib=(ACS, ACS), seed=frame)) > 0 for frame in range(frames)])


BENCHES.register("masks", BenchSpec("masks", "Masks", run))
