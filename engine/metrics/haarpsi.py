"""Haar wavelet-based perceptual similarity index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.core.axes import X, Y
from engine.core.errors import InputError
from engine.core.types import Bool, Float
from engine.metrics.contract import METRICS, MetricSpec, check_pair

C = 30.0
ALPHA = 4.2


def _window_sum(images: NDArray[np.float32], axis: int, size: int, start: int) -> NDArray[np.float32]:
    """Return sums over ``size`` (a power of two) neighbours from ``start`` on along ``axis``; zero outside the image."""
    length = images.shape[axis]
    padding = [(0, 0)] * images.ndim
    padding[axis] = (max(-start, 0), max(start, 0) + size)
    sums = np.moveaxis(np.pad(images, padding), axis, -1)
    width = 1
    while width < size:
        sums = sums[..., : sums.shape[-1] - width] + sums[..., width:]
        width *= 2
    first = max(start, 0)
    return np.moveaxis(sums[..., first : first + length], -1, axis)


def _haar(images: NDArray[np.float32], scale: int, axis: int) -> NDArray[np.float32]:
    """Return Haar wavelet coefficients of 2^scale pixels, the difference taken along ``axis``.

    The filter is anchored as the convolution of the original is: pixel j covers j - 2^(scale-1) + 1 .. j + 2^(scale-1).
    """
    size, half = 2**scale, 2 ** (scale - 1)
    across = X if axis == Y else Y
    smooth = _window_sum(images, across, size, 1 - half)
    return (_window_sum(smooth, axis, half, 1) - _window_sum(smooth, axis, half, 1 - half)) * np.float32(2.0**-scale)


def _halved(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average 2 x 2 neighbours and keep every second pixel."""
    return (_window_sum(_window_sum(images, Y, 2, 0), X, 2, 0) * np.float32(0.25))[..., ::2, ::2]


def haarpsi(estimate: Float, reference: Float, region: Bool | None, data_range: float) -> float:
    """Return the mean over frames of HaarPSI (Reisenhofer et al. 2018, eq. 10), grey scale: C = 30, alpha = 4.2; 1 is best.

    The images are brought to 0 .. 255 by ``data_range`` and halved, as in the paper.

    Raises
    ------
    InputError
        A region is given: the index is defined for an image, not for a set of points; or the images show no structure.
    """
    check_pair(estimate, reference, None)
    if region is not None:
        raise InputError("HaarPSI is defined for whole images (expected no region)", "Leave out HaarPSI or the region.")
    gain = np.float32(255.0 / data_range)
    # Frame by frame: one frame's coefficients stay in the processor's cache.
    return float(np.mean([_index(_halved(e * gain), _halved(r * gain)) for e, r in zip(estimate, reference, strict=True)]))


def _index(e: Float, r: Float) -> float:
    """Return the index of two halved frames (y, x)."""
    likeness = weight = 0.0
    for axis in (Y, X):
        similar = np.zeros_like(r)
        for scale in (1, 2):
            a, b = np.abs(_haar(e, scale, axis)), np.abs(_haar(r, scale, axis))
            similar += (2 * a * b + np.float32(C)) / (a * a + b * b + np.float32(C))
        importance = np.maximum(np.abs(_haar(e, 3, axis)), np.abs(_haar(r, 3, axis)))
        logistic = 1 / (1 + np.exp(np.float32(-ALPHA / 2) * similar))
        likeness += float((logistic * importance).sum(dtype=np.float64))
        weight += float(importance.sum(dtype=np.float64))
    if weight == 0:
        raise InputError("HaarPSI has no value for images without structure (expected a signal)", "Check both images.")
    mean = likeness / weight
    return float((np.log(mean / (1 - mean)) / ALPHA) ** 2)


METRICS.register(
    "haarpsi",
    MetricSpec(
        "haarpsi",
        "HaarPSI",
        "",
        True,
        haarpsi,
        "Reisenhofer et al., Signal Process Image Commun 2018;61:33; grey scale, C 30, alpha 4.2",
        takes_region=False,
    ),
)
