"""How the heart beats and the chest breathes: contraction, thickening, twist, shortening, drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SYSTOLE = 0.35


def smooth_step(t: float) -> float:
    """Return 0 below 0, 1 above 1 and 6t^5 - 15t^4 + 10t^3 between (two continuous derivatives)."""
    t = min(1.0, max(0.0, t))
    return t * t * t * (t * (6.0 * t - 15.0) + 10.0)


def contraction(phase: float) -> float:
    """Return how far the ventricle has contracted, 0 at end-diastole and 1 at end-systole, at ``phase`` 0 ... 1 of the RR interval.

    Ejection fills the first 35 % of the interval; three quarters of the filling are early, then diastasis, then the atrial kick.
    """
    phase = phase % 1.0
    return smooth_step(phase / SYSTOLE) - 0.76 * smooth_step((phase - 0.37) / 0.28) - 0.24 * smooth_step((phase - 0.80) / 0.20)


@dataclass(frozen=True, slots=True)
class HeartState:
    """The heart at one moment, in the short-axis plane ``z_mm`` above the apex.

    ``endo_mm`` and ``epi_mm`` are mean radii of the LV (0 beyond the apex); ``height`` is the plane's place in the ventricle, 0 at
    the apex and 1 at the base; ``twist`` in radians; ``c`` the contraction.
    """

    endo_mm: float
    epi_mm: float
    height: float
    twist: float
    c: float


@dataclass(frozen=True, slots=True)
class Heart:
    """Size and function of one heart; made from a seed by :func:`draw_heart`.

    Lengths in mm at mid-ventricle; ``ratio`` is the end-systolic over the end-diastolic cavity radius, ``thickening`` the relative
    gain of the wall, ``twist_base`` and ``twist_apex`` in radians.
    """

    endo_mm: float
    wall_mm: float
    ratio: float
    thickening: float
    length_mm: float
    shortening_mm: float
    twist_base: float
    twist_apex: float

    def at(self, phase: float, z_mm: float) -> HeartState:
        """Return the state at ``phase`` of the beat in the fixed plane ``z_mm`` above the apex."""
        c = contraction(phase)
        height = z_mm / (self.length_mm - self.shortening_mm * c)
        endo = self.endo_mm * (1.0 - (1.0 - self.ratio) * c) * _profile(height)
        # Apical wall is thinner; the cap of muscle below the cavity ends a wall's thickness lower.
        wall = self.wall_mm * (1.0 + self.thickening * c) * (0.7 + 0.3 * smooth_step(height / 0.6))
        cap = min(1.0, max(0.0, (z_mm + wall) / (2.0 * wall)))
        epi = (endo + wall) * np.sqrt(1.0 - (1.0 - cap) ** 2) if cap < 1.0 else endo + wall
        twist = c * (self.twist_apex + (self.twist_base - self.twist_apex) * min(1.0, max(0.0, height)))
        return HeartState(float(endo), float(epi), float(height), float(twist), c)


def _profile(height: float) -> float:
    """Return the radius at ``height`` relative to mid-ventricle: a blunt half-ellipsoid, a little narrower at the valve."""
    if height <= 0.0:
        return 0.0
    blunt = (1.0 - abs(1.0 - min(height, 1.0)) ** 2.4) ** (1.0 / 2.0)
    return float(blunt * (1.0 - 0.06 * smooth_step((height - 0.75) / 0.25)) / 0.90)


def draw_heart(rng: np.random.Generator) -> Heart:
    """Return a normal adult heart: cavity 22-25 mm, wall 7-9 mm, thickening 40-60 %, shortening 11-14 mm.

    Its cavity up to the valve, papillary muscles included, holds 115-155 ml and ejects 64-70 % of it.
    """
    return Heart(
        endo_mm=rng.uniform(22.2, 24.8),
        wall_mm=rng.uniform(7.2, 8.8),
        ratio=rng.uniform(0.595, 0.635),
        thickening=rng.uniform(0.42, 0.58),
        length_mm=rng.uniform(86.0, 94.0),
        shortening_mm=rng.uniform(11.0, 14.0),
        twist_base=np.deg2rad(rng.uniform(-5.0, -3.0)),
        twist_apex=np.deg2rad(rng.uniform(6.0, 9.0)),
    )


def breathing(frames: int, amplitude_mm: float, rng: np.random.Generator, periodic: bool) -> NDArray[np.float64]:
    """Return in-plane drift (frame, 2) in mm along (y, x); ``amplitude_mm`` is the largest distance from the first frame.

    ``periodic``: one slow wave over the series, so that a cine loop closes (a breath-hold that sinks and recovers). Otherwise each
    frame has a displacement of its own, as images of beats far apart in a breath-hold have.
    """
    if periodic:
        wave = 0.5 * (1.0 - np.cos(2.0 * np.pi * np.arange(frames) / frames))
        angle = np.deg2rad(rng.uniform(60.0, 120.0))
        moved = wave[:, None] * np.array([np.sin(angle), np.cos(angle)])
    else:
        moved = rng.uniform(-1.0, 1.0, size=(frames, 2)) * np.array([1.0, 0.5])
        moved -= moved[0]
    largest = float(np.hypot(moved[:, 0], moved[:, 1]).max())
    drift: NDArray[np.float64] = moved * (amplitude_mm / largest if largest > 0 else 0.0)
    return drift
