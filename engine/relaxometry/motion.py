"""In-plane motion correction between weightings, by images that the signal model predicts.

Frames of a relaxation series differ in contrast, and near the null it inverts, so they cannot be registered to one another. Each is
registered to the image that the model predicts for its own time (Xue et al., Magn Reson Med 2012;67:1644), and prediction and
registration take turns.

*Deviation* from the paper, which finds its synthetic images by minimising an energy with spatial smoothness and registers them
with its own algorithm: here each pixel is matched with signals of a fixed inversion, ``1 - r exp(-t / tau)`` with one ratio
r = B / A for the slice (``exp(-t / tau)`` for T2). With a ratio of its own in each pixel the model follows the displaced frames of
the shortest times: on phantoms with known drift that left about twice the displacement. Registration is SimpleITK's (rigid) and
scikit-image's (deformable): :mod:`engine.relaxometry.registration`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, map_coordinates

from engine.core import axes
from engine.core.errors import InputError, ShapeError
from engine.core.jobs import Reporter, silent
from engine.core.types import Bool, Float
from engine.relaxometry.contract import MODELS, SignalModel
from engine.relaxometry.modes import resolve_mode
from engine.relaxometry.reading import screen
from engine.relaxometry.registration import Registration, deformable, rigid
from engine.relaxometry.solve import solve
from engine.relaxometry.times import checked_times, distinct

METHODS: dict[str, Callable[[Bool], Registration]] = {"rigid": rigid, "deformable": deformable}
ITERATIONS = 4
LEAST_GAIN = 0.01  # share of the residual that another iteration has to take away
GRID = 64  # values of tau that a prediction chooses from
SHORTEST_MS = 1.0
IDEAL_RATIO = 2.0
BACKGROUND = 0.05
# The tissue that moves: residuals smoothed over this many pixels, above this percentile.
SPREAD = 3.0
MOVING_PERCENTILE = 80.0
# A correction has to take away this share of the residual: frames of a series that stood still fit up to a tenth better after
# they were moved towards what the model predicts, and their map is noisier.
# Up to a fifth, the map has to agree.
LEAST_WORTH, CLEAR_WORTH = 0.1, 0.2
MARGIN = 5  # pixels round a drawn region

Series = tuple[NDArray[Any], Float, Float, Float]


def register_series(
    images: NDArray[Any],
    times_ms: NDArray[Any],
    model: str,
    how: str,
    report: Reporter | None = None,
    *,
    signed: str = "auto",
    region: Bool | None = None,
) -> Series:
    """Bring the frames of each slice into register.

    Parameters
    ----------
    images
        float32 or complex64 (slice, frame, y, x). Complex frames are registered by their magnitude and moved as they are.
    times_ms
        (frame,) or (slice, frame) in ms, as acquired.
    model
        Registry name of the signal model.
    how
        ``rigid``: one translation and rotation for each frame, of the pixels in ``region``; others are moved with them.
        ``deformable``: a displacement of its own for each pixel.
    report
        Asked before each frame whether to stop.
    signed
        What the samples are, as in :class:`engine.core.maps.FitRequest`.
    region
        bool (slice, y, x): what should be in register. None takes all tissue for ``deformable``, and for ``rigid`` the fifth of the
        tissue that the model explains worst before the correction: what moves.

    Returns
    -------
    images, displacement, before, after
        The images in register, of the same type, by cubic interpolation from the measured ones; ``displacement`` float32
        (slice, frame, 2, y, x) in pixels (y, x), ``registered(p) = measured(p + displacement(p))``; root mean square of the
        fit's residual over the region before and after, float32 (slice,), in units of the images. A slice whose residual does not
        fall by a tenth, or (without a region) by less than a fifth while its map becomes rougher where it moves
        (:func:`_roughness`), stays as it was, with a displacement of 0.

    Raises
    ------
    InputError, ShapeError, DependencyError
        Method, model, times or region cannot be used; the library is not installed.
    Cancelled
        The user asked to stop.
    """
    if how not in METHODS:
        raise InputError(f"unknown motion correction {how!r} (expected {' or '.join(METHODS)})", "Use for example deformable.")
    axes.check_axes(images, axes.IMAGE_AXES, "images to register")
    stack = np.asarray(images, np.complex64 if np.iscomplexobj(images) else np.float32)
    slices, frames, ny, nx = stack.shape
    if region is not None and region.shape != (slices, ny, nx):
        raise ShapeError(
            f"the region does not fit the images (expected {(slices, ny, nx)} / found {region.shape}, axes slice, y, x)",
            "Draw it on these images.",
        )
    report = report or silent()
    signal = replace(MODELS.get(model), network=None)
    times = checked_times(times_ms, slices, frames, signal)
    mode = resolve_mode(stack, times, signal, signed).name
    found = []
    for index in range(slices):
        one = _Slice(stack[index], np.asarray(times[index], np.float64), signal, mode)
        chosen = None if region is None else region[index]
        found.append(_register(one, how, chosen, report.part(index / slices, 1.0 / slices)))
    moved, displacement, before, after = zip(*found, strict=True)
    return np.stack(moved), np.stack(displacement), np.asarray(before, np.float32), np.asarray(after, np.float32)


@dataclass(slots=True, eq=False)
class _Slice:
    """Frames (frame, y, x) of one slice, their times (frame,), and how they are fitted."""

    images: NDArray[Any]
    times: NDArray[np.float64]
    model: SignalModel
    mode: str

    def seen(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return what is registered: values with their sign where it is known, else magnitudes."""
        shown: NDArray[np.float32] = np.asarray(images if self.mode == "signed" else np.abs(images), np.float32)
        return shown

    def samples(self, images: NDArray[Any], order: NDArray[np.intp] | slice = slice(None)) -> NDArray[Any]:
        values = np.abs(images) if self.mode == "magnitude" else images
        return np.ascontiguousarray(values[order].reshape(len(self.times), -1))


