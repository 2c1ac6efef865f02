"""Fitting a stack of images: from images and times to maps with their uncertainty, and to the curve of one pixel."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core import axes, provenance
from engine.core.errors import InputError
from engine.core.jobs import Reporter, silent
from engine.core.maps import FitRequest, MapSet, PixelFit, Reason
from engine.core.types import Float, Kind, ParameterMap, Reconstruction
from engine.relaxometry.contract import MODELS, SignalModel
from engine.relaxometry.polarity import orders, resolve_mode
from engine.relaxometry.signal import amplitudes, parameters
from engine.relaxometry.solve import Solution, solve
from engine.relaxometry.times import checked_times
from engine.relaxometry.uncertainty import degrees_of_freedom, half_width, variances

PERCENTILE = 99.0
T1_LIMIT_MS = 10_000.0
CURVE_POINTS = 200
RICIAN_NOTE = (
    "magnitudes of samples below about twice the noise read too high (Rician floor); standard deviations do not know of it"
)
EXACT_NOTE = "as many samples as parameters: there is no residual to tell a standard deviation from"
PRIOR_NOTE = "three magnitudes leave the polarity open: the one whose B / A is nearest to 2 (an ideal inversion) was taken"


def fit_maps(
    images: NDArray[Any],
    request: FitRequest,
    report: Reporter | None = None,
    *,
    times_ms: NDArray[Any] | None = None,
    title: str = "",
    kind: Kind = Kind.UNKNOWN,
    slices: tuple[int, ...] = (),
    voxel_mm: tuple[float, float, float] | None = None,
) -> MapSet:
    """Fit every pixel of a stack of images.

    Parameters
    ----------
    images
        complex64 or float32 (slice, frame, y, x). Pixels with a sample that is NaN or infinite become invalid.
    request
        Model, times, mode, efficiency, device; its times go before ``times_ms``.
    report
        Told after every slice; asked whether to stop.
    times_ms
        (frame,) or (slice, frame), in ms, as acquired.
    title, kind, slices, voxel_mm
        What the maps are of.

    Returns
    -------
    MapSet
        Values are 0 where ``reason`` is not 0. Standard deviations are those of the Jacobian with the noise that the residual
        shows; they are None where there are as many samples as parameters.

    Raises
    ------
    InputError, ShapeError, UnknownNameError
        The request or the times cannot be used.
    Cancelled
        The user asked to stop.
    """
    began = time.perf_counter()
    report = report or silent()
    model = MODELS.get(request.model)
    stack = _checked_images(images)
    times = checked_times(times_ms if request.times_ms is None else request.times_ms, stack.shape[0], stack.shape[1], model)
    _check_request(request, model)
    mode = resolve_mode(stack, times, model, request.signed)
    displacement, notes = None, list(_notes(model, mode, stack.shape[1]))
    if request.motion != "none":
        from engine.relaxometry.motion import register_series

        stack, displacement, before, after = register_series(stack, times, request.model, request.motion, report.part(0.0, 0.8))
        notes.append(f"{request.motion} motion correction: residual {float(np.mean(before)):.4g} before, {float(np.mean(after)):.4g} after")
        report = report.part(0.8, 0.2)
    if model.network is not None:
        from engine.relaxometry.network import estimate

        found = estimate(stack, times, model, request, report)
    else:
        found = _fit_all(stack, times, model, mode, request, report)
    reason = found.pop("reason")
    wrong = {Reason(r).words: int(n) for r, n in enumerate(np.bincount(reason.reshape(-1), minlength=5)) if r and n}
    if wrong:
        notes.append("no value: " + ", ".join(f"{n} pixels {words}" for words, n in wrong.items()))
    maps = _maps(found, model, reason == Reason.VALID)
    record = provenance.record(
        fit={
            "model": model.name,
            "signed": mode,
            "asked": request.signed,
            "efficiency": request.efficiency,
            "background": request.background,
            "motion": request.motion,
            "weights": request.weights,
            "invalid": wrong,
        }
    )
    report.step(1, 1, "maps ready")
    return MapSet(
        maps=maps,
        model=model.name,
        title=title,
        times_ms=times,
        r2=found["r2"],
        residual=found["residual"],
        polarity=found["polarity"],
        reason=reason,
        images=stack,
        kind=kind,
        slices=slices or tuple(range(stack.shape[0])),
        voxel_mm=voxel_mm,
        displacement=displacement,
        seconds=time.perf_counter() - began,
        notes=tuple(notes),
        provenance=record,
    )


def fit_map(
    reconstruction: Reconstruction, request: FitRequest, report: Reporter | None = None, *, reference: bool = False
) -> MapSet:
    """Fit the images of a reconstruction, or with ``reference`` those of its fully sampled reference; as :func:`fit_maps`."""
    images = reconstruction.image
    if reference:
        if reconstruction.reference is None:
            raise InputError(
                "the reconstruction has no reference (expected one made from fully sampled k-space)",
                "Reconstruct fully sampled data, or fit the reconstruction itself.",
            )
        images = reconstruction.reference
    return fit_maps(
        images,
        request,
        report,
        times_ms=reconstruction.times_ms,
        title="reference" if reference else reconstruction.method,
        kind=reconstruction.kind,
        slices=reconstruction.slices,
        voxel_mm=reconstruction.voxel_mm,
    )


def _checked_images(images: NDArray[Any]) -> NDArray[Any]:
    axes.check_axes(images, axes.IMAGE_AXES, "images to fit")
    if images.dtype.kind not in "buifc":
        raise InputError(f"the images do not hold numbers (expected real or complex / found {images.dtype})", "Export them again.")
    return np.asarray(images, dtype=np.complex64 if images.dtype.kind == "c" else np.float32)


def _check_request(request: FitRequest, model: SignalModel) -> None:
    if not (math.isfinite(request.efficiency) and 0.5 <= request.efficiency <= 1.0):
        raise InputError(
            f"the inversion efficiency cannot be used (expected 0.5 to 1 / found {request.efficiency:g})",
            "Use 1 for no correction, 0.9653 for MOLLI's adiabatic pulse at 3 T.",
        )
    if request.efficiency != 1.0 and not model.look_locker:
        raise InputError(
            f"{model.name} takes no inversion efficiency (found {request.efficiency:g})",
            "Leave it at 1: this model fits the amplitude of the inversion itself." if model.inverts else "Leave it at 1.",
        )
    if not 0.0 <= request.background < 1.0:
        raise InputError(
            f"the background share cannot be used (expected 0 to below 1 / found {request.background:g})", "Use for example 0.05."
        )
    if request.motion not in ("none", "rigid", "deformable"):
        raise InputError(
            f"unknown motion correction {request.motion!r} (expected none, rigid or deformable)", "Use for example rigid."
        )
    if request.weights is not None and model.network is None:
        raise InputError(f"{model.name} takes no weights (found {request.weights})", "Leave them out: they belong to networks.")


def _notes(model: SignalModel, mode: str, samples: int) -> list[str]:
    notes = []
    if model.network is not None:
        return notes
    if mode == "magnitude":
        notes.append(RICIAN_NOTE)
        if model.inverts and samples == model.unknowns:
            notes.append(PRIOR_NOTE)
    if degrees_of_freedom(model, samples, mode) == 0:
        notes.append(EXACT_NOTE)
    return notes


def _fit_all(
    stack: NDArray[Any], times: Float, model: SignalModel, mode: str, request: FitRequest, report: Reporter
) -> dict[str, NDArray[Any]]:
    """Return all maps, each (slice, y, x), by data-set name, ``sd:`` before that of a standard deviation."""
    slices, frames, ny, nx = stack.shape
    found: dict[str, NDArray[Any]] = {}
    done = 0
    for members, ascending, order in orders(times):
        for index in members:
            report.step(done, slices, f"fitting {model.quantity}")
            images = stack[index].reshape(frames, -1)[order]
            reason = screen(images, request.background)
            samples = samples_of(images, mode, reason)
            solution = solve(samples, ascending, model, mode, request.device)
            one = derived(solution, model, mode, frames, request.efficiency, reason)
            for name, values in one.items():
                found.setdefault(name, np.zeros((slices, ny, nx), values.dtype))[index] = values.reshape(ny, nx)
            done += 1
    return found


def screen(images: NDArray[Any], background: float) -> NDArray[np.uint8]:
    """Return why a pixel of (sample, pixel) is not fitted: a sample is not finite, or all are small."""
    magnitude = np.abs(images)
    peak = magnitude.max(axis=0)
    reason = np.zeros(peak.shape, np.uint8)
    finite = np.isfinite(peak)
    if finite.any():
        limit = background * np.percentile(peak[finite], PERCENTILE)
        reason[~((peak > 0) & (peak >= limit))] = Reason.BACKGROUND
    reason[~finite] = Reason.NOT_FINITE
    return reason


def samples_of(images: NDArray[Any], mode: str, reason: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the samples as the mode wants them, 0 where a pixel has one that is not finite."""
    samples = np.abs(images) if mode == "magnitude" else images
    bad = reason == Reason.NOT_FINITE
    return np.where(bad, np.zeros((), samples.dtype), samples) if bad.any() else samples


