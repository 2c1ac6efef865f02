"""Closed outlines drawn on a slice: which pixels they hold, their area and their centre.

Points are (y, x) in pixels of the image as stored, the centre of the first pixel at (0, 0). An outline closes by itself; where it
crosses itself the even-odd rule holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError, ShapeError
from engine.core.types import Bool

LEAST_POINTS = 3


def contour_region(points: NDArray[Any], shape: tuple[int, int]) -> Bool:
    """Return the pixels whose centres lie inside an outline, bool (y, x).

    A centre exactly on the outline belongs to the side of larger y and x, so that outlines which share a border share no pixel
    and leave none out.

    Parameters
    ----------
    points
        (N, 2) of (y, x) in pixels, at least three; they may lie outside the image.
    shape
        Sizes (y, x) of the image.

    Raises
    ------
    ShapeError, InputError
        The points are not (N, 2), too few, or not finite; the shape has no pixels.
    """
    outline = checked_outline(points, "outline")
    ny, nx = checked_shape(shape)
    inside = np.zeros((ny, nx), dtype=bool)
    columns = np.arange(nx)
    for (y0, x0), (y1, x1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        low, high = min(y0, y1), max(y0, y1)
        first, last = (min(max(0, int(np.ceil(row))), ny) for row in (low, high))  # low <= row < high
        rows = np.arange(first, last)
        crossing = x0 + (rows - y0) * (x1 - x0) / (y1 - y0)
        inside[first:last] ^= columns >= crossing[:, None]
    return inside


def area(points: NDArray[Any]) -> float:
    """Return the area of an outline in square pixels (shoelace formula), positive for either direction."""
    y, x = checked_outline(points, "outline").T
    return float(abs(np.sum(y * np.roll(x, -1) - np.roll(y, -1) * x)) / 2.0)


def centre(points: NDArray[Any]) -> tuple[float, float]:
    """Return the centroid (y, x) of the area within an outline.

    Raises
    ------
    InputError
        The outline has no area.
    """
    outline = checked_outline(points, "outline")
    origin = outline.mean(axis=0)
    y, x = (outline - origin).T
    y1, x1 = np.roll(y, -1), np.roll(x, -1)
    cross = y * x1 - y1 * x
    twice = float(cross.sum())
    if abs(twice) < 1e-9 * max(1.0, float(np.ptp(y) * np.ptp(x))):
        raise InputError("the outline has no area (expected a closed line round something)", "Click points round the cavity.")
    cy, cx = (float(np.sum((a + a1) * cross)) / (3.0 * twice) for a, a1 in ((y, y1), (x, x1)))
    return cy + float(origin[0]), cx + float(origin[1])


def checked_outline(points: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return points as float64 (N, 2), or raise what :func:`contour_region` says."""
    outline = np.asarray(points, dtype=np.float64)
    if outline.ndim != 2 or outline.shape[1] != 2:
        raise ShapeError(
            f"the {name} is no list of points (expected (N, 2) of (y, x) / found {outline.shape})", "Give y and x of each."
        )
    if len(outline) < LEAST_POINTS:
        raise InputError(
            f"the {name} has too few points (expected at least {LEAST_POINTS} / found {len(outline)})", "Click further points."
        )
    if not np.isfinite(outline).all():
        raise InputError(f"the {name} has points that are not finite (expected numbers in pixels)", "Draw it again.")
    return outline


def checked_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the sizes (y, x) of an image, or raise ``ShapeError``."""
    if len(shape) != 2 or min(shape) < 1:
        raise ShapeError(f"the image has no pixels (expected sizes (y, x) / found {tuple(shape)})", "Give the shape of one slice.")
    return int(shape[0]), int(shape[1])
