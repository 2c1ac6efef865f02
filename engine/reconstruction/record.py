"""The result of a run with all that is said about it: notes, and one flat record of how each slice came about."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engine.core import device as devices
from engine.core import provenance
from engine.core.axes import COIL
from engine.core.records.plain import Plain
from engine.core.records.values import listed, number, tabled
from engine.core.requests import MethodRequest, RunRequest
from engine.core.types import Complex, KSpaceSeries, Reconstruction, SamplingMask
from engine.reconstruction.build import Built
from engine.reconstruction.inputs import COIL_MAPS_METHOD, REFERENCE_ACS, calibration_acs
from engine.reconstruction.judgement import gathered
from engine.reconstruction.precision import note as precision_note
from engine.reconstruction.reference_sequence import note as sequence_note
from engine.reconstruction.reference_sequence import record as sequence_record


@dataclass(frozen=True, slots=True)
class Spent:
    """What a slice took: scale of its k-space, seconds of the method and of the coil maps, peak memory, sets of maps; notes."""

    slice_index: int
    scale: float
    seconds: float
    seconds_maps: float
    peak_mib: float | None
    sets: int = 1
    notes: tuple[str, ...] = ()


def finished(
    built: Built,
    request: RunRequest,
    method: MethodRequest,
    *,
    images: Complex,
    references: Complex | None,
    slices: tuple[int, ...],
    frames: tuple[int, ...],
    mask: SamplingMask,
    target: torch.device,
    spent: Sequence[Spent],
    earlier: Reconstruction | None,
    notes: Sequence[str],
    stages: Mapping[str, Complex],
) -> Reconstruction:
    """Return what is there of a method's result.

    Slices of ``earlier`` that stayed keep their records: provenance names the runs one beside the other, never one in another.
    """
    series = request.series
    peaks = [one.peak_mib for one in spent if one.peak_mib is not None]
    peak = max(peaks) if peaks else None
    now = _provenance(built, request, method, mask, target, spent, peak)
    runs = _earlier_runs(earlier, slices, spent)
    return Reconstruction(
        image=images,
        method=built.spec.name,
        slices=slices,
        frames=frames,
        mask=mask,
        kind=series.kind,
        times_ms=None if series.times_ms is None else series.times_ms[np.ix_(list(slices), list(frames))],
        geometry=series.geometry.select(slices),
        reference=references,
        stages=stages,
        weights=None if built.weights is None else str(built.weights.get("id")),
        seconds=sum(one.seconds for one in spent) + (earlier.seconds if runs and earlier is not None else 0.0),
        peak_mib=peak,
        notes=(
            *notes,
            *_method_notes(built, request, method, target, frames),
            *gathered({one.slice_index: one.notes for one in spent}),
        ),
        provenance={**now, "earlier_runs": runs} if runs else now,
    )


def _earlier_runs(earlier: Reconstruction | None, slices: tuple[int, ...], spent: Sequence[Spent]) -> list[dict[str, Plain]]:
    """Return the records of the runs that made the slices that stayed, a flat list, the slices that each still stands for."""
    if earlier is None:
        return []
    stayed = set(slices) - {one.slice_index for one in spent}
    last = {key: value for key, value in earlier.provenance.items() if key != "earlier_runs"}
    runs: list[dict[str, Plain]] = []
    for record in (*map(tabled, listed(earlier.provenance.get("earlier_runs", ()))), last):
        left = [s for s in (int(number(s)) for s in listed(record.get("slices", earlier.slices))) if s in stayed]
        if left:
            runs.append({**record, "slices": left})
            stayed -= set(left)
    return runs


def series_notes(series: KSpaceSeries, mask: SamplingMask) -> tuple[str, ...]:
    """Return what a result says about its series and the mask that holds for it (of all frames)."""
    notes = list(series.notes)
    if not series.fully_sampled and not any(mask is one for one in series.acquisition.masks):
        notes.append("undersampled further than it was acquired")
    if mask.acs is None and mask.pattern not in ("full", "acquired") and series.shape[COIL] > 1:
        notes.append("no ACS lines: coil maps come from the frames' average")
    return tuple(notes)


def _method_notes(
    built: Built, request: RunRequest, method: MethodRequest, target: torch.device, frames: tuple[int, ...]
) -> list[str]:
    """Return what a result says about the way its method was run."""
    led = [sequence_note(method.reference_sequence, request.series, frames)] if built.spec.needs_reference else []
    return [*led, *precision_note(built.precision, target)]


def _provenance(
    built: Built,
    request: RunRequest,
    method: MethodRequest,
    mask: SamplingMask,
    target: torch.device,
    spent: Sequence[Spent],
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
        slices=[one.slice_index for one in spent],
        reference_sequence=sequence_record(method.reference_sequence) if spec.needs_reference else None,
        coil_maps={
            "method": COIL_MAPS_METHOD,
            "acs": calibration_acs(request.series, mask),
            "sets": [one.sets for one in spent],
        },
        normalisation={"rule": built.normalise, "scale": [one.scale for one in spent], "undone": True},
        reference=f"inverse FFT combined with {COIL_MAPS_METHOD} maps of the {REFERENCE_ACS} centre lines",
        device=devices.label(target),
        precision=built.precision,
        seconds=round(sum(one.seconds for one in spent), 4),
        seconds_coil_maps=round(sum(one.seconds_maps for one in spent), 4),
        peak_memory_mib=None if peak_mib is None else round(peak_mib, 1),
        source=request.series.name,
        notes=list(request.series.notes),
        paper=spec.paper,
    )
