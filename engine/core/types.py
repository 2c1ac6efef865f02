"""Public records: frozen, checked when made, NumPy arrays read-only. None of them holds a patient's name or identifier.

What was measured (:mod:`engine.core.acquisition`) and where it lies (:mod:`engine.core.geometry`) have files of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core import axes
from engine.core.acquisition import NOT_LOOKED_AT, Acquisition, Evidence, SamplingMask, Window
from engine.core.arrays import Bool, Complex, Float, frozen
from engine.core.errors import InputError, ShapeError
from engine.core.geometry import UNKNOWN, Geometry
from engine.core.records.plain import Plain

__all__ = [
    "Acquisition", "ArrayReader", "Bool", "CoilMaps", "Complex", "Evidence", "Float", "Geometry", "ImageSeries", "KSpaceReader",
    "KSpaceSeries", "Kind", "ParameterMap", "Reconstruction", "Region", "SamplingMask", "Score", "Window", "check_times", "frozen",
]  # fmt: skip


class Kind(StrEnum):
    """What the frames of a series are."""

    CINE = "cine"
    MOLLI = "molli"
    T2PREP = "t2prep"
    UNKNOWN = "unknown"


def check_times(times_ms: NDArray[Any] | None, slices: int, frames: int) -> Float | None:
    """Return times as read-only float32 ``(slice, frame)``; one row is repeated for all slices; raise on another shape."""
    if times_ms is None:
        return None
    times = np.atleast_2d(np.asarray(times_ms, dtype=np.float32))
    if times.shape[0] == 1:
        times = np.repeat(times, slices, axis=0)
    if times.shape != (slices, frames):
        raise ShapeError(
            f"times do not fit the series (expected slice {slices}, frame {frames} / found {times.shape})",
            "Give one time in milliseconds for each frame.",
        )
    if not np.all(np.isfinite(times)) or np.any(times < 0):
        raise InputError("times must be finite and not negative", "Give times in milliseconds.")
    return frozen(times, np.float32)


class KSpaceReader(Protocol):
    """Reads one slice at a time; opening it costs milliseconds."""

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes of (slice, frame, coil, ky, kx)."""

    def read(self, slice_index: int) -> Complex:
        """Return one slice, complex64 (frame, coil, ky, kx)."""

    def read_frame(self, slice_index: int, frame: int) -> Complex:
        """Return one frame of one slice, complex64 (coil, ky, kx)."""


class ArrayReader:
    """A :class:`KSpaceReader` over an array in memory, complex64 (slice, frame, coil, ky, kx)."""

    def __init__(self, kspace: NDArray[Any]) -> None:
        axes.check_axes(kspace, axes.KSPACE_AXES, "k-space")
        self.array: Complex = frozen(kspace, np.complex64)

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes of (slice, frame, coil, ky, kx)."""
        s, f, c, y, x = self.array.shape
        return s, f, c, y, x

    def read(self, slice_index: int) -> Complex:
        """Return one slice, complex64 (frame, coil, ky, kx)."""
        data: Complex = self.array[slice_index]
        return data

    def read_frame(self, slice_index: int, frame: int) -> Complex:
        """Return one frame of one slice, complex64 (coil, ky, kx)."""
        data: Complex = self.array[slice_index, frame]
        return data


@dataclass(frozen=True, slots=True, eq=False)
class KSpaceSeries:
    """Multi-coil k-space of one series, read slice by slice.

    Parameters
    ----------
    reader
        Source of the samples, (slice, frame, coil, ky, kx) complex64, not yet checked for NaN.
    kind, times_ms, geometry
        What frames are; times (slice, frame) in ms or None; where the slices lie, or as much of it as is known.
    acquisition
        What was measured: mask, acquired window, centre, noise, as far as it is known.
    name, source, format
        Short name for the screen, path it came from ("" when made here), format name.
    notes
        Sentences that must travel with the data ("simulated coils", "single-coil data").
    unknown
        What the file does not tell ("orientation", "voxel size").
    attributes
        Anything else worth keeping in results (plain JSON values, no identifiers).
    """

    reader: KSpaceReader
    kind: Kind = Kind.UNKNOWN
    times_ms: Float | None = None
    geometry: Geometry = UNKNOWN
    acquisition: Acquisition = NOT_LOOKED_AT
    name: str = ""
    source: str = ""
    format: str = ""
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    attributes: Mapping[str, Plain] = field(default_factory=dict)

    def __post_init__(self) -> None:
        s, f, _, _, _ = self.reader.shape
        axes.check_axes(self.reader, axes.KSPACE_AXES, "k-space")
        object.__setattr__(self, "times_ms", check_times(self.times_ms, s, f))
        self.geometry.check_slices(s)
        self.acquisition.check_fits(self.reader.shape)

    @property
    def voxel_mm(self) -> tuple[float, float, float] | None:
        """Voxel size (z, y, x) in mm, None when unknown."""
        return self.geometry.voxel_mm

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes of (slice, frame, coil, ky, kx)."""
        return self.reader.shape

    @property
    def fully_sampled(self) -> bool:
        """Whether a reference image can be made from it: nothing that could be measured is known to be missing."""
        return self.acquisition.fully_sampled

    def read(self, slice_index: int) -> Complex:
        """Return one slice, complex64 (frame, coil, ky, kx); raise ``InputError`` on NaN or infinity."""
        data = self.reader.read(slice_index)
        # A sum is NaN or infinite as soon as one term is: one pass, no temporary of the data's size.
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = not np.isfinite(np.add.reduce(data, axis=None))
        if suspicious and not np.isfinite(data).all():
            bad = int(np.count_nonzero(~np.isfinite(data)))
            raise InputError(
                f"k-space of slice {slice_index} holds {bad} values that are NaN or infinite (expected none)",
                "Repair or leave out this slice: choose others with --slices.",
            )
        return data