def derived(
    solution: Solution, model: SignalModel, mode: str, samples: int, efficiency: float, reason: NDArray[np.uint8], xp: ModuleType = np
) -> dict[str, NDArray[Any]]:
    """Return parameters, their standard deviations, R2, residual, polarity and reason of each pixel, 0 where it has no value."""
    s = solution
    with np.errstate(all="ignore"):
        values = parameters(model, s.c0, s.c1, s.tau, efficiency)
        free = degrees_of_freedom(model, samples, mode)
        terms = samples * (2 if mode == "complex" else 1)
        found = dict(values)
        if free > 0:
            noise = s.rss / free
            for name, variance in variances(model, s.c0, s.c1, s.tau, s.cov, efficiency).items():
                found[f"sd:{name}"] = np.sqrt(variance * noise)
        found["r2"] = np.where(s.spread > 0, 1.0 - s.rss / s.spread, 0.0)
        found["residual"] = np.sqrt(s.rss / terms)
        main = values[model.parameters[0]]
        why = reason.copy()
        usable = why == Reason.VALID
        why[usable & ~(np.isfinite(main) & np.isfinite(s.c1) & np.isfinite(s.rss))] = Reason.BOUND
        why[usable & (s.edge | (main > T1_LIMIT_MS))] = Reason.BOUND
        if not model.inverts and mode == "magnitude":
            why[usable & (s.c1 <= 0)] = Reason.BOUND
        if model.look_locker:
            why[usable & ~s.edge & (main <= 0)] = Reason.CORRECTION
    valid = why == Reason.VALID
    out: dict[str, NDArray[Any]] = {name: np.where(valid, value, 0.0).astype(np.float32) for name, value in found.items()}
    out["polarity"] = np.where(valid, s.polarity, 0).astype(np.uint8)
    out["reason"] = why
    return out


