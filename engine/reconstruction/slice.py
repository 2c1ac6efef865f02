"""One slice by one method: mask, coil maps, scale, method, scale back."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.core.axes import COIL
from engine.core.jobs import Reporter
from engine.core.requests import ReferenceSequence
from engine.core.types import Complex, KSpaceSeries, SamplingMask
from engine.models import ReconInput
from engine.physics.scaling import find_scale
from engine.physics.soft_sense import sense_operator
from engine.reconstruction.build import Built, check_finite
from engine.reconstruction.inputs import acs_lines, coil_maps, fully_sampled, select_frames
from engine.reconstruction.judgement import notes_of_maps, reasons, unexplained
from engine.reconstruction.precision import autocast
from engine.reconstruction.reference_sequence import reference_sequence
from engine.reconstruction.stages import StageRecorder


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured of a slice, read once for all methods.

    ``kspace`` complex64 (frame, coil, ky, kx) with zeros where ``mask`` (its frames chosen) does not sample; ``lines`` bool
    (frame or 1, ky, kx or 1); ``maps`` complex64 (set, 1, coil, y, x), found in ``seconds``.
    """

    series: KSpaceSeries
    index: int
    frames: tuple[int, ...]
    mask: SamplingMask
    kspace: Tensor
    lines: Tensor
    maps: Tensor
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a method made of a slice: ``image`` complex64 (frame, y, x) on the data's own scale.

    ``sets`` of coil maps were used; ``notes`` are what is to be said about this slice.
    """

    image: Complex
    scale: float
    seconds: float
    sets: int
    notes: tuple[str, ...]


def measure(series: KSpaceSeries, index: int, frames: tuple[int, ...], mask: SamplingMask, report: Reporter) -> Measured:
    """Read a slice, apply ``mask`` (of all frames), and find its coil maps (or take them from the cache)."""
    report.step(0, 1, "reading")
    chosen = select_frames(mask, frames, series.shape[1])
    lines = torch.from_numpy(chosen.lines.copy())
    kspace = torch.from_numpy(np.ascontiguousarray(series.read(index)[list(frames)])) * lines[:, None]
    began = time.perf_counter()
    report.step(0.2, 1, "coil maps")
    maps = coil_maps(series, index, frames, mask, kspace, lines)
    return Measured(series, index, frames, chosen, kspace, lines, maps, time.perf_counter() - began)


def reconstruct_slice(
    built: Built,
    measured: Measured,
    target: torch.device,
    report: Reporter,
    recorder: StageRecorder,
    second: ReferenceSequence | None = None,
) -> Outcome:
    """Reconstruct one slice.

    Raises
    ------
    InputError
        The method gave NaN or infinity.
    Cancelled
        The user asked to stop.
    """
    series, index, frames = measured.series, measured.index, measured.frames
    report.step(0, 1, built.spec.title)
    began = time.perf_counter()
    sets = min(len(measured.maps), built.spec.map_sets)
    scale = find_scale(measured.kspace, measured.lines, built.normalise)
    times = series.times_ms
    data = ReconInput(
        kspace=scale.normalise(measured.kspace)[None].to(target),
        # Of its own for each method: it remembers what it has computed, and no method shall live on another's time.
        operator=sense_operator(measured.lines[None, :, None].to(target), measured.maps[:sets].to(target)),
        times_ms=None if times is None else torch.from_numpy(times[[index]][:, list(frames)]).to(target),
        acs=acs_lines(measured.mask),
        report=report.part(0.0, 0.95),
    )
    data = dataclasses.replace(data, stages=recorder.sink(data.operator.merge))
    if built.spec.needs_reference:
        led = reference_sequence(second, data, scale, series, index, frames, partial(fully_sampled, report=report))
        data = dataclasses.replace(data, reference=led)
    # TensorFloat-32 would cost three digits in convolutions on CUDA.
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with torch.inference_mode(), exact, autocast(built.precision, target):
        found = built.method(data)
        image = data.operator.merge(found)[0]
    result: Complex = scale.restore(image).to("cpu", torch.complex64).numpy()
    check_finite(built, result, index)
    recorder.finish_slice(scale.factor)
    if target.type == "cuda":
        torch.cuda.synchronize(target)
    notes = notes_of_maps(built.spec.title, len(measured.maps), sets)
    if not measured.mask.lines.all() and built.spec.name != "zero_filled" and len(found) == sets:
        why = reasons(measured.mask, measured.kspace.shape[COIL])
        with torch.inference_mode():
            notes += tuple(unexplained(built.spec.title, found, data.operator, data.kspace, why))
    return Outcome(result, scale.factor, time.perf_counter() - began, sets, notes)
