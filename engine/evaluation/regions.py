"""Regions that scores are taken over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core import axes
from engine.core.axes import FRAME, X, Y
from engine.core.errors import InputError
from engine.core.geometry import UNKNOWN, Geometry
from engine.core.types import Complex, Region

WHOLE = "whole"
DYNAMIC = "dynamic"
STATIC = "static"


def _dynamic_pixels(reference_images: Complex, percentile: float) -> NDArray[np.bool_]:
    """Return bool (slice, y, x): temporal standard deviation of the magnitude above its percentile within the slice."""
    axes.check_axes(reference_images, axes.IMAGE_AXES, "reference")
    if not 0 <= percentile < 100:
        raise InputError(f"percentile {percentile:g} is not possible (expected 0 to below 100)", "Choose 90, as in the paper.")
    if reference_images.shape[FRAME] < 2:
        raise InputError(
            "a single frame does not move (expected at least 2 frames for a dynamic region / found 1)",
            "Choose the whole image, or reconstruct more frames.",
        )
    magnitude = np.abs(reference_images)
    spread = np.std(magnitude, axis=FRAME, dtype=np.float64)
    if not np.isfinite(spread).all():
        raise InputError("the reference holds values that are NaN or infinite (expected none)", "Repair the reference.")
    threshold = np.percentile(spread, percentile, axis=(Y, X), keepdims=True)
    # Where hardly anything moves the percentile falls into the rounding of single precision, which is no motion.
    rounding = 1e-6 * magnitude.max(axis=(FRAME, Y, X))[:, None, None]
    pixels = np.asarray(spread > np.maximum(threshold, rounding))
    for index, slice_pixels in enumerate(pixels):
        if not slice_pixels.any():
            raise InputError(
                f"nothing moves in slice {index} (expected frames that differ)", "Choose the whole image, or another slice."
            )
    return pixels


def dynamic_region(reference_images: Complex, percentile: float = 90.0, geometry: Geometry = UNKNOWN) -> Region:
    """Return the dynamic region of CRUNet-MR (section 3.4) of images (slice, frame, y, x).

    A pixel belongs to it when the standard deviation over frames of the ground truth's magnitude exceeds the ``percentile`` of
    those of its slice: the tenth of the pixels that change most.

    Raises
    ------
    InputError
        One frame only, nothing moves, an impossible percentile, or NaN.
    """
    pixels = _dynamic_pixels(reference_images, percentile)
    words = f"temporal standard deviation of the reference above its {percentile:g}th percentile per slice"
    return Region(pixels, DYNAMIC, words, geometry)


def static_region(reference_images: Complex, percentile: float = 90.0, geometry: Geometry = UNKNOWN) -> Region:
    """Return the complement of :func:`dynamic_region` ("static region" of CRUNet-MR, section 3.4)."""
    pixels = ~_dynamic_pixels(reference_images, percentile)
    words = f"temporal standard deviation of the reference up to its {percentile:g}th percentile per slice"
    return Region(pixels, STATIC, words, geometry)


def region_by_name(name: str, reference_images: Complex, percentile: float = 90.0, geometry: Geometry = UNKNOWN) -> Region | None:
    """Return the region called ``whole`` (None), ``dynamic`` or ``static``, or the one in the mask file of that path.

    Raises
    ------
    InputError
        Neither a known name nor a file.
    """
    if name == WHOLE:
        return None
    if name == DYNAMIC:
        return dynamic_region(reference_images, percentile, geometry)
    if name == STATIC:
        return static_region(reference_images, percentile, geometry)
    if not Path(name).exists():
        raise InputError(f"unknown region {name!r} (expected whole, dynamic, static or a mask file)", "Check the name or the path.")
    from engine.evaluation.region_files import read_region

    slices, _, y, x = reference_images.shape
    return replace(read_region(name, (slices, y, x)), geometry=geometry)
