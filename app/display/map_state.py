"""What is looked at in the Maps workspace, how it is fitted, and what was drawn on it: frozen, Qt-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np

from app.display.shapes import Point
from engine.core.maps import FitRequest
from engine.core.types import Float


class FitOutput(StrEnum):
    """Which of its results a fit is looked at by; one key each."""

    VALUE = "value"
    SD = "sd"
    R2 = "r2"
    RESIDUAL = "residual"
    APPARENT = "apparent"


class MapTool(StrEnum):
    """What a click on a map does."""

    INSPECT = "inspect"
    ENDO = "endo"
    EPI = "epi"
    INSERTION = "insertion"
    ROI = "roi"
    BLOOD = "blood"


LEVELS: Final = ("basal", "mid", "apical")


@dataclass(frozen=True, slots=True)
class MapView:
    """One state shared by all map panes.

    Parameters
    ----------
    layer
        Which result of the fit.
    ranges
        Output of the fit or quantity ("T1", "T2", "sd") -> (low, high) that a person chose; others follow the data.
    difference
        Whether the row of differences from the reference's map is shown.
    pixel
        The clicked pixel (x, y) of the slice on screen, None for none.
    tool
        What a click does.
    marks
        Whether contours are drawn.
    """

    layer: FitOutput = FitOutput.VALUE
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    difference: bool = False
    pixel: tuple[int, int] | None = None
    tool: MapTool = MapTool.INSPECT
    marks: bool = True


@dataclass(frozen=True, slots=True)
class Drawing:
    """What was drawn on one slice, in data pixels (x, y): the same for all methods.

    ``insertion`` is the anterior RV insertion, ``clockwise`` the direction in which segments follow it on screen as stored.
    """

    endo: tuple[Point, ...] = ()
    epi: tuple[Point, ...] = ()
    insertion: Point | None = None
    roi: tuple[Point, ...] = ()
    blood: tuple[Point, ...] = ()
    clockwise: bool = False
    level: str = "mid"

    @property
    def complete(self) -> bool:
        """Whether segments can be made."""
        return len(self.endo) >= 3 and len(self.epi) >= 3 and self.insertion is not None

    @property
    def empty(self) -> bool:
        """Whether nothing was drawn."""
        return not (self.endo or self.epi or self.insertion or self.roi or self.blood)


@dataclass(frozen=True, slots=True, eq=False)
class FitSettings:
    """How the maps of a series are fitted; ``times_ms`` (slice, frame) replaces the times of the series, None keeps them.

    ``skipped`` are keys of images (``"reference"``, results) that are not fitted.
    """

    model: str = ""
    signed: str = "auto"
    motion: str = "none"
    efficiency: float = 1.0
    background: float = 0.05
    times_ms: Float | None = None
    weights: str | None = None
    skipped: frozenset[str] = frozenset()

    def request(self, times_ms: Float | None) -> FitRequest:
        """Return the engine's request for these settings with the times of the slices that are fitted."""
        return FitRequest(
            model=self.model,
            times_ms=times_ms,
            signed=self.signed,
            motion=self.motion,
            efficiency=self.efficiency,
            background=self.background,
            weights=self.weights,
        )

    def same(self, other: FitSettings) -> bool:
        """Whether both are the same in everything."""
        return self.alike(other) and self.skipped == other.skipped

    def alike(self, other: FitSettings) -> bool:
        """Whether both ask for the same fit of an image, whichever images are ticked."""
        mine, others = self.times_ms, other.times_ms
        same_times = others is None if mine is None else others is not None and np.array_equal(mine, others)
        return same_times and self._words() == other._words()

    def words(self) -> tuple[Any, ...]:
        """Return what tells one fit from another, to be looked up by."""
        return (*self._words(), None if self.times_ms is None else self.times_ms.tobytes())

    def _words(self) -> tuple[Any, ...]:
        return (self.model, self.signed, self.motion, self.efficiency, self.background, self.weights)
