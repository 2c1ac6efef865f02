"""What a command has written: the summary that it prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.records.series import Acceleration


@dataclass(frozen=True, slots=True)
class WrittenReconstruction:
    """A reconstruction in a file: where, by which method, at which acceleration, how long it took on what."""

    out: str
    method: str
    acceleration: Acceleration
    seconds: float
    device: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MapQuartiles:
    """Median and quartiles of the valid pixels of a map, and the median of their standard deviations; None where there are none."""

    median: float | None
    q25: float | None
    q75: float | None
    median_sd: float | None


@dataclass(frozen=True, slots=True)
class WrittenMaps:
    """Maps in a file.

    ``signed`` is what the samples were taken for; ``axes`` are the sizes of the maps; ``valid`` counts pixels with a value and
    ``invalid`` those without, by reason.
    """

    out: str
    model: str
    signed: str
    axes: Mapping[str, int]
    valid: int
    invalid: Mapping[str, int]
    maps: Mapping[str, MapQuartiles]
    seconds: float
    notes: tuple[str, ...]
