"""What a file holds, in plain values, and the data that ship with the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Acceleration:
    """Nominal R (None when it is not known) and effective R, samples of full k-space divided by measured ones."""

    nominal: float | None
    effective: float


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """What a series is.

    Parameters
    ----------
    name, format, content, kind
        Its name, the format's, ``kspace`` or ``images``, what the frames are.
    axes
        Axis -> size, in storage order.
    times_ms
        One list when all slices share their times, else one for each slice; None when unknown.
    fully_sampled
        Images count as fully sampled unless they say how they were accelerated.
    pattern
        Mask pattern, None when there is none.
    sampling_known_from
        What the statement on the sampling stands on ("a part of the data"), None for images.
    window
        Axis -> first and one-past-last index that was acquired, None when all was or nothing is known of it.
    voxel_mm
        (slice, y, x).
    orientation
        Where x, y and slice point to in the patient, as letters ("LPS"), None when unknown.
    phase_encode
        Image axis along which phases were encoded ("y"), None when unknown.
    scale
        Largest magnitude of slice 0, frame 0; None when nothing there is finite.
    unknown, notes
        What the file does not say, and what was noticed.
    """

    name: str
    format: str
    content: str
    kind: str
    axes: Mapping[str, int]
    times_ms: tuple[float, ...] | tuple[tuple[float, ...], ...] | None
    fully_sampled: bool
    acceleration: Acceleration
    pattern: str | None
    sampling_known_from: str | None
    window: Mapping[str, tuple[int, int]] | None
    voxel_mm: tuple[float, float, float] | None
    orientation: str | None
    phase_encode: str | None
    scale: float | None
    unknown: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MapSummary:
    """One map of a file: unit, median of its valid pixels (None when there are none), whether it has standard deviations."""

    unit: str
    median: float | None
    sd: bool


@dataclass(frozen=True, slots=True)
class MapsInfo:
    """What a file of maps holds: as :class:`SeriesInfo`; ``valid`` is the share of pixels with a value."""

    name: str
    format: str
    content: str
    kind: str
    axes: Mapping[str, int]
    times_ms: tuple[float, ...] | tuple[tuple[float, ...], ...]
    model: str
    title: str
    maps: Mapping[str, MapSummary]
    valid: float
    voxel_mm: tuple[float, float, float] | None
    unknown: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample and where it comes from.

    ``kind`` is that of the series; ``licence`` an SPDX name and ``licence_file`` the path of its text; ``source`` says repository,
    commit and file; ``changes`` what was done to it; ``path`` is the data file, None for a sample that is made on demand.
    """

    name: str
    title: str
    description: str
    kind: str
    licence: str
    source: str
    path: Path | None
    licence_file: Path | None = None
    changes: str = ""
