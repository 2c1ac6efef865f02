"""Shapes that are drawn on a picture: from the few points a person sets to the closed line that is painted and filled."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import numpy as np

Point = tuple[float, float]
"""x, y in data pixels; whole numbers are pixel centres."""

STEPS: Final = 8
"""Points of a smooth line for each that was set."""
ROUND: Final = 64
"""Points of an ellipse."""


class Shape(StrEnum):
    """What points mean."""

    POINT = "point"  # one place
    RECTANGLE = "rectangle"  # two opposite corners
    ELLIPSE = "ellipse"  # two opposite corners of the box round it
    POLYGON = "polygon"  # its corners
    FREEHAND = "freehand"  # the path of the mouse
    CONTOUR = "contour"  # points of a smooth line


def border(shape: Shape, points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the line of a shape, closed by joining its end to its start; what has too few points yet stays as it is."""
    if shape is Shape.CONTOUR:
        return smooth(points)
    if shape in (Shape.RECTANGLE, Shape.ELLIPSE) and len(points) == 2:
        (x0, y0), (x1, y1) = points
        if shape is Shape.RECTANGLE:
            return (x0, y0), (x1, y0), (x1, y1), (x0, y1)
        angle = np.arange(ROUND) * (2 * np.pi / ROUND)
        x = (x0 + x1) / 2 + (x1 - x0) / 2 * np.cos(angle)
        y = (y0 + y1) / 2 + (y1 - y0) / 2 * np.sin(angle)
        return tuple(zip(x.tolist(), y.tolist(), strict=True))
    return tuple(points)


def handles(shape: Shape, points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the points that can be moved one by one: a path of the mouse has none."""
    return () if shape is Shape.FREEHAND else tuple(points)


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
