"""One series with all that was made from it, as an immutable state. What has changed is another state that shares the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeAlias

from app.display.map_state import Drawing, FitSettings, MapView
from app.display.state import ViewState
from engine.core.maps import MapSet
from engine.core.records.plain import Plain
from engine.core.requests import MaskRequest
from engine.core.types import Complex, ImageSeries, KSpaceSeries, Reconstruction, Region, SamplingMask, Score

SAMPLE_NOTE = "sample:"
Value: TypeAlias = bool | int | float | str | tuple[int | float, ...] | None
"""What an option may be: of a reader, a phantom, a mask, a method."""


class Source(StrEnum):
    """Where data come from."""

    FILE = "file"
    SAMPLE = "sample"
    PHANTOM = "phantom"
    RESULT = "result"  # a file that holds a reconstruction
    MEMORY = "memory"  # nothing tells how to have them again


def record_values(record: Any) -> dict[str, Any]:
    """Return the fields of a record (options of a reader, settings of a phantom) that are not at their defaults."""
    return {one.name: value for one in fields(record) if (value := getattr(record, one.name)) != one.default}


@dataclass(frozen=True, slots=True)
class Origin:
    """How the data of a case can be had again.

    Parameters
    ----------
    source, name
        Where they come from: the path of a file, the name of a sample, "" for a phantom.
    options
        What a person said about the file; the settings of a phantom.
    simulation
        Number of coils and signal to noise, when k-space was simulated from the images; None when it was not.
    """

    source: Source = Source.MEMORY
    name: str = ""
    options: Mapping[str, Value] = field(default_factory=dict)
    simulation: tuple[int, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A result of a session file that is not there yet: it can be made again from these settings.

    Parameters
    ----------
    key, method, title
        As those of the :class:`Result` it was, and will be.
    mask, slices, options, weights, weights_sha256
        How it was made.
    """

    key: str
    method: str
    title: str
    mask: SamplingMask
    slices: tuple[int, ...]
    options: Mapping[str, Plain] = field(default_factory=dict)
    weights: str | None = None
    weights_sha256: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What one method made of one mask: some slices now, perhaps more later.

    Parameters
    ----------
    key, method, title
        Identity in this session, name in the registry, name on screen.
    mask, reconstruction, scores
        What it was made with, the images, (metric, region) -> score.
    original
        As it lies in the file it was read from; None when it was made here.
    options
        Settings of the method that were not at their defaults.
    stamp
        Another number for other images: what was made from them knows by it whether they are still the same.
    percentile
        Of the dynamic region that the scores were taken with; None while there are none.
    file
        Where these images lie on disk, "" when they do not.
    """

    key: str
    method: str
    title: str
    mask: SamplingMask
    reconstruction: Reconstruction
    scores: Mapping[tuple[str, str], Score] = field(default_factory=dict)
    original: Reconstruction | None = None
    options: Mapping[str, Plain] = field(default_factory=dict)
    stamp: int = 0
    percentile: float | None = None
    file: str = ""

    @property
    def slices(self) -> tuple[int, ...]:
        """Slices that are there: in the order they were made while a run goes on, ascending when it has ended."""
        return self.reconstruction.slices

    @property
    def identity(self) -> str:
        """Name of the images: it changes with them."""
        return f"{self.key}#{self.stamp}"


@dataclass(frozen=True, slots=True, eq=False)
class MapResult:
    """The maps of one source: ``"reference"`` or the key of a result.

    ``before`` are the maps without motion correction, when there was one. ``settings`` are those it was fitted with; ``source`` is
    the identity of the images that were fitted, so that it can be said when those on screen are others. ``stamp`` is another number
    for other maps, ``file`` where they lie on disk ("" when they do not).
    """

    key: str
    title: str
    maps: MapSet
    settings: FitSettings
    source: str = ""
    before: MapSet | None = None
    stamp: int = 0
    file: str = ""


@dataclass(frozen=True, slots=True, eq=False)
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
    origin
        How its data can be had again.
    reading
        Words that follow ``path`` on the command line: what a person said about the file (``--axes`` and the like).
    reference, reference_slices, reference_memory
        Image of all slices that results are compared with (read-only), which of its slices are there already (others hold zeros),
        and the memory they are written into, each slice once: an earlier state does not claim the slices that came later.
    reference_failed
        Slices whose reference could not be made.
    region
        Dynamic region of the reference.
    request, mask, mask_file
        The mask of the sampling panel, and the request it was made from or the file it was read from.
    preview
        Zero-filled image of ``mask``.
    results, view, selected
        What methods made, how it is looked at in Review, and the key of the pane selected there ("" for none).
    seen
        Whether it was on screen: the view begins with what a person last chose.
    saved
        The reconstruction of the file this case was opened from, as it lies there; None for a series. ``data`` then holds its
        reference (its image when it has none), and slices and frames are counted from 0 as in the file.
    pending
        Results of a session file that are not there yet.
    maps, fit, map_view, map_selected, drawings
        Fitted maps, how the next ones are fitted, how they are looked at, the pane selected among them, and what was drawn on each
        slice.
    """

    key: str
    title: str
    data: KSpaceSeries | ImageSeries
    path: str = ""
    commands: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)
    reading: tuple[str, ...] = ()
    reference: Complex | None = None
    reference_slices: frozenset[int] = frozenset()
    reference_memory: Complex | None = None
    reference_failed: frozenset[int] = frozenset()
    region: Region | None = None
    request: MaskRequest | None = None
    mask: SamplingMask | None = None
    mask_file: str = ""
    preview: Reconstruction | None = None
    results: tuple[Result, ...] = ()
    view: ViewState = field(default_factory=ViewState)
    selected: str = ""
    seen: bool = False
    saved: Reconstruction | None = None
    pending: tuple[Pending, ...] = ()
    maps: tuple[MapResult, ...] = ()
    fit: FitSettings = field(default_factory=FitSettings)
    map_view: MapView = field(default_factory=MapView)
    map_selected: str = ""
    drawings: Mapping[int, Drawing] = field(default_factory=dict)

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

    def result(self, key: str) -> Result | None:
        """Return the result with this key."""
        return next((result for result in self.results if result.key == key), None)
