"""Fitting a stack of images: from images and times to maps with their uncertainty."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core import axes, provenance
from engine.core.axes import FRAME
from engine.core.errors import InputError
from engine.core.geometry import UNKNOWN, Geometry
from engine.core.jobs import Reporter, silent
from engine.core.maps import FitRequest, MapSet, Reason
from engine.core.types import Float, Kind, Reconstruction
from engine.relaxometry.contract import MODELS, SignalModel
from engine.relaxometry.modes import resolve_mode, zero_level
from engine.relaxometry.pixel import fit_pixel
from engine.relaxometry.polarity import orders
from engine.relaxometry.reading import as_arrays, parameter_maps, read, samples_of, screen
from engine.relaxometry.solve import cuda, solve, solve_on
from engine.relaxometry.times import checked_times, distinct
from engine.relaxometry.uncertainty import degrees_of_freedom

MOTIONS = ("none", "rigid", "deformable")
FITS = {"T1": "molli3", "T2": "t2prep2"}
RICIAN_NOTE = (
    "magnitudes of samples below about twice the noise read too high (Rician floor); standard deviations do not know of it"
)
EXACT_NOTE = "as many samples as parameters: there is no residual to tell a standard deviation from"
POLARITY_NOTE = (
    "polarity: the least residual of all, but one that is no inversion recovery (B / A outside 1 to 5) only where it fits three "
    "times better than the best that is"
)
PRIOR_NOTE = "magnitudes at three times leave the polarity open: the one whose B / A is nearest to 2 (an ideal inversion) was taken"
NETWORK_NOTE = "estimated by a network, not fitted: there are no standard deviations"


def fit_maps(
    images: NDArray[Any],
    request: FitRequest,
    report: Reporter | None = None,
    *,
    times_ms: NDArray[Any] | None = None,
    title: str = "",
    kind: Kind = Kind.UNKNOWN,
    slices: tuple[int, ...] = (),
    geometry: Geometry = UNKNOWN,
    load: Callable[..., Any] | None = None,
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
    title, kind, slices, geometry
        What the maps are of.
    load
        Loads a mapping network: name, weights, device -> module, card. Only models that are networks need it.

    Returns
    -------
    MapSet
        Values are 0 where ``reason`` is not 0. Standard deviations are those of the Jacobian with the noise that the residual
        shows; they are None where there are as many samples as parameters, and for a network.

    Raises
    ------
    InputError, ShapeError, UnknownNameError, CheckpointMismatch
        The request, the times or the weights cannot be used.
    Cancelled
        The user asked to stop.
    """
    began = time.perf_counter()
    report = report or silent()
    model = MODELS.get(request.model)
    stack = _checked_images(images)
    times = checked_times(times_ms if request.times_ms is None else request.times_ms, stack.shape[0], stack.shape[1], model)
    check_request(request, model)
    zero = zero_level(stack) if model.inverts and request.signed != "magnitude" else 0
    if zero:
        stack = stack - np.float32(zero)
    mode, why = resolve_mode(stack, times, model, request.signed)
    notes = [f"the images were coded with {zero} for zero: it was subtracted"] if zero else []
    notes += [f"samples taken as {mode}: {why}"] if why else []
    notes += _notes(model, mode, stack.shape[1], min(distinct(row) for row in times))
    displacement = None
    if request.motion != MOTIONS[0]:
        from engine.relaxometry.motion import register_series

        fitted = request.model if model.network is None else FITS[model.quantity]  # frames are registered to a fit's
        moved = register_series(stack, times, fitted, request.motion, report.part(0.0, 0.8), signed=mode)
        stack, displacement, before, after = moved
        notes.append(_motion_note(request.motion, displacement, before, after))
        report = report.part(0.8, 0.2)
    if model.network is not None:
        from engine.relaxometry.network import estimate

        found = estimate(stack, times, model, request, load, report)
    else:
        found = _fit_all(stack, times, model, mode, request, report)
    reason = found.pop("reason")
    counts = np.bincount(reason.reshape(-1), minlength=len(Reason))
    wrong = {r.words: int(counts[r]) for r in Reason if r != Reason.VALID and counts[r]}
    if wrong:
        notes.append("no value: " + ", ".join(f"{n} pixels {words}" for words, n in wrong.items()))
    report.step(1, 1, "maps ready")
    return MapSet(
        maps=parameter_maps(found, model, reason == Reason.VALID, geometry),
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
        displacement=displacement,
        seconds=time.perf_counter() - began,
        notes=tuple(notes),
        provenance=provenance.record(fit=_record(request, mode, wrong)),
    )


def fit_map(
    reconstruction: Reconstruction,
    request: FitRequest,
    report: Reporter | None = None,
    *,
    reference: bool = False,
    load: Callable[..., Any] | None = None,
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
        geometry=reconstruction.geometry,
        load=load,
    )


def check_request(request: FitRequest, model: SignalModel) -> None:
    """Raise ``InputError`` for a setting that cannot be used with the model."""
    if not (math.isfinite(request.efficiency) and 0.5 <= request.efficiency <= 1.0):
        raise InputError(
            f"the inversion efficiency cannot be used (expected 0.5 to 1 / found {request.efficiency:g})",
            "Use 1 for no correction, 0.9653 for MOLLI's adiabatic pulse at 3 T.",
        )
    if not 0.0 <= request.background < 1.0:
        raise InputError(
            f"the background share cannot be used (expected 0 to below 1 / found {request.background:g})", "Use for example 0.05."
        )
    if request.motion not in MOTIONS:
        raise InputError(f"unknown motion correction {request.motion!r} (expected {', '.join(MOTIONS)})", "Use for example rigid.")
    if request.weights is not None and model.network is None:
        raise InputError(f"{model.name} takes no weights (found {request.weights})", "Leave them out: they belong to networks.")


