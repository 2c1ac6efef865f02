"""Records of a relaxation fit: what is asked, what comes back for a stack of images and for one pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

from engine.core import axes
from engine.core.errors import ShapeError
from engine.core.geometry import Geometry
from engine.core.records.plain import Plain
from engine.core.types import Bool, Float, Kind, ParameterMap, frozen


class Reason(IntEnum):
    """Why a pixel has no value (stored as uint8; 0 where it has one)."""

    VALID = 0
    BACKGROUND = 1
    BOUND = 2
    CORRECTION = 3  # the Look-Locker factor B / A - 1 is not positive
    NOT_FINITE = 4
    UNSURE = 5  # the standard deviation is larger than the value

    @property
    def words(self) -> str:
        """The reason in a person's words."""
        return (
            "valid",
            "background",
            "at a bound of the fit",
            "negative correction factor",
            "samples that are not finite",
            "a standard deviation above the value",
        )[self]


@dataclass(frozen=True, slots=True, eq=False)
class FitRequest:
    """A relaxation fit to make.

    Parameters
    ----------
    model
        Registry name: ``molli3``, ``ir3``, ``t2prep2``, ``t2prep3``, or a mapping network.
    times_ms
        One time for each frame, unsorted as acquired, (frame,) or (slice, frame); None takes those of the series.
    signed
        ``auto``, ``magnitude`` (polarity is found), ``signed`` (phase-sensitive, real values) or ``complex`` (unknown phase).
    motion
        ``none``, ``rigid`` or ``deformable`` in-plane correction before the fit.
    efficiency
        Inversion efficiency delta: T1 = T1* (B / A - 1) / delta. 1.0 is no correction; 0.9653 was measured for MOLLI's adiabatic
        pulse at 3 T. Models without that correction do not look at it: ``ir3`` fits the amplitude of the inversion itself.
    background
        Pixels whose largest sample is below this share of the slice's 99th percentile are not fitted.
    weights
        Id or file, when the model is a mapping network.
    device
        ``auto``, ``cpu``, ``cuda:0``.
    """

    model: str = "molli3"
    times_ms: Float | None = None
    signed: str = "auto"
    motion: str = "none"
    efficiency: float = 1.0
    background: float = 0.05
    weights: str | None = None
    device: str = "auto"


@dataclass(frozen=True, slots=True, eq=False)
class MapSet:
    """All that a fit says about a stack of images.

    Parameters
    ----------
    maps
        Data-set name (``t1_ms``, ``t1_star_ms``, ``a``, ``b``, ``t2_ms``, ``c``) -> map (slice, y, x). The first was asked for.
    model, title
        Registry name of the model, and who made it in words (the method whose images were fitted).
    times_ms
        float32 (slice, frame), as acquired.
    r2, residual
        float32 (slice, y, x): coefficient of determination, root mean square of the residuals in units of the images.
    polarity
        uint8 (slice, y, x): how many of the samples, in order of time, are negative; zeros where signs were known.
    reason
        uint8 (slice, y, x): :class:`Reason`.
    images
        float32 or complex64 (slice, frame, y, x): what was fitted, after motion correction when there was one.
    displacement
        float32 (slice, frame, 2, y, x) in pixels (y, x), or None without motion correction.
    """

    maps: Mapping[str, ParameterMap]
    model: str
    title: str
    times_ms: Float
    r2: Float
    residual: Float
    polarity: Any
    reason: Any
    images: Any
    kind: Kind = Kind.UNKNOWN
    slices: tuple[int, ...] = ()
    displacement: Float | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Plain] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.main.values.shape
        axes.check_axes(self.images, axes.IMAGE_AXES, "fitted images")
        for name, dtype in (("r2", np.float32), ("residual", np.float32), ("polarity", np.uint8), ("reason", np.uint8)):
            array = getattr(self, name)
            if array.shape != shape:
                raise ShapeError(
                    f"{name} does not fit the maps (expected {shape} / found {array.shape})", "Give one number for each pixel."
                )
            object.__setattr__(self, name, frozen(array, dtype))
        object.__setattr__(self, "images", frozen(self.images, self.images.dtype))

    @property
    def main(self) -> ParameterMap:
        """The map that was asked for: T1 or T2."""
        return next(iter(self.maps.values()))

    @property
    def geometry(self) -> Geometry:
        """Where the slices lie, as far as it is known."""
        return self.main.geometry

    @property
    def voxel_mm(self) -> tuple[float, float, float] | None:
        """Voxel size (z, y, x) in mm, None when unknown."""
        return self.geometry.voxel_mm

    @property
    def valid(self) -> Bool:
        """Where the fit holds, (slice, y, x)."""
        return self.main.valid


@dataclass(frozen=True, slots=True, eq=False)
class PixelFit:
    """The fit of one pixel, for its curve.

    Parameters
    ----------
    times_ms, samples
        (frame,) as acquired; the samples carry the sign that was recovered.
    curve_times_ms, curve
        The fitted curve on a fine grid from 0 to beyond the last time.
    residuals
        (frame,): samples minus curve.
    parameters
        Name -> (value, lower, upper end of its 95 % interval, unit); empty when the pixel is not valid.
    """

    times_ms: Float
    samples: Float
    curve_times_ms: Float
    curve: Float
    residuals: Float
    parameters: Mapping[str, tuple[float, float, float, str]]
    r2: float
    reason: Reason = Reason.VALID
