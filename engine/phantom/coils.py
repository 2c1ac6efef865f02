"""Receive coils: circular loops on an elliptical cylinder round the chest, by the law of Biot and Savart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError
from engine.core.types import Complex

MAX_COILS = 64
COILS_PER_ROW = 8
SEGMENTS = 32
GRID_MM = 7.0
WIRE_MM = 10.0
ROW_PITCH_MM = 90.0


@dataclass(frozen=True, slots=True)
class CoilArray:
    """Loops on an elliptical cylinder whose axis is z (the bore).

    Parameters
    ----------
    count
        Number of loops; every 8 more fill a further row along z.
    semi_axes_mm
        Half axes (y, x) of the cylinder.
    turn
        Angle in radians by which the whole array is turned about z.
    """

    count: int
    semi_axes_mm: tuple[float, float] = (165.0, 185.0)
    turn: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_COILS:
            raise InputError(
                f"the number of coils cannot be used (expected 1 to {MAX_COILS} / found {self.count})",
                "Use for example --coils 10.",
            )
        if min(self.semi_axes_mm) <= 0:
            raise InputError(
                f"the coil cylinder has no size (expected positive half axes / found {self.semi_axes_mm})", "Give millimetres."
            )

    def loops(self) -> list[tuple[float, float, float]]:
        """Return (angle, z in mm, radius in mm) of each loop.

        Round a chest, from 7 loops in a row, neighbours overlap by about a fifth, as in real arrays; fewer stand apart, for none is
        wider than 190 mm.
        """
        rows = -(-self.count // COILS_PER_ROW)
        per_row = [self.count // rows + (row < self.count % rows) for row in range(rows)]
        b, a = self.semi_axes_mm
        girth = np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b)))  # Ramanujan's approximation
        found = []
        for row, n in enumerate(per_row):
            z = (row - (rows - 1) / 2) * ROW_PITCH_MM
            radius = float(np.clip(0.6 * girth / n, 45.0, 95.0))
            for k in range(n):
                # every other row is turned by half a loop
                angle = self.turn + 2 * np.pi * (k + 0.5 * (row % 2) + 0.25) / n
                found.append((angle, z, radius))
        return found


def coil_maps(array: CoilArray, shape: tuple[int, int], voxel_mm: tuple[float, float], z_mm: float = 0.0) -> Complex:
    """Return sensitivities of all loops in one transverse plane.

    The receive field of a loop is the conjugate transverse field of a unit current in it, ``Bx - i By`` (principle of reciprocity;
    Hoult, Concepts Magn Reson 2000;12:173). It is integrated over straight wire segments on a grid of 7 mm and interpolated by
    cubic splines, then all maps are divided by the root of their summed squared magnitudes.

    *Deviation*: the imaging plane is taken to be perpendicular to the bore, although a short-axis plane is oblique; the wires are
    10 mm thick in the integral, so that the field stays finite on them.

    Parameters
    ----------
    array
        The loops.
    shape
        Pixels (y, x); pixel ``n // 2`` is on the axis of the cylinder.
    voxel_mm
        Pixel size (y, x).
    z_mm
        Position of the plane along the bore.

    Returns
    -------
    Complex
        (coil, y, x), sum over coils of squared magnitudes 1 everywhere. The map of a single coil is 1.
    """
    if array.count == 1:
        return np.ones((1, *shape), dtype=np.complex64)
    (y, to_rows), (x, to_columns) = (_axis(n, mm) for n, mm in zip(shape, voxel_mm, strict=True))
    columns = (_receive_field(array, y, x, z_mm) @ to_columns.T).astype(np.complex64)
    # the weights are real, so that real and imaginary parts are interpolated as neighbours
    maps: Complex = np.matmul(to_rows.astype(np.float32), columns.view(np.float32)).view(np.complex64)
    maps /= np.sqrt(sum(np.abs(one) ** 2 for one in maps))
    return maps


def _axis(n: int, mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coarse positions in mm that cover n pixels, and the matrix (n, coarse) that interpolates from them to the pixels."""
    low, high = -(n // 2) * mm, (n - 1 - n // 2) * mm
    count = max(6, int(np.ceil((high - low) / GRID_MM)) + 5)
    coarse = np.linspace(low - 2 * GRID_MM, high + 2 * GRID_MM, count)
    step = coarse[1] - coarse[0]
    return coarse, spline_matrix(count, (np.linspace(low, high, n) - coarse[0]) / step)


def spline_matrix(count: int, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix (position, node) of natural cubic-spline interpolation from nodes 0 ... count - 1 to positions ``at``.

    Written here, with B-splines (Unser, IEEE Signal Process Mag 1999;16(6):22), because dense matrix products then interpolate
    all coils, and importing an interpolation library takes longer than the interpolation.
    """
    # B-spline weights at -1 ... count from the nodes' values: no curvature at the ends means c[-1] = 2 c[0] - c[1]
    extend = np.zeros((count + 2, count))
    extend[1:-1] = np.eye(count)
    extend[0, :2] = extend[-1, :-3:-1] = (2.0, -1.0)
    weights = extend @ np.linalg.inv(_b_spline(np.arange(count)[:, None] - np.arange(-1, count + 1)) @ extend)
    return _b_spline(at[:, None] - np.arange(-1, count + 1)) @ weights


def _b_spline(t: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cubic B-spline at ``t``."""
    far = np.maximum(0.0, 2.0 - np.abs(t))
    near = np.maximum(0.0, 1.0 - np.abs(t))
    values: NDArray[np.float64] = (far**3 - 4.0 * near**3) / 6.0
    return values


def _receive_field(array: CoilArray, y: NDArray[np.float64], x: NDArray[np.float64], z: float) -> NDArray[np.complex128]:
    """Return Bx - i By of each loop, (coil, y, x), in arbitrary units."""
    phi = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    points = np.stack([np.broadcast_to(x, (y.size, x.size)), np.broadcast_to(y[:, None], (y.size, x.size))], axis=-1)
    field = np.empty((array.count, y.size, x.size), dtype=np.complex128)
    b, a = array.semi_axes_mm
    for coil, (angle, row_z, radius) in enumerate(array.loops()):
        centre = np.array([a * np.cos(angle), b * np.sin(angle)])
        normal = np.array([np.cos(angle) / a, np.sin(angle) / b])
        normal /= np.hypot(*normal)
        along = np.array([-normal[1], normal[0]])
        # wire: centre + radius (cos phi along + sin phi z); current element dl = its derivative
        wire = centre + radius * np.cos(phi)[:, None] * along
        wire_z = row_z + radius * np.sin(phi)
        dl = -radius * np.sin(phi)[:, None] * along
        dl_z = radius * np.cos(phi)
        r = points[:, :, None, :] - wire
        r_z = z - wire_z
        cubed = (r[..., 0] ** 2 + r[..., 1] ** 2 + r_z**2 + WIRE_MM**2) ** -1.5
        # dB = dl x r / |r|^3
        b_x = np.sum((dl[:, 1] * r_z - dl_z * r[..., 1]) * cubed, axis=-1)
        b_y = np.sum((dl_z * r[..., 0] - dl[:, 0] * r_z) * cubed, axis=-1)
        field[coil] = b_x - 1j * b_y
    return field
