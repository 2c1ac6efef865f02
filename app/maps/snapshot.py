"""What the Maps workspace can draw, frozen: maps, words, contours; no Qt."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.display.map_state import Drawing
from app.display.marks import Mark
from engine.core.maps import MapSet
from engine.core.types import Float


@dataclass(frozen=True, slots=True, eq=False)
class MapEntry:
    """The maps of one source: ``"reference"`` or a result.

    ``stamp`` is another number for other maps; ``stale`` says why they are out of date, "" when they are not; ``before`` are those
    without motion correction, when there was one.
    """

    key: str
    title: str
    maps: MapSet
    stamp: int = 0
    stale: str = ""
    before: MapSet | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ExtraMap:
    """A map that was made from others and stands beside them: ECV, disagreement.

    ``values`` are float32 (slice, y, x), NaN where there is none; ``slices`` are those of the series; ``lines`` stand under it.
    """

    key: str
    title: str
    values: Float
    slices: tuple[int, ...]
    unit: str
    levels: tuple[float, float]
    lines: tuple[str, ...] = ()
    colormap: str = "batlow"


@dataclass(frozen=True, slots=True, eq=False)
class MapSnapshot:
    """Everything that can be drawn.

    Parameters
    ----------
    entries
        The reference's maps first when there are any, then those of the results in the order of the session.
    slices
        Number of slices of the series.
    voxel_mm
        Voxel size (z, y, x), for square pixels on screen.
    drawing
        What was drawn on the slice on screen.
    borders
        Borders and numbers of the segments of this slice.
    extras
        Maps made from others, behind all entries.
    notes
        Short sentences that travel with the data.
    hint
        What to do next while there is no map.
    """

    entries: tuple[MapEntry, ...] = ()
    slices: int = 1
    voxel_mm: tuple[float, float, float] | None = None
    drawing: Drawing = field(default_factory=Drawing)
    borders: tuple[Mark, ...] = ()
    extras: tuple[ExtraMap, ...] = ()
    notes: tuple[str, ...] = ()
    hint: str = ""
