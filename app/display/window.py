"""Windows: one for all panes of a comparison, taken from the reference; safe for tiny, huge and constant data."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

UPPER_PERCENTILE: Final = 99.7
BACKGROUND: Final = 0.02
"""Pixels under this fraction of the 99.9th percentile are air and do not count."""
MOST_SAMPLES: Final = 1 << 18
"""Percentiles are taken over at most about this many pixels, evenly spread, so that changing slice stays quick."""


def auto_window(series: NDArray[Any]) -> tuple[float, float]:
    """Return (0, high) for a series of one slice (frame, y, x), real or complex.

    ``high`` is the 99.7th percentile of the finite magnitudes that are not background, over all frames: one bright vessel does
    not set it, and it does not move while the cine plays.
    """
    step = max(1, math.ceil(math.sqrt(series.size / MOST_SAMPLES)))
    values = np.abs(series[:, ::step, ::step]).ravel()
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    tissue = values[values > BACKGROUND * np.percentile(values, 99.9)]
    high = float(np.percentile(tissue, UPPER_PERCENTILE)) if tissue.size else float(values.max())
    return safe_levels(0.0, high)


def safe_levels(low: float, high: float) -> tuple[float, float]:
    """Return (low, high) with high above low by an amount that float32 can divide by.

    Constant data get a window of their own size, all-zero data get (0, 1); values that are not finite are replaced.
    """
    low = low if math.isfinite(low) else 0.0
    high = high if math.isfinite(high) else low
    if high < low:
        low, high = high, low
    smallest = max(abs(low), abs(high)) * 1e-6
    if high - low > smallest and high - low > 1e-37:
        return low, high
    size = max(abs(low), abs(high))
    return (0.0, 1.0) if size < 1e-37 else (low, low + size)


def dragged(window: tuple[float, float], width_factor: float, level_shift: float) -> tuple[float, float]:
    """Return a window made ``width_factor`` times as wide and moved by ``level_shift`` of its old width."""
    low, high = window
    width, level = high - low, (high + low) / 2
    level += level_shift * width
    width *= width_factor
    return safe_levels(level - width / 2, level + width / 2)
