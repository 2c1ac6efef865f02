"""What is loaded, sampled and reconstructed. Changed on the GUI thread only, by controllers and undo commands; does no work."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.display.map_state import Drawing, FitSettings, MapView
from app.display.snapshot import ResultEntry, SessionSnapshot
from app.display.state import ViewState
from app.display.words import TIME_NAMES, stale_text
from engine.core.maps import MapSet
from engine.core.requests import MaskRequest
from engine.core.types import Complex, ImageSeries, Kind, KSpaceSeries, Reconstruction, Region, SamplingMask, Score, frozen

PREVIEW_KEY = "preview"
SAMPLE_NOTE = "sample:"


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What one method made of one mask: some slices now, perhaps more later."""

    key: str
    method: str
    title: str
    mask: SamplingMask
    reconstruction: Reconstruction
    scores: Mapping[tuple[str, str], Score] = field(default_factory=dict)
    #: As it lies in the file it was read from; None when it was made here.
    original: Reconstruction | None = None
    #: Settings of the method that were not at their defaults.
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def slices(self) -> tuple[int, ...]:
        """Slices that are there, ascending."""
        return self.reconstruction.slices


@dataclass(frozen=True, slots=True, eq=False)
class MapResult:
    """The maps of one source: ``"reference"`` or the key of a result.

    ``before`` are the maps without motion correction, when there was one. ``settings`` are those it was fitted with;
    ``source_id`` is the identity of the images that were fitted, so that it can be said when those on screen are others.
    """

    key: str
    title: str
    maps: MapSet
    settings: FitSettings
    source_id: int = 0
    before: MapSet | None = None


@dataclass(eq=False)
class Case:
    """One series with all that was made from it.

    Parameters
    ----------
    key, title
        Identity in this session, and name on screen.
    data
        k-space, or images that coils may be simulated for.
    path
        File a person would name on the command line.
    commands
        Lines to type first so that ``path`` exists (simulation, phantom).
    reading
        Words that follow ``path`` on the command line: what a person said about the file (``--axes`` and the like).
    reference, reference_slices
        Image of all slices that results are compared with, and which of its slices are there already (others hold zeros).
    saved
        The reconstruction of the file this case was opened from, as it lies there; None for a series. ``data`` then holds its
        reference (its image when it has none), and slices and frames are counted from 0 as in the file.
    maps, fit, map_view, drawings
        Fitted maps, how the next ones are fitted, how they are looked at, and what was drawn on each slice.
    """

    key: str
    title: str
    data: KSpaceSeries | ImageSeries
    path: str = ""
    commands: tuple[str, ...] = ()
    reference: Complex | None = None
    reference_slices: frozenset[int] = frozenset()
    reference_failed: set[int] = field(default_factory=set)
    region: Region | None = None
    request: MaskRequest | None = None
    mask: SamplingMask | None = None
    mask_file: str = ""
    preview: Reconstruction | None = None
    results: tuple[Result, ...] = ()
    view: ViewState = field(default_factory=ViewState)
    saved: Reconstruction | None = None
    reading: tuple[str, ...] = ()
    touched: bool = False
    maps: tuple[MapResult, ...] = ()
    fit: FitSettings = field(default_factory=FitSettings)
    map_view: MapView = field(default_factory=MapView)
    drawings: Mapping[int, Drawing] = field(default_factory=dict)
    _buffer: Complex | None = None

    @property
    def kspace(self) -> KSpaceSeries | None:
        """The series when it has k-space, else None."""
        return self.data if isinstance(self.data, KSpaceSeries) else None

    @property
    def reference_words(self) -> str:
        """What the reference is."""
        if self.saved is not None:
            return "stored with the result"
        return "fully sampled" if self.kspace is not None else "images as opened"

    @property
    def comparable(self) -> bool:
        """Whether there is, or will be, a reference."""
        if self.saved is not None:
            return self.saved.reference is not None
        return self.kspace is None or self.kspace.fully_sampled

    @property
    def slices(self) -> int:
        """Number of slices."""
        return int(self.data.shape[0])

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.data.shape[1])


