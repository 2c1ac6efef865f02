"""Request to reconstruction: mask, coil maps, scale, method, scale back, provenance; slice by slice."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.core import device as devices
from engine.core import provenance
from engine.core.axes import COIL, KY
from engine.core.errors import InputError
from engine.core.jobs import Reporter
from engine.core.requests import ReconRequest, ReferenceSequence
from engine.core.types import Complex, Kind, KSpaceSeries, Reconstruction, SamplingMask
from engine.models import MODELS, ModelSpec, ReconInput
from engine.models.contract import Method
from engine.physics.coil_maps import estimate
from engine.physics.coils import combine
from engine.physics.fourier import ifft2c
from engine.physics.operator import SenseOperator
from engine.physics.scaling import find_scale
from engine.reconstruction.cache import Cache, mask_digest
from engine.reconstruction.memory import check_fits
from engine.reconstruction.precision import autocast, check_precision
from engine.reconstruction.precision import note as precision_note
from engine.reconstruction.reference_sequence import check_reference_sequence, reference_sequence
from engine.reconstruction.reference_sequence import note as sequence_note
from engine.reconstruction.reference_sequence import record as sequence_record
from engine.reconstruction.stages import StageRecorder
from engine.sampling.acs import centre_lines, sampled_centre

COIL_MAPS_METHOD = "espirit"
REFERENCE_ACS = 24

_maps: Cache[Tensor] = Cache(512 * 2**20, lambda maps: maps.element_size() * maps.nelement())
_references: Cache[Complex] = Cache(512 * 2**20, lambda image: image.nbytes)


@dataclass(frozen=True, slots=True)
class _Built:
    """A method ready to run on a device."""

    spec: ModelSpec
    method: Method
    config: Any
    weights: Mapping[str, Any] | None
    precision: str = "float32"

    @property
    def normalise(self) -> str:
        """How k-space is scaled: as the weights were trained when their card says so, else as the method's spec says."""
        card = self.weights or {}
        return str(card.get("normalisation") or self.spec.normalise)