def _maps(found: Mapping[str, NDArray[Any]], model: SignalModel, valid: NDArray[np.bool_]) -> dict[str, ParameterMap]:
    maps = {}
    for name in model.parameters:
        timed = name.endswith("_ms")
        maps[name] = ParameterMap(
            values=found[name],
            quantity=QUANTITIES[name],
            unit="ms" if timed else "",
            valid=valid,
            sd=found.get(f"sd:{name}"),
            residual=found["residual"] if name == model.parameters[0] else None,
        )
    return maps


QUANTITIES = {"t1_ms": "T1", "t1_star_ms": "T1*", "t2_ms": "T2", "a": "A", "b": "B", "c": "C"}


def fit_pixel(maps: MapSet, slice_index: int, y: int, x: int) -> PixelFit:
    """Return samples, curve and parameters of one pixel, fitted anew in the way the maps were.

    The intervals of the parameters are those of the Jacobian (:mod:`engine.relaxometry.uncertainty`) with Student's t for the
    degrees of freedom; their ends are NaN where there are none, and for a network, whose curve is that of its maps.

    Raises
    ------
    InputError
        There is no such pixel.
    """
    slices, _, ny, nx = maps.images.shape
    if not (0 <= slice_index < slices and 0 <= y < ny and 0 <= x < nx):
        raise InputError(
            f"there is no pixel slice {slice_index}, y {y}, x {x} (expected below {slices}, {ny}, {nx})", "Click inside the map."
        )
    model = MODELS.get(maps.model)
    settings = maps.provenance.get("fit", {})
    efficiency, mode = float(settings.get("efficiency", 1.0)), str(settings.get("signed", "magnitude"))
    times = np.asarray(maps.times_ms[slice_index], np.float64)
    samples = np.asarray(maps.images[slice_index, :, y, x])
    reason = Reason(int(maps.reason[slice_index, y, x]))
    if reason == Reason.NOT_FINITE:
        return _unfitted(times, np.abs(samples), reason)
    order = np.argsort(times, kind="stable")
    if model.network is not None:
        return _from_maps(maps, model, slice_index, y, x, times, np.abs(samples), order, reason, efficiency)
    one = samples_of(samples[order, None], mode, np.zeros(1, np.uint8))
    solution = solve(one, times[order], model, mode, "cpu")
    phase = float(solution.phase[0])
    real = np.real(samples * np.exp(-1j * phase)) if mode == "complex" else np.real(one[np.argsort(order), 0]).astype(np.float64)
    if mode == "magnitude":
        real[order[: int(solution.polarity[0])]] *= -1.0
    c0, c1, tau = float(solution.c0[0]), float(solution.c1[0]), float(solution.tau[0])
    fitted: dict[str, tuple[float, float, float, str]] = {}
    r2 = 0.0
    if reason == Reason.VALID:
        free = degrees_of_freedom(model, len(times), mode)
        width = half_width(free)
        sds = {
            name: math.sqrt(float(v[0]) * float(solution.rss[0]) / free) if free > 0 else math.nan
            for name, v in variances(model, solution.c0, solution.c1, solution.tau, solution.cov, efficiency).items()
        }
        for name, value in parameters(model, c0, c1, tau, efficiency).items():
            unit = "ms" if name.endswith("_ms") else ""
            fitted[name] = (value, value - width * sds[name], value + width * sds[name], unit)
        r2 = float(maps.r2[slice_index, y, x])
    return _curve(times, real, c0, c1, tau, fitted, r2, reason)


