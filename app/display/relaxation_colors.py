"""Colours of relaxation maps: Lipari for T1, Navia for T2, spread by the logarithmic rule, black where there is no value.

The rule is that of Fuderer et al., "Color-map recommendation for MR relaxometry maps" (Magnetic Resonance in Medicine, doi
10.1002/mrm.30290). The colours depend on the range, so a table belongs to one range and is made anew for another.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.display.colors import Table, read_table
from engine.core.errors import InputError
from engine.core.types import Float

ENTRIES: Final = 256
RELAXATION: Final = ("lipari", "navia", "lipari_rate", "navia_rate")
"""Names of the maps: of times, and of rates (1 / time), whose tables run backwards so that equal tissue has equal colour."""

_SHORT_OF: Final = 1e-7
"""Keeps the knee itself on the linear side whatever the rounding of the logarithm."""


def check_range(low: float, up: float) -> None:
    """Raise ``InputError`` unless ``low`` and ``up`` can be the ends of a relaxation map (up > 0, up > low, finite)."""
    if not (math.isfinite(low) and math.isfinite(up) and up > max(low, 0.0)):
        raise InputError(
            f"the range of the map cannot be shown (expected low < high and high > 0 / found {low:g} to {up:g})",
            "Give two numbers in ms, for example 0 and 2000.",
        )


def table_rows(low: float, up: float) -> NDArray[np.uint8]:
    """Return which row of the published table each of the 256 display entries takes, uint8 (256,).

    Entry 0 is row 0 (no value). The others stand for the values low + (n + 1)(up - low) / 256. Above the knee, max(low, up / e),
    the table is walked with the logarithm of the value; below it linearly, at the slope that the logarithm has at the knee: with
    k = up / e the linear part gets (k - low) / (2 k - low) of the table.
    """
    check_range(low, up)
    knee = up / math.e
    start = max(low, knee)
    share = (knee - low) / (2 * knee - low) if knee >= low else 0.0
    value = low + np.arange(1, ENTRIES + 1) / ENTRIES * (up - low)
    first = share + 1.0 / ENTRIES + _SHORT_OF
    logarithmic = ENTRIES * (first + (1.0 - first) * np.log(np.maximum(value, start) / start) / math.log(up / start))
    linear = 1.0 + ENTRIES * share * (value - low) / (knee - low) if knee > low else np.ones(ENTRIES)
    rows = np.minimum(np.floor(np.where(value > start, logarithmic, linear)), ENTRIES - 1).astype(np.uint8)
    rows[0] = 0
    return rows


@lru_cache(maxsize=64)
def packed(name: str, low: float, up: float) -> NDArray[np.uint32]:
    """Return the 256 opaque 0xAARRGGBB words of a map for a range; word 0 is black."""
    published = _published(name)
    red, green, blue = published[table_rows(low, up)].astype(np.uint32).T
    words: NDArray[np.uint32] = np.uint32(0xFF000000) | (red << np.uint32(16)) | (green << np.uint32(8)) | blue
    words.flags.writeable = False
    return words


def clipped(values: NDArray[Any], low: float, up: float) -> Float:
    """Return values moved to where the rule shows them, float32.

    With e = (up - low) / 256: what is below e, or no number, has no value and goes to low - e; what is too low goes to
    low + 1.5 e, the darkest colour that is not black (not when ``low`` is negative: then nothing valid is below it). What is too
    high stays: the display takes its last colour for it.
    """
    check_range(low, up)
    step = (up - low) / ENTRIES
    values = np.asarray(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        nothing = ~(values >= step)
        shown = np.where(values < low + step, low + 1.5 * step, values) if low >= 0 else values.copy()
    shown[nothing] = low - step
    return shown.astype(np.float32)


def to_entries(values: NDArray[Any], levels: tuple[float, float]) -> NDArray[np.uint8]:
    """Return the display entry of each value: 0 where there is none, 1 for what is too low, 255 at and above the top."""
    low, up = levels
    check_range(low, up)
    step = (up - low) / ENTRIES
    with np.errstate(invalid="ignore", over="ignore"):
        entries = np.subtract(values, np.float32(low), dtype=np.float32)
        entries *= np.float32(1.0 / step)
        # NaN compares false: it has no value either.
        nothing = ~(np.asarray(values) >= np.float32(step))
    entries[nothing] = 0
    # What is valid never becomes black.
    np.clip(entries, 1 if low >= 0 else 0, ENTRIES - 1, out=entries)
    entries[nothing] = 0
    rows: NDArray[np.uint8] = entries.astype(np.uint8)
    return rows


def to_words(values: NDArray[Any], levels: tuple[float, float], name: str) -> NDArray[np.uint32]:
    """Return a map as opaque 0xAARRGGBB words, row-major."""
    return packed(name, float(levels[0]), float(levels[1])).take(to_entries(values, levels))


@lru_cache(maxsize=8)
def _published(name: str) -> Table:
    if name not in RELAXATION:
        raise InputError(f"no relaxation map is called {name!r} (expected one of {', '.join(RELAXATION)})", "Check the spelling.")
    base, _, rate = name.partition("_")
    colors = read_table(base)
    colors = colors[::-1].copy() if rate else colors.copy()
    # Turned first, then blackened: row 0 means no value in both.
    colors[0] = 0
    return colors
