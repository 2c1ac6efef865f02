"""Contours drawn with few clicks: points kept in order round the middle, and as the engine takes them."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2

import numpy as np
from numpy.typing import NDArray

from app.display.shapes import Point


def in_order(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return points sorted by their angle about their middle, so that one clicked later finds its place between two others.

    For outlines that can be seen whole from their middle, as those of the left ventricle in the short axis.
    """
    if len(points) < 4:
        return tuple(points)
    x, y = (sum(point[axis] for point in points) / len(points) for axis in (0, 1))
    return tuple(sorted(points, key=lambda point: atan2(point[1] - y, point[0] - x)))


def rows_and_columns(points: Sequence[Point]) -> NDArray[np.float32]:
    """Return points (x, y) as the engine takes them: float32 (n, 2) of (y, x)."""
    return np.asarray([(y, x) for x, y in points], np.float32).reshape(-1, 2)