class Session(QObject):
    """All cases, the current one, and signals that say what changed."""

    cases_changed = Signal()  # the list
    case_changed = Signal()  # another one is current
    mask_changed = Signal()
    reference_changed = Signal()
    region_changed = Signal()
    preview_changed = Signal()
    results_changed = Signal()
    view_changed = Signal()
    maps_changed = Signal()
    map_view_changed = Signal()
    fit_changed = Signal()
    drawings_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cases: tuple[Case, ...] = ()
        self.current: Case | None = None
        #: Key of the selected pane, "" for none.
        self.selected = ""
        #: Names of methods on screen, by registry name; empty until the catalogue is there.
        self.titles: Mapping[str, str] = {}
        self._numbers = itertools.count(1)

    # --- cases ---------------------------------------------------------------------------------------------------------

    def new_case(self, data: KSpaceSeries | ImageSeries, title: str, path: str = "", commands: tuple[str, ...] = ()) -> Case:
        """Return a case that is not yet part of the session; the view starts in the middle slice."""
        return Case(f"case-{next(self._numbers)}", title, data, path, commands, view=ViewState(slice_index=int(data.shape[0]) // 2))

    def insert_case(self, case: Case, index: int | None = None, after: Case | None = None) -> None:
        """Add a case (behind ``after``, at ``index``, or last) and make it the current one."""
        cases = list(self.cases)
        place = cases.index(after) + 1 if after is not None and after in cases else len(cases) if index is None else index
        cases.insert(place, case)
        self.cases = tuple(cases)
        self.cases_changed.emit()
        self.select(case)

    def remove_case(self, case: Case) -> int:
        """Take a case out, select a neighbour, and return where it stood."""
        index = self.cases.index(case)
        self.cases = tuple(other for other in self.cases if other is not case)
        if self.current is case:
            self.select(self.cases[min(index, len(self.cases) - 1)] if self.cases else None)
        self.cases_changed.emit()
        return index

    def select(self, case: Case | None) -> None:
        """Make a case the current one."""
        if case is not self.current:
            self.current = case
            self.case_changed.emit()

    def find(self, key: str) -> Case | None:
        """Return the case with this key."""
        return next((case for case in self.cases if case.key == key), None)

    # --- what is made from a case --------------------------------------------------------------------------------------

    def set_mask(self, case: Case, request: MaskRequest | None, mask: SamplingMask | None, file: str = "") -> None:
        """Set the mask of a case, made from a request or read from a file; results made with another one stay and are marked."""
        case.request, case.mask, case.mask_file = request, mask, file
        case.preview = None
        self._tell(case, self.mask_changed)

    def set_reference(self, case: Case, slices: tuple[int, ...], images: Complex) -> None:
        """Add reference images (slice, frame, y, x) of ``slices``."""
        if len(slices) == case.slices:
            case._buffer = images
        else:
            if case._buffer is None:
                case._buffer = np.zeros((case.slices, *images.shape[1:]), np.complex64)
            case._buffer[list(slices)] = images
        # A new view of the same memory: what was derived from the old one (an empty slice) is not used again.
        case.reference = frozen(case._buffer, np.complex64)
        case.reference_slices = case.reference_slices | frozenset(slices)
        self._tell(case, self.reference_changed)

    def set_region(self, case: Case, region: Region | None) -> None:
        """Set the dynamic region."""
        case.region = region
        self._tell(case, self.region_changed)

    def set_preview(self, case: Case, preview: Reconstruction | None) -> None:
        """Set the live zero-filled image."""
        case.preview = preview
        self._tell(case, self.preview_changed)

    def add_result(
        self,
        case: Case,
        method: str,
        title: str,
        made: Reconstruction,
        keep_earlier: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> list[Result]:
        """Add what a method made; return the results it replaced.

        Slices made with the same mask, weights and settings join those that are there. A result of the same method that was made
        otherwise is replaced in place unless ``keep_earlier``.
        """
        options = options or {}
        # The licence of a sample is in the provenance; under a picture it would be noise.
        made = replace(made, notes=tuple(note for note in made.notes if not note.startswith(SAMPLE_NOTE)))
        replaced: list[Result] = []
        results = list(case.results)
        same = next((r for r in results if made_alike(r, method, made, options)), None)
        if same is not None:
            joined = join(same.reconstruction, made)
            results[results.index(same)] = replace(same, reconstruction=joined, scores={})
        else:
            result = Result(f"{method}-{next(self._numbers)}", method, title, made.mask, made, options=options)
            earlier = [r for r in results if r.method == method]
            if earlier and not keep_earlier:
                results[results.index(earlier[-1])] = result
                replaced = [earlier[-1]]
            else:
                results.append(result)
        self.set_results(case, tuple(results))
        return replaced

    def add_saved(self, case: Case, title: str, made: Reconstruction, original: Reconstruction) -> Result:
        """Add a reconstruction that was read from a file (``made`` is how it is shown), beside all others; return its result."""
        counted = replace(made, slices=tuple(range(case.slices)), frames=tuple(range(case.frames)), reference=None)
        result = Result(f"{made.method}-{next(self._numbers)}", made.method, title, made.mask, counted, original=original)
        self.set_results(case, (*case.results, result))
        return result

    def set_titles(self, titles: Mapping[str, str]) -> None:
        """Say what methods are called; results that were read before it was known get their names."""
        self.titles = titles
        for case in self.cases:
            if case.saved is not None:
                self.set_results(case, tuple(replace(r, title=titles.get(r.method, r.title)) for r in case.results))

    def set_results(self, case: Case, results: tuple[Result, ...]) -> None:
        """Replace the list of results."""
        case.results = results
        self._tell(case, self.results_changed)

    def set_scores(self, case: Case, key: str, scores: Mapping[tuple[str, str], Score]) -> None:
        """Set the scores of one result."""
        self.set_results(case, tuple(replace(r, scores=dict(scores)) if r.key == key else r for r in case.results))

    def set_view(self, case: Case, view: ViewState) -> None:
        """Change what is looked at and how."""
        if view != case.view:
            case.view = view
            self._tell(case, self.view_changed)

    # --- maps ----------------------------------------------------------------------------------------------------------

    def set_maps(self, case: Case, maps: tuple[MapResult, ...]) -> None:
        """Replace the list of maps."""
        case.maps = maps
        self._tell(case, self.maps_changed)

    def set_fit(self, case: Case, settings: FitSettings) -> None:
        """Change how the next maps are fitted."""
        if not settings.same(case.fit):
            case.fit = settings
            self._tell(case, self.fit_changed)

    def set_map_view(self, case: Case, view: MapView) -> None:
        """Change how maps are looked at."""
        if view != case.map_view:
            case.map_view = view
            self._tell(case, self.map_view_changed)

    def set_drawings(self, case: Case, drawings: Mapping[int, Drawing]) -> None:
        """Replace what was drawn on the slices."""
        if drawings != case.drawings:
            case.drawings = drawings
            self._tell(case, self.drawings_changed)

    def _tell(self, case: Case, signal: object) -> None:
        if case is self.current:
            signal.emit()  # type: ignore[attr-defined]

    # --- for drawing ---------------------------------------------------------------------------------------------------

    def snapshot(self) -> SessionSnapshot:
        """Return the current case, frozen for drawing."""
        case = self.current
        if case is None:
            return SessionSnapshot()
        entries = [ResultEntry(r.key, r.title, r.reconstruction, r.scores) for r in case.results]
        if case.preview is not None and not has_zero_filled(case):
            entries.insert(0, ResultEntry(PREVIEW_KEY, "Zero-filled, live", case.preview, {}, preview=True))
        return SessionSnapshot(
            title=case.title,
            reference=case.reference,
            reference_slices=case.reference_slices,
            reference_words=case.reference_words,
            results=tuple(entries),
            mask=case.mask,
            region=case.region,
            frame_ms=frame_duration(case),
            times_ms=case.data.times_ms,
            time_name=TIME_NAMES.get(case.data.kind, ""),
            notes=tuple(note for note in case.data.notes if not note.startswith(SAMPLE_NOTE)),
            slices=tuple(range(case.slices)),
            frames=tuple(range(case.frames)),
            voxel_mm=case.data.voxel_mm,
        )


def is_stale(result: Result, case: Case) -> bool:
    """Whether a result was made with another mask than the one of the sampling panel."""
    return bool(stale_text(result.mask, case.mask))


def made_alike(result: Result, method: str, made: Reconstruction, options: Mapping[str, Any]) -> bool:
    """Whether a result was made by a method with the mask and the weights of ``made``, and with these settings."""
    same = result.method == method and result.reconstruction.weights == made.weights and result.options == options
    return same and not stale_text(result.mask, made.mask)


def mask_words(mask: SamplingMask) -> str:
    """Return a mask in few words: pattern, nominal and effective acceleration."""
    effective = f"{mask.effective_acceleration:.1f}"
    if mask.nominal_acceleration is None:
        return f"{mask.pattern}, R {effective} effective"
    return f"{mask.pattern} R {mask.nominal_acceleration:g} ({effective} effective)"


def has_zero_filled(case: Case) -> bool:
    """Whether the zero-filled image of the slice on screen was reconstructed with the current mask already."""
    return any(r.method == "zero_filled" and not is_stale(r, case) and case.view.slice_index in r.slices for r in case.results)


def frame_duration(case: Case) -> float | None:
    """Return the duration of a cine frame in ms when the times tell, else None."""
    times = case.data.times_ms
    if case.data.kind is not Kind.CINE or times is None or times.shape[1] < 2:
        return None
    step = float(np.median(np.diff(times[0])))
    return step if step > 0 else None


def join(first: Reconstruction, second: Reconstruction) -> Reconstruction:
    """Return both reconstructions (same method, mask and frames) as one; slices of the second win."""
    if set(first.slices) <= set(second.slices) or first.frames != second.frames:
        return second
    kept = [index for index, s in enumerate(first.slices) if s not in second.slices]
    slices = [*(first.slices[index] for index in kept), *second.slices]
    order = np.argsort(slices)

    def both(a: Complex | None, b: Complex | None) -> Complex | None:
        return None if a is None or b is None else np.concatenate([a[kept], b])[order]

    image = both(first.image, second.image)
    assert image is not None
    return replace(
        second,
        image=image,
        slices=tuple(slices[index] for index in order),
        reference=both(first.reference, second.reference),
        times_ms=None
        if first.times_ms is None or second.times_ms is None
        else np.concatenate([first.times_ms[kept], second.times_ms])[order],
        stages={},
        seconds=first.seconds + second.seconds,
        provenance={**second.provenance, "parts": [dict(first.provenance), dict(second.provenance)]},
    )
