"""What can be fitted in a case: its reference and its results, with the times of their frames; and the maps as they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.display.frames import REFERENCE
from app.display.map_state import Drawing, FitSettings
from app.document.case import Case, MapResult
from app.maps.snapshot import MapEntry, MapSnapshot
from engine.core.geometry import UNKNOWN, Geometry
from engine.core.types import Float, ImageSeries, Kind

QUANTITIES = {Kind.MOLLI: "T1", Kind.T2PREP: "T2"}


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Images that can be fitted: float32 or complex64 (slice, frame, y, x).

    ``identity`` is another name for other images; ``geometry`` is that of ``slices``, which are numbers of the series; ``why``
    says why they cannot be fitted, "" when they can.
    """

    key: str
    title: str
    images: NDArray[Any] | None
    slices: tuple[int, ...]
    frames: tuple[int, ...]
    identity: str
    geometry: Geometry
    why: str = ""


def sources_of(case: Case) -> tuple[Source, ...]:
    """Return the reference first (when there is, or will be, one), then the results in their order."""
    found: list[Source] = []
    data, identity = case.data, f"{case.key}/{REFERENCE}"
    if isinstance(data, ImageSeries) and (case.saved is None or case.saved.reference is not None):
        title = "Images" if case.saved is None else "Reference"
        slices = tuple(range(case.slices))
        found.append(Source(REFERENCE, title, data.images, slices, tuple(range(case.frames)), identity, data.geometry))
    elif case.comparable:
        slices = tuple(sorted(case.reference_slices))
        images = None if case.reference is None or not slices else case.reference
        why = "" if images is not None else "The reference is being computed."
        where = data.geometry.select(slices) if slices else UNKNOWN
        found.append(Source(REFERENCE, "Reference", images, slices, tuple(range(case.frames)), identity, where, why))
    for result in case.results:
        made = result.reconstruction
        why = "" if len(made.frames) == case.frames else f"Only {len(made.frames)} of {case.frames} frames were reconstructed."
        where = made.geometry
        found.append(Source(result.key, result.title, made.image, made.slices, made.frames, result.identity, where, why))
    return tuple(found)


def picked(source: Source) -> NDArray[Any]:
    """Return the images of the slices that are there (a reference holds zeros for those that are not)."""
    assert source.images is not None
    if source.key == REFERENCE and len(source.slices) < source.images.shape[0]:
        return source.images[list(source.slices)]
    return source.images


def times_of(case: Case) -> Float | None:
    """Return the times (slice, frame) in ms that the next fit uses: those a person gave, else those of the series."""
    return case.fit.times_ms if case.fit.times_ms is not None else case.data.times_ms


def source_times(case: Case, source: Source) -> Float | None:
    """Return the times of a source's own slices and frames."""
    times = times_of(case)
    return None if times is None else times[list(source.slices)][:, list(source.frames)]


def why_stale(result: MapResult, source: Source | None, settings: FitSettings) -> str:
    """Return why maps are out of date, "" when they are not."""
    if source is None:
        return "stale: its images were removed"
    if result.source != source.identity:
        return "stale: the images changed"
    if not result.settings.alike(settings):
        return "stale: other settings"
    return ""


def needs_fit(case: Case, source: Source) -> bool:
    """Whether a source has no maps, or they are out of date, or lack a slice that is there now."""
    made = next((result for result in case.maps if result.key == source.key), None)
    if made is None or why_stale(made, source, case.fit):
        return True
    return not set(source.slices) <= set(made.maps.slices)


def map_snapshot(case: Case | None, hint: str) -> MapSnapshot:
    """Return the maps of a case as they are drawn: the reference's first, then in the order of the results."""
    if case is None:
        return MapSnapshot(hint=hint)
    sources = {source.key: source for source in sources_of(case)}
    order = [*sources, *(result.key for result in case.maps if result.key not in sources)]
    shown = [result for result in case.maps if result.key not in case.fit.skipped]
    entries = tuple(
        MapEntry(r.key, r.title, r.maps, r.stamp, why_stale(r, sources.get(r.key), case.fit), r.before)
        for r in sorted(shown, key=lambda r: order.index(r.key))
    )
    return MapSnapshot(
        entries=entries,
        slices=case.slices,
        voxel_mm=case.data.voxel_mm,
        drawing=case.drawings.get(case.view.slice_index, Drawing()),
        notes=tuple(note for note in case.data.notes if len(note) <= 32 and not note.startswith("sample:")),
        hint=hint,
    )


def why_no_maps(case: Case | None) -> str:
    """Return what to do before a map can be fitted, "" when one can."""
    if case is None:
        return "Open a MOLLI or T2-prepared series, or choose a sample."
    if case.data.kind is Kind.CINE:
        return "A cine has no inversion or preparation times. Open a MOLLI or T2-prepared series, or choose a sample."
    if case.frames < 2:
        return "One image cannot be fitted: open a series of several inversion or preparation times."
    if not sources_of(case):
        return "The series was undersampled when measured: reconstruct it first, in Review (Ctrl+1)."
    return ""


def edited_times(case: Case, slice_index: int, frame: int | None, values: tuple[float, ...]) -> Float:
    """Return the times (slice, frame) after an edit of one frame, or of all frames (``frame`` None), of a slice.

    Where all slices share their times they go on doing so.
    """
    times = times_of(case)
    made = np.zeros((case.slices, case.frames), np.float32) if times is None else np.array(times, np.float32)
    shared = bool((made == made[:1]).all())
    rows = slice(None) if shared else slice(slice_index, slice_index + 1)
    if frame is None:
        made[rows] = np.asarray(values, np.float32)
    else:
        made[rows, frame] = values[0]
    made.flags.writeable = False
    return made
