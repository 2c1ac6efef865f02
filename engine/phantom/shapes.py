"""Smooth closed curves with a signed distance, and a canvas that keeps the share of each structure in each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.types import Float


class Shape(Protocol):
    """A closed curve."""

    def bounds(self) -> tuple[float, float, float, float]:
        """Return (y low, y high, x low, x high) in mm of a box round the curve."""

    def distance(self, y: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the distance in mm to the curve, negative inside; exact to first order near the curve."""


@dataclass(frozen=True, slots=True)
class Ellipse:
    """Centre (y, x), half axes (y, x) in mm, turned by ``angle`` radians."""

    y: float
    x: float
    b: float
    a: float
    angle: float = 0.0

    def bounds(self) -> tuple[float, float, float, float]:
        """Return (y low, y high, x low, x high) in mm of a box round the curve."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        half_x = float(np.hypot(self.a * cos, self.b * sin))
        half_y = float(np.hypot(self.a * sin, self.b * cos))
        return self.y - half_y, self.y + half_y, self.x - half_x, self.x + half_x

    def distance(self, y: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the distance to the curve: implicit function over the length of its gradient."""
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        dy, dx = y - np.float32(self.y), x - np.float32(self.x)
        u = (cos * dx + sin * dy) / np.float32(self.a)
        v = (cos * dy - sin * dx) / np.float32(self.b)
        k = np.sqrt(u * u + v * v)
        slope = np.sqrt((u / np.float32(self.a)) ** 2 + (v / np.float32(self.b)) ** 2) + np.float32(1e-9)
        # the formula is 0 / 0 in the very centre
        signed: NDArray[np.float32] = k * (k - 1) / slope - np.float32(min(self.a, self.b)) * (k < 1e-6)
        return signed


@dataclass(frozen=True, slots=True)
class Contour:
    """A star-shaped curve round (y, x): r(t) = radius (1 + sum_k cosine_k cos k t + sine_k sin k t), k = 1, 2, ...

    t is counted from the direction ``angle`` (radians, from +x to +y).
    """

    y: float
    x: float
    radius: float
    cosine: tuple[float, ...] = ()
    sine: tuple[float, ...] = ()
    angle: float = 0.0

    def point(self, direction: float) -> tuple[float, float]:
        """Return the point (y, x) of the curve in a direction (radians, from +x to +y) of the picture."""
        t = direction - self.angle
        r = 1.0 + sum(c * np.cos(k * t) + s * np.sin(k * t) for k, (c, s) in enumerate(_pairs(self.cosine, self.sine), start=1))
        r *= self.radius
        return float(self.y + r * np.sin(direction)), float(self.x + r * np.cos(direction))

    def bounds(self) -> tuple[float, float, float, float]:
        """Return (y low, y high, x low, x high) in mm of a box round the curve."""
        r = self.radius * (1.0 + sum(abs(c) for c in self.cosine) + sum(abs(s) for s in self.sine))
        return self.y - r, self.y + r, self.x - r, self.x + r

    def distance(self, y: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the distance to the curve: radial gap times the cosine of the curve's slope."""
        dy, dx = y - np.float32(self.y), x - np.float32(self.x)
        rho = np.sqrt(dx * dx + dy * dy) + np.float32(1e-6)
        turn = np.complex64(np.exp(-1j * self.angle))
        unit = (dx + 1j * dy) / rho * turn
        r = np.ones_like(rho)
        slope = np.zeros_like(rho)
        power = unit
        for k, (c, s) in enumerate(_pairs(self.cosine, self.sine), start=1):
            r += np.float32(c) * power.real + np.float32(s) * power.imag
            slope += k * (np.float32(s) * power.real - np.float32(c) * power.imag)
            power = power * unit
        r *= np.float32(self.radius)
        slope *= np.float32(self.radius)
        signed: NDArray[np.float32] = (rho - r) * r / np.sqrt(r * r + slope * slope)
        return signed


def _pairs(cosine: Sequence[float], sine: Sequence[float]) -> list[tuple[float, float]]:
    n = max(len(cosine), len(sine))
    return list(zip((*cosine, *[0.0] * (n - len(cosine))), (*sine, *[0.0] * (n - len(sine))), strict=True))


class Canvas:
    """Share of each structure in each pixel, float32 (structure, y, x), sum 1.

    Parameters
    ----------
    structures
        Number of structures; the canvas begins as all structure 0.
    shape, voxel_mm
        Pixels and pixel size (y, x); pixel ``n // 2`` is at 0 mm.
    """

    def __init__(self, structures: int, shape: tuple[int, int], voxel_mm: tuple[float, float]) -> None:
        self.shares: Float = np.zeros((structures, *shape), dtype=np.float32)
        self.shares[0] = 1.0
        self.voxel_mm = voxel_mm
        self._y = ((np.arange(shape[0]) - shape[0] // 2) * voxel_mm[0]).astype(np.float32)
        self._x = ((np.arange(shape[1]) - shape[1] // 2) * voxel_mm[1]).astype(np.float32)

    def copy(self) -> Canvas:
        """Return a canvas that can be painted on without changing this one."""
        other = object.__new__(Canvas)
        other.shares = self.shares.copy()
        other.voxel_mm, other._y, other._x = self.voxel_mm, self._y, self._x
        return other

    def paint(self, structure: int, shape: Shape, within: Shape | None = None) -> None:
        """Lay ``shape`` over what is there; only where ``within`` is, when it is given.

        A pixel on the edge is covered in part: its share is that of a straight edge at the curve's distance, which falls
        linearly over one pixel (over the geometric mean of its sides when it is not square).
        """
        y_low, y_high, x_low, x_high = shape.bounds()
        margin_y, margin_x = self.voxel_mm
        rows = slice(int(np.searchsorted(self._y, y_low - margin_y)), int(np.searchsorted(self._y, y_high + margin_y)))
        columns = slice(int(np.searchsorted(self._x, x_low - margin_x)), int(np.searchsorted(self._x, x_high + margin_x)))
        if rows.start == rows.stop or columns.start == columns.stop:
            return
        y, x = self._y[rows, None], self._x[None, columns]
        cover = self._cover(shape.distance(y, x))
        if within is not None:
            cover *= self._cover(within.distance(y, x))
        window = self.shares[:, rows, columns]
        window *= 1 - cover
        window[structure] += cover

    def _cover(self, distance: NDArray[np.float32]) -> NDArray[np.float32]:
        pixel = np.float32(np.sqrt(self.voxel_mm[0] * self.voxel_mm[1]))
        cover: NDArray[np.float32] = np.clip(np.float32(0.5) - distance / pixel, 0, 1, dtype=np.float32)
        return cover
