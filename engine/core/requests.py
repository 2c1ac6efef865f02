"""Frozen requests: what the window and the command line ask of :mod:`engine.api`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.core.types import KSpaceSeries, SamplingMask


@dataclass(frozen=True, slots=True)
class MaskRequest:
    """A mask to make.

    ``acceleration`` is nominal (ACS not counted); ``acs`` lines (or block side) of the centre; ``per_frame`` None means the
    pattern's own habit; ``options`` are the pattern's further parameters.
    """

    pattern: str = "equispaced"
    acceleration: float = 8.0
    acs: int = 24
    seed: int = 0
    per_frame: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ReconRequest:
    """A reconstruction to make.

    ``mask`` None uses the data as measured; ``weights`` is an id or a file; ``slices`` and ``frames`` None mean all;
    ``reference`` asks for the fully sampled image beside; ``options`` override the method's default settings; ``precision`` of a
    network's layers is ``float32``, ``bfloat16`` or, on CUDA, ``float16`` (the physics stays in single precision).
    """

    series: KSpaceSeries
    method: str
    mask: SamplingMask | None = None
    weights: str | None = None
    slices: tuple[int, ...] | None = None
    frames: tuple[int, ...] | None = None
    device: str = "auto"
    stages: bool = False
    reference: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "float32"