def _checked_images(images: NDArray[Any]) -> NDArray[Any]:
    axes.check_axes(images, axes.IMAGE_AXES, "images to fit")
    if images.dtype.kind not in "buifc":
        raise InputError(f"the images do not hold numbers (expected real or complex / found {images.dtype})", "Export them again.")
    with np.errstate(over="ignore"):  # what single precision cannot hold becomes infinite, and its pixel invalid
        return np.asarray(images, dtype=np.complex64 if images.dtype.kind == "c" else np.float32)


def _notes(model: SignalModel, mode: str, samples: int, different: int) -> list[str]:
    if model.network is not None:
        return [NETWORK_NOTE]
    notes = []
    if mode == "magnitude":
        notes.append(RICIAN_NOTE)
        if model.inverts:
            notes.append(PRIOR_NOTE if different == model.unknowns else POLARITY_NOTE)
    if degrees_of_freedom(model, samples, mode) == 0:
        notes.append(EXACT_NOTE)
    return notes


def _motion_note(how: str, displacement: Float, before: Float, after: Float) -> str:
    """Return in words what a correction did: where it was kept, and that it was not where it made things worse."""
    kept = displacement.reshape(len(displacement), -1).any(axis=1)
    if not kept.any():
        return f"{how} motion correction made the fit or the map worse and was not kept: the images are as measured"
    words = f"residual {float(np.mean(before[kept])):.4g} before, {float(np.mean(after[kept])):.4g} after"
    if kept.all():
        return f"{how} motion correction: {words}"
    left = ", ".join(str(int(k) + 1) for k in np.flatnonzero(~kept))
    return f"{how} motion correction: {words}; not kept in slice {left}, where it made the fit or the map worse"


def _record(request: FitRequest, mode: str, wrong: dict[str, int]) -> dict[str, Any]:
    """Return what has to be known to do the fit again."""
    return {
        "model": request.model,
        "signed": mode,
        "asked": request.signed,
        "efficiency": request.efficiency if MODELS.get(request.model).look_locker else 1.0,
        "background": request.background,
        "motion": request.motion,
        "weights": request.weights,
        "device": request.device,
        "invalid": wrong,
    }


def _fit_all(
    stack: NDArray[Any], times: Float, model: SignalModel, mode: str, request: FitRequest, report: Reporter
) -> dict[str, NDArray[Any]]:
    """Return all maps, each (slice, y, x), by data-set name."""
    slices, _, ny, nx = stack.shape
    place = cuda(request.device)
    found: dict[str, NDArray[Any]] = {}
    done = 0
    for members, ascending, order in orders(times):
        # On CUDA all slices of the same times go at once; on the CPU one after the other, while it is in the cache.
        for group in [members] if place is not None else np.split(members, len(members)):
            report.step(done, slices, f"fitting {model.quantity}")
            one = (_group_on_cuda if place is not None else _group)(stack, group, order, ascending, model, mode, request)
            for name, values in as_arrays(one, (len(group), ny, nx)).items():
                found.setdefault(name, np.zeros((slices, ny, nx), values.dtype))[group] = values
            done += len(group)
    return found


def _group(
    stack: NDArray[Any],
    group: NDArray[np.intp],
    order: NDArray[np.intp],
    ascending: Any,
    model: SignalModel,
    mode: str,
    request: FitRequest,
) -> dict[str, Any]:
    frames = stack.shape[FRAME]
    images = stack[group[0]].reshape(frames, -1)[order]
    reason = screen(images, request.background)
    solution = solve(samples_of(images, mode, reason), ascending, model, mode, "cpu")
    return read(solution, model, mode, frames, request.efficiency, reason)


def _group_on_cuda(
    stack: NDArray[Any],
    group: NDArray[np.intp],
    order: NDArray[np.intp],
    ascending: Any,
    model: SignalModel,
    mode: str,
    request: FitRequest,
) -> dict[str, Any]:
    import torch

    from engine.core.device import memory_errors

    place = cuda(request.device)
    frames = stack.shape[FRAME]
    with torch.inference_mode(), memory_errors(place, f"the fit of {model.quantity}"):
        images = torch.from_numpy(stack[group]).to(place).flatten(2)[:, torch.as_tensor(order, device=place)]
        reason = screen(images, request.background, torch).reshape(-1)
        samples = samples_of(images.transpose(0, 1).reshape(frames, -1), mode, reason, torch)
        solution = solve_on(samples, ascending, model, mode)
        maps = read(solution, model, mode, frames, request.efficiency, reason, torch)
        return as_arrays(maps, (len(group), *stack.shape[-2:]))


def warm_up() -> None:
    """Fit a few pixels: loads the compiled kernels, or compiles them on a new machine."""
    times = np.array([100.0, 1100.0, 2100.0, 180.0])
    images = np.abs(1.0 - 2.0 * np.exp(-times / 900.0)).astype(np.float32)[None, :, None, None] * np.ones((1, 1, 2, 2), np.float32)
    for name in ("molli3", "t2prep2"):
        for values in (images, images.astype(np.complex64)):
            maps = fit_maps(values, FitRequest(model=name, device="cpu"), times_ms=times)
            fit_pixel(maps, 0, 0, 0)
