"""A beating heart from a still image: simulated contraction of the left ventricle.

A ring of tissue keeps its area while the cavity contracts (the myocardium is incompressible in the plane): a point at radius rho
of the contracted heart came from radius r with r^2 - e0^2 = rho^2 - e^2, where e0 and e are the cavity's radii at end-diastole and
now. Outside the wall the displacement fades away over one more radius. The wall turns by a few degrees as it contracts.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from engine.core.types import Float
from engine.phantom.motion import contraction


def set_in_motion(image: Float, centre: tuple[float, float], radius: float, frames: int, rng: np.random.Generator) -> Float:
    """Return a cine loop, float32 (frame, y, x), of a still image (y, x).

    Parameters
    ----------
    image
        Short-axis image, magnitude; taken as end-diastole.
    centre, radius
        Of the left ventricular cavity, pixels (y, x).
    frames
        Phases of the loop.
    rng
        Decides the strength of contraction, twist, and a drift of breathing.
    """
    ratio = rng.uniform(0.5, 0.85)
    twist = np.deg2rad(rng.uniform(-12.0, 12.0))
    drift = rng.uniform(-0.08, 0.08, size=2) * radius
    wall = rng.uniform(1.4, 1.7) * radius  # epicardium
    start = rng.uniform()
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float64)
    spline = ndimage.spline_filter(image.astype(np.float64), order=3, mode="nearest")
    loop = np.empty((frames, *image.shape), dtype=np.float32)
    for frame in range(frames):
        phase = (frame / frames + start) % 1.0
        c = contraction(phase)
        sway = 0.5 * (1.0 - np.cos(2.0 * np.pi * frame / frames))
        dy, dx = y - centre[0] - sway * drift[0], x - centre[1] - sway * drift[1]
        rho = np.hypot(dy, dx) + 1e-9
        cavity = radius * (1.0 - (1.0 - ratio) * c)
        fade = np.clip((2.0 * wall - rho) / wall, 0.0, 1.0)
        fade = fade * fade * (3.0 - 2.0 * fade)
        outside = np.sqrt(np.maximum(rho**2 + (radius**2 - cavity**2) * fade, 0.0))
        source = np.where(rho < cavity, rho * radius / cavity, outside)
        turn = c * twist * np.exp(-((rho / wall) ** 2))
        scale = source / rho
        at = (
            centre[0] + scale * (dy * np.cos(turn) - dx * np.sin(turn)),
            centre[1] + scale * (dy * np.sin(turn) + dx * np.cos(turn)),
        )
        loop[frame] = ndimage.map_coordinates(spline, at, order=3, mode="nearest", prefilter=False)
    return np.maximum(loop, 0.0)