def _register(one: _Slice, how: str, region: Bool | None, report: Reporter) -> tuple[NDArray[Any], Float, float, float]:
    """Return frames in register, displacement (frame, 2, y, x), and the residual before and after."""
    finite = np.isfinite(one.images)
    measured = np.where(finite, one.images, 0)
    count, *size = measured.shape
    tissue = (screen(measured.reshape(count, -1), BACKGROUND) == 0).reshape(size)
    first, ratio = _fitted(one, measured, tissue)
    chosen = tissue if region is None else tissue & region
    if region is None and how == "rigid":
        chosen = _moving(first, tissue)
    still = np.zeros((count, 2, *size), np.float32)
    if not chosen.any():
        return one.images, still, 0.0, 0.0
    before = best = _rms(first, chosen)
    result, displacement = one.images, still
    # The borders of a drawn region tell where it is: they need some pixels outside.
    register = METHODS[how](chosen if region is None else binary_dilation(chosen, iterations=MARGIN))
    seen = one.seen(measured)
    scale = 1.0 / float(np.percentile(np.abs(seen[:, tissue]), 99))
    moved = measured
    for iteration in range(ITERATIONS):
        target = predicted(one.samples(moved), one.times, one.model, one.mode, ratio).reshape(measured.shape)
        found = np.empty_like(still)
        for k in range(count):
            report.step(iteration * count + k, ITERATIONS * count, f"{how} registration, iteration {iteration + 1}")
            found[k] = register(k, target[k] * np.float32(scale), seen[k] * np.float32(scale))
        moved = np.stack([warped(measured[k], found[k]) for k in range(count)])
        residual, ratio = _fitted(one, moved, tissue)
        now = _rms(residual, chosen)
        gain = best - now
        if gain > 0:
            best, displacement = now, found
            result = np.where(np.stack([_whole(finite[k], found[k]) for k in range(count)]), moved, np.float32(np.nan))
        if gain < LEAST_GAIN * before:
            break
    report.step(1, 1, f"{how} registration")
    worse = best > (1.0 - LEAST_WORTH) * before
    if region is None and not worse and best > (1.0 - CLEAR_WORTH) * before:
        moving = _moving(first, tissue)
        worse = _roughness(one, np.where(finite, result, 0), moving) > _roughness(one, measured, moving)
    if worse:
        return one.images, still, before, before
    return result.astype(one.images.dtype, copy=False), displacement, before, best


