"""Numerical phantoms and simulated coils."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from numpy.typing import NDArray

from engine.core.jobs import Reporter, silent
from engine.core.requests import PhantomSettings
from engine.core.types import (
    ImageSeries,
    KSpaceSeries,
)


def make_phantom(settings: PhantomSettings, report: Reporter | None = None) -> tuple[KSpaceSeries, Mapping[str, NDArray[Any]]]:
    """Make a numerical phantom series and its truth maps; raise ``InputError`` for settings that do not fit together.

    See :mod:`engine.phantom.acquire`.
    """
    from engine.phantom.acquire import PhantomRequest
    from engine.phantom.acquire import make_phantom as make

    return make(PhantomRequest(**asdict(settings)), report or silent())


def simulate(
    images: ImageSeries, coils: int = 10, snr: float = 40.0, seed: int = 0, report: Reporter | None = None
) -> KSpaceSeries:
    """Make multi-coil k-space from images, lazily, slice by slice; the result says "simulated coils"."""
    from engine.phantom.simulate import simulate as make

    return make(images, coils, snr, seed, report or silent())