def _curve(
    times: NDArray[np.float64],
    samples: NDArray[Any],
    c0: float,
    c1: float,
    tau: float,
    fitted: Mapping[str, tuple[float, float, float, str]],
    r2: float,
    reason: Reason,
) -> PixelFit:
    fine = np.linspace(0.0, 1.1 * times.max(), CURVE_POINTS)
    return PixelFit(
        times_ms=times.astype(np.float32),
        samples=np.asarray(samples, np.float32),
        curve_times_ms=fine.astype(np.float32),
        curve=(c0 + c1 * np.exp(-fine / tau)).astype(np.float32),
        residuals=(samples - c0 - c1 * np.exp(-times / tau)).astype(np.float32),
        parameters=dict(fitted),
        r2=r2,
        reason=reason,
    )


def _unfitted(times: NDArray[np.float64], samples: NDArray[Any], reason: Reason) -> PixelFit:
    nothing = np.zeros(0, np.float32)
    return PixelFit(
        times.astype(np.float32), samples.astype(np.float32), nothing, nothing, np.zeros(len(times), np.float32), {}, 0.0, reason
    )


def _from_maps(
    maps: MapSet,
    model: SignalModel,
    slice_index: int,
    y: int,
    x: int,
    times: NDArray[np.float64],
    samples: NDArray[Any],
    order: NDArray[np.intp],
    reason: Reason,
    efficiency: float,
) -> PixelFit:
    if reason != Reason.VALID:
        return _unfitted(times, samples, reason)
    values = {name: float(m.values[slice_index, y, x]) for name, m in maps.maps.items()}
    real = samples.astype(np.float64)
    real[order[: int(maps.polarity[slice_index, y, x])]] *= -1.0
    fitted = {name: (v, math.nan, math.nan, "ms" if name.endswith("_ms") else "") for name, v in values.items()}
    c0, c1, tau = amplitudes(model, values, efficiency)
    return _curve(times, real, c0, c1, tau, fitted, float(maps.r2[slice_index, y, x]), reason)


def warm_up() -> None:
    """Fit a few pixels: loads the compiled kernels, or compiles them on a new machine."""
    times = np.array([100.0, 1100.0, 2100.0, 180.0])
    images = np.abs(1.0 - 2.0 * np.exp(-times / 900.0)).astype(np.float32)[None, :, None, None] * np.ones((1, 1, 2, 2), np.float32)
    for name in ("molli3", "t2prep2"):
        for values in (images, images.astype(np.complex64)):
            maps = fit_maps(values, FitRequest(model=name, device="cpu"), times_ms=times)
            fit_pixel(maps, 0, 0, 0)
