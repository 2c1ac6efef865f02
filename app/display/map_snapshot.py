"""What the Maps workspace can draw, frozen: maps, words, contours; no Qt."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.display.map_state import Drawing
from app.display.marks import Mark
from engine.core.maps import MapSet


@dataclass(frozen=True, slots=True, eq=False)
class MapEntry:
    """The maps of one source: ``"reference"`` or a result; ``stale`` says why they are out of date, "" when they are not."""

    key: str
    title: str
    maps: MapSet
    stale: str = ""


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
    notes: tuple[str, ...] = ()
    hint: str = ""