def predicted(
    samples: NDArray[Any], times: NDArray[np.float64], model: SignalModel, mode: str, ratio: float
) -> NDArray[np.float32]:
    """Return the samples (frame, pixel) that the model of a fixed inversion predicts: magnitudes, or signed values.

    The best of :data:`GRID` values of tau is taken with its best amplitude: the match that explains most of a pixel's energy.
    """
    low, high = model.tau_range_ms
    tau = np.geomspace(max(low, SHORTEST_MS), high, GRID)
    decay = np.exp(-times[:, None] / tau)
    curves = 1.0 - ratio * decay if model.inverts else decay
    if mode == "magnitude":
        curves = np.abs(curves)
    size = np.linalg.norm(curves, axis=0)
    curves = (curves / np.where(size > 0, size, 1.0)).astype(np.float32)
    match = curves.T @ samples
    best = np.argmax(np.abs(match), axis=0)
    amplitude = match[best, np.arange(match.shape[1])]
    if mode == "complex":
        return np.asarray(np.abs(curves[:, best]) * np.abs(amplitude), np.float32)
    return np.asarray(curves[:, best] * amplitude, np.float32)


def warped(image: NDArray[Any], displacement: Float) -> NDArray[Any]:
    """Return ``image(p + displacement(p))``, (y, x), by cubic splines; magnitudes stay at least 0, as splines overshoot."""
    if not displacement.any():
        return image
    y, x = np.indices(image.shape, np.float32)
    moved = map_coordinates(image, [y + displacement[0], x + displacement[1]], order=3, mode="nearest")
    if np.iscomplexobj(image) or image.min() < 0:
        return np.asarray(moved, image.dtype)
    return np.asarray(np.maximum(moved, 0), image.dtype)


def _whole(finite: Bool, displacement: Float) -> Bool:
    """Return where a moved frame has a value: the measured pixels about its source are finite."""
    if finite.all():
        return finite
    y, x = np.indices(finite.shape, np.float32)
    share = map_coordinates(finite.astype(np.float32), [y + displacement[0], x + displacement[1]], order=1, mode="nearest")
    whole: Bool = share > 1.0 - 1e-4
    return whole


def _fitted(one: _Slice, images: NDArray[Any], tissue: Bool) -> tuple[NDArray[np.float64], float]:
    """Return the residual (y, x) of the fit in each pixel of the tissue, 0 elsewhere, and the ratio B / A of most of them.

    With no more samples than parameters a fit leaves no residual: that of the fixed inversion is taken.
    """
    residual = np.zeros(tissue.shape)
    if not tissue.any():
        return residual, IDEAL_RATIO
    order = np.argsort(one.times, kind="stable")
    inside = images[:, tissue]
    count = len(one.times)
    if distinct(one.times) <= one.model.unknowns:
        samples = one.samples(inside)
        shown = one.seen(inside)
        residual[tissue] = np.sqrt(np.mean((shown - predicted(samples, one.times, one.model, one.mode, IDEAL_RATIO)) ** 2, axis=0))
        return residual, IDEAL_RATIO
    found = solve(one.samples(inside, order), one.times[order], one.model, one.mode, "cpu")
    residual[tissue] = np.sqrt(np.maximum(found.rss, 0.0) / count)
    known = (found.c0 > 0) & (found.c1 < 0) & ~found.edge
    return residual, float(np.median(-found.c1[known] / found.c0[known])) if one.model.inverts and known.any() else IDEAL_RATIO


def _roughness(one: _Slice, images: NDArray[Any], chosen: Bool) -> float:
    """Return how much log tau differs between neighbours of the region: the upper quartile.

    A residual alone does not judge a correction that was made to lower it: moved towards what the model predicts, frames of a
    series that stood still fit better too, while their map gets noisier. In register, pixels of one tissue get closer.
    """
    order = np.argsort(one.times, kind="stable")
    tau = np.full(chosen.shape, np.nan)
    tau[chosen] = solve(one.samples(images[:, chosen], order), one.times[order], one.model, one.mode, "cpu").tau
    with np.errstate(all="ignore"):
        u = np.log(tau)
        steps = np.abs(np.concatenate([np.diff(u, axis=axis).ravel() for axis in (0, 1)]))
    known = steps[np.isfinite(steps)]
    return float(np.percentile(known, 75)) if known.size else 0.0


def _moving(residual: NDArray[np.float64], tissue: Bool) -> Bool:
    smooth = gaussian_filter(residual, SPREAD)
    moving: Bool = tissue & (smooth >= np.percentile(smooth[tissue], MOVING_PERCENTILE)) if tissue.any() else tissue
    return moving


def _rms(residual: NDArray[np.float64], chosen: Bool) -> float:
    return float(np.sqrt(np.mean(residual[chosen] ** 2)))
