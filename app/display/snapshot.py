"""What the session holds, frozen for drawing: arrays and words, no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.core.types import Complex, Float, Reconstruction, Region, SamplingMask, Score


@dataclass(frozen=True, slots=True, eq=False)
class ResultEntry:
    """One result on screen.

    ``scores`` maps (metric, region name) to the score over all slices; ``preview`` is True for the live zero-filled image, whose
    ``reconstruction`` holds only the frames computed so far.
    """

    key: str
    title: str
    reconstruction: Reconstruction
    scores: Mapping[tuple[str, str], Score] = field(default_factory=dict)
    preview: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SessionSnapshot:
    """Everything that can be drawn.

    Parameters
    ----------
    title
        Name of the series, "" when nothing is loaded.
    reference
        Image (slice, frame, y, x) that results are compared with, None when there is none.
    reference_words
        What the reference is: "fully sampled", or how else it came to be.
    results
        In the order of the panes.
    mask
        The mask of the sampling panel.
    region
        Dynamic region of the reference, None without one.
    frame_ms
        Duration of a frame in ms, None when unknown.
    times_ms, time_name
        Times (slice, frame) that tell frames apart, and what they are ("TI") ("" for a cine).
    notes
        Sentences that travel with the data ("simulated coils").
    slices, frames
        Series indices of the reference's slices and frames, () when they are counted from 0 (or told by results of that size).
    reference_slices
        Positions along the reference's slice axis that were computed, None when all were. The others are not shown as images.
    voxel_mm
        Voxel size (z, y, x) in mm, for square pixels on screen; None takes that of the first result, or square.
    """

    title: str = ""
    reference: Complex | None = None
    reference_words: str = "fully sampled"
    results: tuple[ResultEntry, ...] = ()
    mask: SamplingMask | None = None
    region: Region | None = None
    frame_ms: float | None = None
    times_ms: Float | None = None
    time_name: str = ""
    notes: tuple[str, ...] = ()
    slices: tuple[int, ...] = ()
    frames: tuple[int, ...] = ()
    voxel_mm: tuple[float, float, float] | None = None
    reference_slices: frozenset[int] | None = None
