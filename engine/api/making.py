"""Numerical phantoms and simulated coils."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.core.jobs import Reporter, silent
from engine.core.types import (
    ImageSeries,
    KSpaceSeries,
)

if TYPE_CHECKING:
    from engine.phantom.acquire import PhantomRequest


def phantom_request(**settings: Any) -> PhantomRequest:
    """Return a phantom to make: ``kind``, ``matrix``, ``coils`` ... See :class:`engine.phantom.acquire.PhantomRequest`."""
    from engine.phantom.acquire import PhantomRequest

    return PhantomRequest(**settings)


def make_phantom(request: PhantomRequest, report: Reporter | None = None) -> tuple[KSpaceSeries, Mapping[str, Any]]:
    """Make a numerical phantom series and its truth maps. See :mod:`engine.phantom.acquire`."""
    from engine.phantom.acquire import make_phantom as make

    return make(request, report or silent())


def simulate(
    images: ImageSeries, coils: int = 10, snr: float = 40.0, seed: int = 0, report: Reporter | None = None
) -> KSpaceSeries:
    """Make multi-coil k-space from images, lazily, slice by slice; the result says "simulated coils"."""
    from engine.phantom.simulate import simulate as make

    return make(images, coils, snr, seed, report or silent())