def reconstruct(request: ReconRequest, report: Reporter) -> Reconstruction:
    """Reconstruct the slices of a request.

    Raises
    ------
    UnknownNameError, InputError, ShapeError, CheckpointMismatch, DeviceMemoryError, Cancelled
        See their messages. Nothing is kept on failure.
    """
    series = request.series
    slices = _chosen(request.slices, series.shape[0], "slice")
    frames = _chosen(request.frames, series.shape[1], "frame")
    mask = effective_mask(series, request.mask)
    target = devices.choose(request.device)
    report.step(0, 1, "preparing")
    built = _build(request, target)
    _check_serves(built.spec, series)
    check_reference_sequence(request.reference_sequence, built.spec, series, len(frames))
    sizes = (len(frames), *series.shape[COIL:])
    check_fits(built.spec, built.config, sizes, _select_frames(mask, frames, series.shape[1]).lines, target, built.precision)
    images: list[Complex] = []
    references: list[Complex] = []
    recorder = StageRecorder(enabled=request.stages)
    seconds = seconds_maps = 0.0
    scales: list[float] = []
    want_reference = request.reference and series.fully_sampled
    with devices.memory_errors(target, f"{built.spec.title}"), devices.PeakMemory(target) as peak:
        for position, index in enumerate(slices):
            part = report.part(position / len(slices), 1 / len(slices), f"slice {index}: " if len(slices) > 1 else "")
            outcome = _one_slice(built, series, mask, index, frames, target, part, recorder, request.reference_sequence)
            images.append(outcome.image)
            scales.append(outcome.scale)
            seconds += outcome.seconds
            seconds_maps += outcome.seconds_maps
            if want_reference:
                references.append(reference_image(series, [index], frames, part)[0])
    report.step(1, 1, "done")
    shown = _select_frames(mask, frames, series.shape[1])
    return Reconstruction(
        image=np.stack(images),
        method=built.spec.name,
        slices=slices,
        frames=frames,
        mask=shown,
        kind=series.kind,
        times_ms=None if series.times_ms is None else series.times_ms[np.ix_(list(slices), list(frames))],
        voxel_mm=series.voxel_mm,
        reference=np.stack(references) if references else None,
        stages=recorder.arrays(),
        weights=None if built.weights is None else str(built.weights.get("id")),
        seconds=seconds,
        peak_mib=peak.mib,
        notes=(*_notes(series, mask), *_method_notes(request, built, target, frames)),
        provenance=_provenance(request, built, shown, target, scales, seconds, seconds_maps, peak.mib),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    image: Complex
    scale: float
    seconds: float
    seconds_maps: float


def _one_slice(
    built: _Built,
    series: KSpaceSeries,
    mask: SamplingMask,
    index: int,
    frames: tuple[int, ...],
    target: torch.device,
    report: Reporter,
    recorder: StageRecorder,
    second: ReferenceSequence | None = None,
) -> _Outcome:
    """Reconstruct one slice: complex64 (frame, y, x) on the data's own scale."""
    report.step(0, 1, "reading")
    chosen = _select_frames(mask, frames, series.shape[1])
    lines = torch.from_numpy(chosen.lines.copy())
    kspace = torch.from_numpy(np.ascontiguousarray(series.read(index)[list(frames)])) * lines[:, None]
    began = time.perf_counter()
    report.step(0.02, 1, "coil maps")
    maps = coil_maps(series, index, frames, mask, kspace, lines)
    seconds_maps = time.perf_counter() - began
    report.step(0.1, 1, built.spec.title)
    began = time.perf_counter()
    scale = find_scale(kspace, lines, built.normalise)
    kspace = scale.normalise(kspace)  # the name is given anew, so that one copy is enough
    operator = SenseOperator(lines[None, :, None].to(target), maps[None].to(target))
    times = series.times_ms
    data = ReconInput(
        kspace=kspace[None].to(target),
        operator=operator,
        times_ms=None if times is None else torch.from_numpy(times[[index]][:, list(frames)]).to(target),
        acs=_acs_lines(chosen),
        report=report.part(0.1, 0.85),
        stages=recorder.sink(),
    )
    del kspace
    if built.spec.needs_reference:
        led = reference_sequence(second, data, scale, series, index, frames, partial(_fully_sampled, report=report))
        data = dataclasses.replace(data, reference=led)
    # TensorFloat-32 would cost three digits in convolutions on CUDA.
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with torch.inference_mode(), exact, autocast(built.precision, target):
        image = built.method(data)[0]
    result = scale.restore(image).to("cpu", torch.complex64).numpy()
    _check_finite(built, result, index)
    recorder.finish_slice(scale.factor)
    if target.type == "cuda":
        torch.cuda.synchronize(target)
    return _Outcome(result, scale.factor, time.perf_counter() - began, seconds_maps)


def _check_finite(built: _Built, image: Complex, index: int) -> None:
    """Raise ``InputError`` when a method gave NaN or infinity: weights that diverged, or settings that do."""
    bad = int(np.count_nonzero(~np.isfinite(image)))
    if bad:
        raise InputError(
            f"{built.spec.name} gave {bad} values that are NaN or infinite in slice {index} (expected none)",
            "Choose other weights or settings." if built.weights is not None else "Choose other settings or another method.",
        )


def coil_maps(
    series: KSpaceSeries, index: int, frames: tuple[int, ...], mask: SamplingMask, kspace: Tensor, lines: Tensor
) -> Tensor:
    """Return coil maps complex64 (1, coil, y, x) of masked k-space (frame, coil, ky, kx), from the cache when asked before."""
    acs = _calibration_acs(series, mask)
    question = ("maps", index, frames, mask_digest(mask), COIL_MAPS_METHOD)
    return _maps.get(series, question, lambda: estimate(kspace, lines, acs, method=COIL_MAPS_METHOD))


def _acs_lines(mask: SamplingMask) -> int | None:
    """Return how many lines of the centre every frame samples, as a network that finds its own coil maps wants to know it."""
    if mask.lines.all():
        return sampled_centre(mask.lines, REFERENCE_ACS)
    return sampled_centre(mask.lines, mask.lines.shape[1] if mask.acs is None else mask.acs[1] - mask.acs[0])


def _calibration_acs(series: KSpaceSeries, mask: SamplingMask) -> tuple[int, int] | None:
    """Return the lines that the coil maps come from; None where the estimator has to find them."""
    return _reference_acs(series) if mask.lines.all() else mask.acs


def _reference_acs(series: KSpaceSeries) -> tuple[int, int]:
    """Return the centre lines that the reference's coil maps come from."""
    ky = series.shape[KY]
    centre = centre_lines(ky, min(REFERENCE_ACS, ky))
    return centre.start, centre.stop


def reference_image(series: KSpaceSeries, slices: Sequence[int] | None, frames: Sequence[int] | None, report: Reporter) -> Complex:
    """Return the fully sampled image complex64 (slice, frame, y, x): inverse FFT, combined with maps of its own 24 centre lines.

    Combination with coil maps is linear, keeps the phase and adds no noise bias, unlike the root sum of squares; the maps come
    from the same lines that an undersampled acquisition with 24 ACS lines would have.

    Raises
    ------
    InputError
        The series is undersampled.
    """
    if not series.fully_sampled:
        raise InputError(
            "an undersampled series has no reference (expected fully sampled k-space)", "Compare methods with each other."
        )
    chosen = _chosen(slices, series.shape[0], "slice")
    shown = _chosen(frames, series.shape[1], "frame")
    images = []
    for position, index in enumerate(chosen):
        report.check()
        if len(chosen) > 1:
            report.step(position, len(chosen), "reference")
        images.append(_references.get(series, ("reference", index, shown), partial(_reference_slice, series, index, shown)))
    return np.stack(images)


def _fully_sampled(series: KSpaceSeries, slice_index: int, frame: int | None, report: Reporter) -> Complex:
    """Return the fully sampled image of a slice, complex64 (frame, y, x)."""
    image: Complex = reference_image(series, [slice_index], None if frame is None else [frame], report)[0]
    return image


def _reference_slice(series: KSpaceSeries, index: int, frames: tuple[int, ...]) -> Complex:
    kspace = torch.from_numpy(np.ascontiguousarray(series.read(index)[list(frames)]))
    everything = torch.ones((1, series.shape[KY], 1), dtype=torch.bool)
    maps = estimate(kspace, everything, _reference_acs(series), method=COIL_MAPS_METHOD)
    image: Complex = combine(ifft2c(kspace), maps).numpy()
    return image


def effective_mask(series: KSpaceSeries, mask: SamplingMask | None) -> SamplingMask:
    """Return the mask that holds for the data: the asked one, what was acquired, or what both measure."""
    acquired = series.acquired
    if mask is None:
        if acquired is not None:
            return acquired
        return SamplingMask(np.ones((1, series.shape[KY], 1), dtype=np.bool_), "full", 1.0, acs=None)
    mask.check_fits(series.shape)
    if acquired is None:
        return mask
    both = mask.lines & acquired.lines
    if not both.any():
        raise InputError(
            "the mask measures none of the lines that were acquired", "Reconstruct the data as measured: leave out the mask."
        )
    if (both == acquired.lines).all():
        return acquired
    return dataclasses.replace(mask, lines=both, acs=_common(mask.acs, acquired.acs))


def _common(a: tuple[int, int] | None, b: tuple[int, int] | None) -> tuple[int, int] | None:
    if a is None or b is None:
        return None
    first, last = max(a[0], b[0]), min(a[1], b[1])
    return (first, last) if first < last else None


def _select_frames(mask: SamplingMask, frames: tuple[int, ...], total: int) -> SamplingMask:
    if mask.lines.shape[0] == 1 or frames == tuple(range(total)):
        return mask
    return dataclasses.replace(mask, lines=mask.lines[list(frames)])


def _chosen(indices: Sequence[int] | None, size: int, name: str) -> tuple[int, ...]:
    if indices is None:
        return tuple(range(size))
    outside = [i for i in indices if not 0 <= i < size]
    if outside or not indices:
        raise InputError(f"{name} {outside or 'list'} does not exist (expected 0 to {size - 1})", f"The series has {size} {name}s.")
    return tuple(int(i) for i in indices)


def _build(request: ReconRequest, target: torch.device) -> _Built:
    """Make the method with its settings and weights, on the device."""
    spec = MODELS.get(request.method)
    check_precision(request.precision, target, spec.trainable, spec.name)
    if not spec.trainable:
        if request.weights is not None:
            raise InputError(f"{spec.name} takes no weights (expected none / found {request.weights})", "Leave out --weights.")
        config = configured(spec, request.options)
        return _Built(spec, spec.build(config), config, None)
    from engine.reconstruction.weights import load, make_config

    if request.options:
        raise InputError(
            f"{spec.name} takes no options (found {', '.join(request.options)})", "Its settings come with its weights."
        )
    module, card = load(spec.name, request.weights, target)
    return _Built(spec, module, make_config(spec, card["config"], card["id"]), card, request.precision)


def configured(spec: ModelSpec, options: Mapping[str, Any]) -> Any:
    """Return the default preset of a method with some fields replaced; a wrong name or type is an ``InputError``."""
    config = next(iter(spec.presets.values()))
    fields = {field.name: field for field in dataclasses.fields(config)}
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name not in fields:
            raise InputError(
                f"{spec.name} has no option {name!r} (expected {', '.join(fields) or 'none'})",
                "`myoscope models --json` lists them.",
            )
        default = getattr(config, name)
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if default is not None and value is not None and type(value) is not type(default):
            raise InputError(
                f"option {name} of {spec.name} is {value!r} (expected {type(default).__name__})",
                f"For example --option {name}={default}.",
            )
        values[name] = value
    return dataclasses.replace(config, **values)


def _check_serves(spec: ModelSpec, series: KSpaceSeries) -> None:
    coils = series.shape[COIL]
    if spec.max_coils is not None and coils > spec.max_coils:
        raise InputError(f"{spec.name} serves {spec.max_coils} coil (found {coils})", "Choose a multi-coil method.")
    if series.kind is not Kind.UNKNOWN and series.kind.value not in spec.kinds:
        raise InputError(
            f"{spec.name} is not made for {series.kind.value} (expected {', '.join(spec.kinds)})", "Choose another method."
        )


def _notes(series: KSpaceSeries, mask: SamplingMask) -> tuple[str, ...]:
    notes = list(series.notes)
    if series.acquired is not None and mask is not series.acquired:
        notes.append("undersampled further than it was acquired")
    if mask.acs is None and mask.pattern not in ("full", "acquired") and series.shape[COIL] > 1:
        notes.append("no ACS lines: coil maps come from the frames' average")
    return tuple(notes)


def _method_notes(request: ReconRequest, built: _Built, target: torch.device, frames: tuple[int, ...]) -> list[str]:
    """Return what a result says about the way its method was run."""
    led = [sequence_note(request.reference_sequence, request.series, frames)] if built.spec.needs_reference else []
    return [*led, *precision_note(built.precision, target)]


def _provenance(
    request: ReconRequest,
    built: _Built,
    mask: SamplingMask,
    target: torch.device,
    scales: list[float],
    seconds: float,
    seconds_maps: float,
    peak_mib: float | None,
) -> dict[str, Any]:
    """Return the record that is written with the result."""
    spec = built.spec
    return provenance.record(
        method=spec.name,
        settings=None if built.config is None else dataclasses.asdict(built.config),
        weights=None if built.weights is None else {key: built.weights.get(key) for key in ("id", "sha256", "licence", "source")},
        mask={
            "pattern": mask.pattern,
            "nominal_acceleration": mask.nominal_acceleration,
            "effective_acceleration": mask.effective_acceleration,
            "acs": mask.acs,
            "seed": mask.seed,
        },
        reference_sequence=sequence_record(request.reference_sequence) if spec.needs_reference else None,
        coil_maps={"method": COIL_MAPS_METHOD, "acs": _calibration_acs(request.series, mask)},
        normalisation={"rule": built.normalise, "scale": scales, "undone": True},
        reference=f"inverse FFT combined with {COIL_MAPS_METHOD} maps of the {REFERENCE_ACS} centre lines",
        device=devices.label(target),
        precision=built.precision,
        seconds=round(seconds, 4),
        seconds_coil_maps=round(seconds_maps, 4),
        peak_memory_mib=None if peak_mib is None else round(peak_mib, 1),
        source=request.series.name,
        notes=list(request.series.notes),
        paper=spec.paper,
    )
