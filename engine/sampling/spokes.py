"""Straight lines through the centre of k-space, drawn on the Cartesian grid with integers only.

Sines and cosines are rounded to multiples of 2^-40 first; everything after is exact, so that a sample next to a rounding
boundary falls on the same side on every machine.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.core.types import Bool

_BITS = 40
_ONE = 1 << _BITS


def direction(degrees: float) -> tuple[int, int]:
    """Return (sine, cosine) of an angle as integers, 2^40 standing for 1."""
    angle = math.radians(math.fmod(degrees, 360.0))
    return round(math.sin(angle) * _ONE), round(math.cos(angle) * _ONE)


def _points(along: int, across: int, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return offsets along and across the axis that the line follows more closely; ``along`` is its larger component."""
    steps = np.arange(-reach, reach + 1, dtype=np.int64)
    slope = (across * _ONE) // along
    return steps, (steps * slope + _ONE // 2) >> _BITS


def draw_spoke(grid: Bool, degrees: float, half_y: float, half_x: float, scale_y: float = 1.0, scale_x: float = 1.0) -> None:
    """Set the samples of one spoke through (ky // 2, kx // 2) of bool ``grid`` (ky, kx) in place.

    The spoke has the direction (``scale_y`` sin, ``scale_x`` cos), advances by one index along the axis it follows more closely,
    and ends on the ellipse with the half axes ``half_y`` and ``half_x``, or at the border of the grid.
    """
    sine, cosine = direction(degrees)
    dy, dx = round(sine * scale_y), round(cosine * scale_x)
    ky, kx = grid.shape
    steep = abs(dy) > abs(dx)
    along, across = (dy, dx) if steep else (dx, dy)
    # The line leaves the ellipse at t times its direction; t is taken to 1e-9 so that exact ends stay inside.
    length = math.hypot(dy / half_y, dx / half_x)
    reach = math.floor(round(abs(along) / length, 9)) if length else 0
    major, minor = _points(along, across, min(reach, max(ky, kx)))
    y, x = (major, minor) if steep else (minor, major)
    y, x = y + ky // 2, x + kx // 2
    inside = (y >= 0) & (y < ky) & (x >= 0) & (x < kx)
    grid[y[inside], x[inside]] = True
