"""Statistics of drawn regions as rows: segments, myocardium, region of interest, blood; for the table and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.display.words import ms
from app.maps.bullseye import NAMES
from engine.core.records.relaxometry import SegmentStatistics

MYOCARDIUM, ROI, BLOOD = "myocardium", "ROI", "blood"
ORDER: Final = {ROI: -3, BLOOD: -2, MYOCARDIUM: -1}


@dataclass(frozen=True, slots=True)
class RegionRow:
    """One region of one slice of one map.

    ``segment`` is an AHA number, 0 for other regions; ``delta`` the difference of the mean from the reference's map, ``z`` the
    distance from the site's mean in its standard deviations; NaN without.
    """

    key: str
    method: str
    slice_index: int
    segment: int
    name: str
    mean: float
    sd: float
    median: float
    n: int
    n_invalid: int
    delta: float = math.nan
    z: float = math.nan

    @property
    def words(self) -> str:
        """The region in words: "8 mid anteroseptal"."""
        return f"{self.segment} {self.name}" if self.segment else self.name


def make_rows(
    key: str, method: str, slice_index: int, found: Sequence[SegmentStatistics], names: Mapping[int, str]
) -> list[RegionRow]:
    """Return rows from what the engine says of masks; ``names`` are the words of those that are no AHA segments."""
    rows = []
    for one in found:
        name = names.get(one.segment) or NAMES[one.segment]
        segment = 0 if one.segment in names else one.segment
        rows.append(RegionRow(key, method, slice_index, segment, name, one.mean, one.sd, one.median, one.n, one.n_invalid))
    return rows


def with_deltas(rows: Sequence[RegionRow], reference: str) -> tuple[RegionRow, ...]:
    """Return rows whose ``delta`` is the difference from the same region of the reference's map."""
    means = {(row.slice_index, row.segment, row.name): row.mean for row in rows if row.key == reference}
    made = []
    for row in rows:
        base = means.get((row.slice_index, row.segment, row.name), math.nan)
        made.append(replace(row, delta=math.nan if row.key == reference else row.mean - base))
    return tuple(made)


def ordered(rows: Sequence[RegionRow]) -> tuple[RegionRow, ...]:
    """Return rows by slice, then region of interest, blood, myocardium, segments."""
    return tuple(sorted(rows, key=lambda row: (row.slice_index, row.segment or ORDER.get(row.name, 0))))


def mean_text(row: RegionRow) -> str:
    """Return "1012 ± 43"."""
    return f"{ms(row.mean)} ± {ms(row.sd)}" if row.n else "no value"


def to_csv(rows: Sequence[RegionRow], quantity: str, site: str) -> str:
    """Return all rows as CSV, in ms; ``site`` is the name of the reference of the Z-scores, "" for none."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ("method", "slice", "segment", "region", "quantity", "mean_ms", "sd_ms", "median_ms", "pixels", "invalid_pixels")
    writer.writerow((*head, "difference_from_reference_ms", "z", "z_reference"))
    for row in rows:
        numbers = (_exact(row.mean), _exact(row.sd), _exact(row.median), row.n, row.n_invalid, _exact(row.delta))
        what = (row.method, row.slice_index + 1, row.segment or "", row.name, quantity)
        writer.writerow((*what, *numbers, _exact(row.z), site))
    return out.getvalue()


def _exact(value: float) -> str:
    return "" if not math.isfinite(value) else f"{value:.7g}"
