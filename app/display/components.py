"""Parts of complex images: magnitude, phase, real, imaginary, logarithmic k-space."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.display.state import Component
from engine.core.axes import X, Y
from engine.core.types import Float

DB_RANGE: Final = (-80.0, 0.0)
"""Fixed window of logarithmic k-space in dB below the largest sample of the reference's first frame."""

LABELS: Final = {
    Component.MAGNITUDE: "magnitude",
    Component.PHASE: "phase, rad",
    Component.REAL: "real part",
    Component.IMAGINARY: "imaginary part",
    Component.KSPACE: "k-space, dB",
}

COLORMAPS: Final = {
    Component.MAGNITUDE: "gray",
    Component.PHASE: "romaO",
    Component.REAL: "gray",
    Component.IMAGINARY: "gray",
    Component.KSPACE: "gray",
}


def kspace_magnitude(image: NDArray[Any]) -> Float:
    """Return the magnitude of the centred orthonormal Fourier transform of ``image`` (..., y, x).

    This is display arithmetic on one frame; the physics has its own transform (``engine.physics.fourier``).
    """
    axes = (Y, X)
    spectrum = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image, axes=axes), axes=axes, norm="ortho"), axes=axes)
    magnitude: Float = np.abs(spectrum).astype(np.float32, copy=False)
    return magnitude


def component_of(image: NDArray[Any], component: Component, peak: float = 1.0) -> Float:
    """Return one part of a complex image (..., y, x) as float32.

    ``peak`` is what 0 dB means for k-space. Phase is in radians, -pi to pi.
    """
    if component is Component.PHASE:
        part = np.angle(image)
    elif component is Component.REAL:
        part = np.real(image)
    elif component is Component.IMAGINARY:
        part = np.imag(image)
    elif component is Component.KSPACE:
        part = decibels(kspace_magnitude(image), peak)
    else:
        part = np.abs(image)
    real: Float = part.astype(np.float32, copy=False)
    return real


def decibels(magnitude: Float, peak: float) -> Float:
    """Return 20 log10(magnitude / peak), no lower than 40 dB under the window; NaN stays NaN."""
    with np.errstate(divide="ignore"):
        level = 20.0 * np.log10(magnitude.astype(np.float64) / (peak or 1.0))
    floored: Float = np.maximum(level, DB_RANGE[0] - 40.0).astype(np.float32)
    return floored


def kspace_peak(series: NDArray[Any]) -> float:
    """Return the largest k-space magnitude of the first frame of a slice (frame, y, x); 1 when there is none."""
    first = np.nan_to_num(series[0], nan=0.0, posinf=0.0, neginf=0.0)
    return float(kspace_magnitude(first).max()) or 1.0