@dataclass(frozen=True, slots=True, eq=False)
class ImageSeries:
    """Images without k-space: a magnitude (or complex) series read from npz, npy, mat and the like.

    ``images`` is float32 or complex64 (slice, frame, y, x); the other fields are those of :class:`KSpaceSeries`.
    """

    images: NDArray[Any]
    kind: Kind = Kind.UNKNOWN
    times_ms: Float | None = None
    geometry: Geometry = UNKNOWN
    name: str = ""
    source: str = ""
    format: str = ""
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    attributes: Mapping[str, Plain] = field(default_factory=dict)

    def __post_init__(self) -> None:
        axes.check_axes(self.images, axes.IMAGE_AXES, "image series")
        dtype = np.complex64 if np.iscomplexobj(self.images) else np.float32
        object.__setattr__(self, "images", frozen(self.images, dtype))
        object.__setattr__(self, "times_ms", check_times(self.times_ms, self.images.shape[0], self.images.shape[1]))
        self.geometry.check_slices(self.images.shape[0])

    @property
    def voxel_mm(self) -> tuple[float, float, float] | None:
        """Voxel size (z, y, x) in mm, None when unknown."""
        return self.geometry.voxel_mm

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Sizes of (slice, frame, y, x)."""
        s, f, y, x = self.images.shape
        return s, f, y, x


@dataclass(frozen=True, slots=True, eq=False)
class CoilMaps:
    """Coil sensitivities, complex64 (slice, frame or 1, coil, y, x), sum of squared magnitudes over coils 1 (or 0 outside)."""

    maps: Complex
    method: str
    acs: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        axes.check_axes(self.maps, ("slice", "frame or 1", "coil", "y", "x"), "coil maps")
        object.__setattr__(self, "maps", frozen(self.maps, np.complex64))


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """Images a method made, on the scale of the data it was given.

    ``image`` complex64 (slice, frame, y, x); ``slices`` are the indices into the series; ``reference`` is the fully sampled
    image of the same slices when there is one; ``stages`` maps a name to complex64 (stage, slice, frame, y, x);
    ``provenance`` is JSON-able (see command-line documentation).
    """

    image: Complex
    method: str
    slices: tuple[int, ...]
    frames: tuple[int, ...]
    mask: SamplingMask
    kind: Kind = Kind.UNKNOWN
    times_ms: Float | None = None
    geometry: Geometry = UNKNOWN
    reference: Complex | None = None
    stages: Mapping[str, Complex] = field(default_factory=dict)
    weights: str | None = None
    seconds: float = 0.0
    peak_mib: float | None = None
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Plain] = field(default_factory=dict)

    def __post_init__(self) -> None:
        axes.check_axes(self.image, axes.IMAGE_AXES, "reconstruction")
        if self.image.shape[:2] != (len(self.slices), len(self.frames)):
            raise ShapeError(
                f"the images do not fit the slices and frames listed (expected {len(self.slices)} x {len(self.frames)} / found "
                f"{self.image.shape[0]} x {self.image.shape[1]})",
                "The file was changed or cut; reconstruct again.",
            )
        object.__setattr__(self, "image", frozen(self.image, np.complex64))
        if self.reference is not None:
            if self.reference.shape != self.image.shape:
                raise ShapeError(
                    f"reference and reconstruction differ (expected {self.image.shape} / found {self.reference.shape})",
                    "Reconstruct the same slices and frames as the reference.",
                )
            object.__setattr__(self, "reference", frozen(self.reference, np.complex64))
        self.geometry.check_slices(self.image.shape[0])

    @property
    def voxel_mm(self) -> tuple[float, float, float] | None:
        """Voxel size (z, y, x) in mm, None when unknown."""
        return self.geometry.voxel_mm


@dataclass(frozen=True, slots=True, eq=False)
class ParameterMap:
    """A fitted quantity, float32 (slice, y, x), with its unit. ``valid`` says where it holds; NaN never means invalid."""

    values: Float
    quantity: str
    unit: str
    valid: Bool
    sd: Float | None = None
    residual: Float | None = None
    geometry: Geometry = UNKNOWN

    def __post_init__(self) -> None:
        axes.check_axes(self.values, axes.MAP_AXES, self.quantity)
        self.geometry.check_slices(self.values.shape[0])
        for name, dtype in (("values", np.float32), ("valid", np.bool_), ("sd", np.float32), ("residual", np.float32)):
            array = getattr(self, name)
            if array is None:
                continue
            if array.shape != self.values.shape:
                raise ShapeError(
                    f"{name} of the {self.quantity} map does not fit (expected {self.values.shape} / found {array.shape})",
                    "Give one number for each pixel of the map.",
                )
            object.__setattr__(self, name, frozen(array, dtype))


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels that a score or a statistic is taken over, bool (slice, y, x), and how they were chosen."""

    pixels: Bool
    name: str
    description: str = ""
    geometry: Geometry = UNKNOWN

    def __post_init__(self) -> None:
        axes.check_axes(self.pixels, axes.MAP_AXES, f"region {self.name}")
        self.geometry.check_slices(self.pixels.shape[0])
        object.__setattr__(self, "pixels", frozen(self.pixels, np.bool_))


@dataclass(frozen=True, slots=True)
class Score:
    """One number with all that is needed to read it.

    ``slice`` is an index or ``"all"`` (mean over slices); ``data_range`` the reference maximum used; ``n_pixels`` counts
    pixels times frames.
    """

    metric: str
    value: float
    unit: str
    region: str
    slice: int | str
    data_range: float
    n_pixels: int
    higher_is_better: bool
    protocol: str = "myoscope"
