"""Contours drawn with few clicks: points kept in order round the middle, and the smooth closed line through them."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.display.marks import Point

STEPS: Final = 8
"""Points of the smooth line for each that was clicked."""


def in_order(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return points sorted by their angle about their middle, so that one clicked later finds its place between two others.

    For outlines that can be seen whole from their middle, as those of the left ventricle in the short axis.
    """
    if len(points) < 4:
        return tuple(points)
    x, y = (sum(point[axis] for point in points) / len(points) for axis in (0, 1))
    return tuple(sorted(points, key=lambda point: atan2(point[1] - y, point[0] - x)))


def smooth(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the closed Catmull-Rom line through points, :data:`STEPS` points for each; fewer than three stay as they are."""
    if len(points) < 3:
        return tuple(points)
    p = np.asarray(points, np.float64)
    before, after, later = np.roll(p, 1, axis=0), np.roll(p, -1, axis=0), np.roll(p, -2, axis=0)
    t = (np.arange(STEPS) / STEPS)[None, :, None]
    a, b, c, d = (v[:, None] for v in (before, p, after, later))
    line = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return tuple((float(x), float(y)) for x, y in line.reshape(-1, 2))


def rows_and_columns(points: Sequence[Point]) -> NDArray[np.float32]:
    """Return points (x, y) as the engine takes them: float32 (n, 2) of (y, x)."""
    return np.asarray([(y, x) for x, y in points], np.float32).reshape(-1, 2)
