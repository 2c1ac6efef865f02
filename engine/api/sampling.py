"""Masks."""

from __future__ import annotations

from collections.abc import Sequence

from engine.core.records.registries import MaskFamily
from engine.core.requests import MaskRequest
from engine.core.types import (
    Float,
    SamplingMask,
)


def mask_patterns() -> list[MaskFamily]:
    """Return all registered patterns, in alphabetical order."""
    from engine.sampling import MASKS

    return [spec.info for _, spec in MASKS.items()]


def make_mask(request: MaskRequest, shape: Sequence[int]) -> SamplingMask:
    """Make a mask for k-space of ``shape`` (slice, frame, coil, ky, kx)."""
    from engine.sampling import make_mask as make

    return make(request, frames=shape[-4], ky=shape[-2], kx=shape[-1])


def point_spread(mask: SamplingMask, frame: int = 0) -> Float:
    """Return the magnitude of the mask's point-spread function, float32 (y, x or 1), peak 1 in the centre."""
    from engine.sampling.psf import point_spread as psf

    return psf(mask, frame)
