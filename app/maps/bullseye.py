"""The bullseye of the left ventricle: 16 AHA segments in three rings, apex in the middle, anterior wall on top."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees, hypot
from typing import Final

NAMES: Final = {
    1: "basal anterior", 2: "basal anteroseptal", 3: "basal inferoseptal",
    4: "basal inferior", 5: "basal inferolateral", 6: "basal anterolateral",
    7: "mid anterior", 8: "mid anteroseptal", 9: "mid inferoseptal",
    10: "mid inferior", 11: "mid inferolateral", 12: "mid anterolateral",
    13: "apical anterior", 14: "apical septal", 15: "apical inferior", 16: "apical lateral",
}  # fmt: skip

RINGS: Final = ((1.0, 0.68, range(1, 7)), (0.68, 0.37, range(7, 13)), (0.37, 0.0, range(13, 17)))
"""Outer and inner radius (1: the edge) and segments of each ring, base to apex."""


@dataclass(frozen=True, slots=True)
class Sector:
    """One segment on the bullseye: radii, first angle and span in degrees, counter-clockwise from the right as painters count."""

    number: int
    outer: float
    inner: float
    start: float
    span: float

    @property
    def middle(self) -> float:
        """Angle of its middle."""
        return self.start + self.span / 2


def sectors() -> tuple[Sector, ...]:
    """Return all 16: the anterior segment of each ring is centred on top, the others follow counter-clockwise (septum left)."""
    made = []
    for outer, inner, numbers in RINGS:
        span = 360.0 / len(numbers)
        made += [Sector(n, outer, inner, 90.0 - span / 2 + i * span, span) for i, n in enumerate(numbers)]
    return tuple(made)


def at(across: float, up: float) -> int:
    """Return the segment at a place (1: the edge), 0 for none."""
    radius, angle = hypot(across, up), degrees(atan2(up, across))
    for sector in sectors():
        if sector.inner <= radius <= sector.outer and (angle - sector.start) % 360 < sector.span:
            return sector.number
    return 0
