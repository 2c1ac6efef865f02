"""Maps in words: what a fit holds, how many pixels have no value and why."""

from __future__ import annotations

import numpy as np

from app.display.map_state import FitOutput
from app.display.words import ms, number, seconds_text
from app.maps.layers import Scale, quantity
from engine.core.maps import MapSet, Reason

SHORT = {
    Reason.BOUND: "at a bound",
    Reason.CORRECTION: "negative correction",
    Reason.NOT_FINITE: "not finite",
    Reason.UNSURE: "SD above the value",
}


def counts(maps: MapSet, at: int) -> dict[Reason, int]:
    """Return how many pixels of one slice have each reason; those with none are left out."""
    found = np.bincount(np.asarray(maps.reason[at]).ravel(), minlength=len(Reason))
    return {reason: int(found[reason]) for reason in Reason if found[reason]}


def invalid_text(maps: MapSet, at: int) -> str:
    """Return how many of the fitted pixels have no value: "1.3 % invalid (52 of 4,010)"; background was never fitted."""
    found = counts(maps, at)
    fitted = sum(count for reason, count in found.items() if reason is not Reason.BACKGROUND)
    bad = fitted - found.get(Reason.VALID, 0)
    if not fitted:
        return "nothing was fitted: all background"
    share = 100 * bad / fitted
    digits = 0 if share == 0 or share >= 10 else 1 if share >= 0.1 else 2
    return f"{share:.{digits}f} % invalid ({bad:,} of {fitted:,})"


def reasons_text(maps: MapSet, at: int) -> str:
    """Return the reasons of a slice, one line each."""
    total = int(np.asarray(maps.reason[at]).size)
    lines = [f"{count:,} pixels: {reason.words}" for reason, count in counts(maps, at).items()]
    return "\n".join([f"{total:,} pixels of this slice:", *lines])


def median_text(maps: MapSet, at: int) -> str:
    """Return the median of the valid pixels of a slice with the middle half."""
    values = maps.main.values[at][maps.valid[at]]
    if not values.size:
        return "no pixel has a value"
    low, middle, high = (float(v) for v in np.percentile(values, (25, 50, 75)))
    return f"median {quantity(maps)} {ms(middle)} ms ({ms(low)}–{ms(high)})"


def value_text(value: float, scale: Scale) -> str:
    """Return a value of a layer with its unit."""
    if not np.isfinite(value):
        return "no value"
    return f"{ms(value)} ms" if scale.unit == "ms" else number(value, 4)


def details(maps: MapSet, at: int) -> str:
    """Return the tooltip of a map."""
    lines = [maps.title, f"model {maps.model}"]
    if maps.seconds:
        lines.append(f"fitted in {seconds_text(maps.seconds)}")
    return "\n".join([*lines, *maps.notes, reasons_text(maps, at)])


LAYER_WORDS = {
    FitOutput.VALUE: "Value",
    FitOutput.SD: "Standard deviation",
    FitOutput.R2: "R²",
    FitOutput.RESIDUAL: "Residual",
    FitOutput.APPARENT: "T1*",
}
