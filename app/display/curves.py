"""What the curve of a pixel shows: one entry for each method, with its colour, symbol and line; parameters as rows."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.display.words import ms, number
from engine.core.maps import PixelFit, Reason

STYLES: Final = (
    ("#4cb3d4", "o", "solid"),
    ("#e0a648", "s", "dash"),
    ("#6cc58a", "t", "dot"),
    ("#d58be0", "d", "dashdot"),
    ("#f07a6e", "star", "solid"),
    ("#b8c34a", "p", "dash"),
)
"""Colour, symbol and line of the methods in turn: told apart without colour too."""

TITLES: Final = {"t1_ms": "T1", "t2_ms": "T2", "t1_star_ms": "T1*", "a": "A", "b": "B", "c": "C"}


@dataclass(frozen=True, slots=True, eq=False)
class CurveEntry:
    """The fit of the clicked pixel by one method."""

    key: str
    title: str
    fit: PixelFit

    @property
    def time_name(self) -> str:
        """What the times are, from what was fitted."""
        return "TI" if any(name.startswith("t1") for name in self.fit.parameters) else "TE"


def style(index: int) -> tuple[str, str, str]:
    """Return colour, symbol and line of the method at a place."""
    return STYLES[index % len(STYLES)]


def parameter_text(value: float, low: float, high: float, unit: str) -> str:
    """Return a parameter with its 95 % interval: "1013 (981–1046)"."""
    write = ms if unit == "ms" else lambda v: number(v, 3)
    if not math.isfinite(value):
        return "–"
    if not (math.isfinite(low) and math.isfinite(high)):
        return write(value)
    return f"{write(value)} ({write(low)}–{write(high)})"


def names_of(entries: Sequence[CurveEntry]) -> tuple[str, ...]:
    """Return the parameters of all fits, in the order of the first that has them."""
    return tuple(dict.fromkeys(name for entry in entries for name in entry.fit.parameters))


def state_text(fit: PixelFit) -> str:
    """Return why a pixel has no value, "" when it has one."""
    return "" if fit.reason is Reason.VALID else fit.reason.words


def to_csv(entries: Sequence[CurveEntry], x: int, y: int, slice_index: int) -> str:
    """Return samples, curve residuals and parameters of a pixel as CSV, one line for each number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("slice", "x", "y", "method", "what", "time_ms", "value", "lower_95", "upper_95", "unit"))
    for entry in entries:
        where, fit = (slice_index + 1, x, y, entry.title), entry.fit
        for time, sample, residual in zip(fit.times_ms, fit.samples, fit.residuals, strict=True):
            writer.writerow((*where, "sample", _exact(time), _exact(sample), "", "", ""))
            writer.writerow((*where, "residual", _exact(time), _exact(residual), "", "", ""))
        for name, (value, low, high, unit) in fit.parameters.items():
            writer.writerow((*where, TITLES.get(name, name), "", _exact(value), _exact(low), _exact(high), unit))
        writer.writerow((*where, "R2", "", _exact(fit.r2), "", "", ""))
        if state_text(fit):
            writer.writerow((*where, "no value", "", state_text(fit), "", "", ""))
    return out.getvalue()


def _exact(value: float) -> str:
    return f"{float(value):.9g}"
