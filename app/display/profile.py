"""The x-t profile: one line of pixels over all frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.display.components import component_of
from app.display.state import Component
from engine.core.types import Float

Line = tuple[float, float, float, float]


def default_line(height: int, width: int) -> Line:
    """Return a horizontal line through the centre, from the first to the last pixel."""
    return 0.0, (height - 1) / 2, float(width - 1), (height - 1) / 2


def clipped(line: Line, height: int, width: int) -> Line:
    """Return the line with both ends moved into the image."""
    x0, y0, x1, y1 = line
    right, bottom = float(width - 1), float(height - 1)
    return min(max(x0, 0.0), right), min(max(y0, 0.0), bottom), min(max(x1, 0.0), right), min(max(y1, 0.0), bottom)


def positions(line: Line) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of the samples along a line: its two ends and about one sample per pixel between them."""
    x0, y0, x1, y1 = line
    count = max(2, round(float(np.hypot(x1 - x0, y1 - y0))) + 1)
    return np.linspace(x0, x1, count), np.linspace(y0, y1, count)


def sample(series: NDArray[Any], line: Line, component: Component) -> Float:
    """Return a series (frame, y, x) along a line, float32 (frame, position).

    The chosen component is interpolated bilinearly between pixels; phase is taken from the nearest pixel, because the mean of two
    angles across the wrap is neither. Logarithmic k-space has no x-t profile: its magnitude image is used.
    """
    height, width = series.shape[-2:]
    x, y = positions(clipped(line, height, width))
    if component is Component.KSPACE:
        component = Component.MAGNITUDE
    if component is Component.PHASE:
        column, row = np.floor(x + 0.5).astype(int), np.floor(y + 0.5).astype(int)
        return component_of(series[:, row, column], component)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    u, v = (x - left).astype(np.float32), (y - top).astype(np.float32)
    total = np.zeros((series.shape[0], x.size), dtype=np.float32)
    for rows, columns, weight in (
        (top, left, (1 - v) * (1 - u)),
        (top, right, (1 - v) * u),
        (bottom, left, v * (1 - u)),
        (bottom, right, v * u),
    ):
        used = weight > 0  # a neighbour of weight zero must not spread its NaN
        total[:, used] += weight[used] * component_of(series[:, rows[used], columns[used]], component)
    return total
