"""Where the pixels of a stack lie in the patient, as far as anybody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError, ShapeError

Planes = NDArray[np.float64]

# Pixels, directions and distances that differ by less than this share are the same: affines are often stored in single precision.
ALIKE: Final = 1e-3
PHASE_ENCODES: Final = ("", "y", "y-", "x", "x-", "slice", "slice-")
CODES: Final = (("L", "R"), ("P", "A"), ("I", "S"))


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """Where the pixels of a stack of slices lie: all of it, only their size, or nothing known (the default).

    Parameters
    ----------
    planes
        float64 (slice, 4, 4): index (x, y, 0, 1) of a slice -> position of the pixel's centre in mm, towards the patient's right,
        anterior and superior, as in NIfTI. The third column is the way to the next slice. Slices may lie in any way to each other
        (long axes, gaps). None when it is unknown.
    voxel_mm
        Size (z, y, x) in mm; z is the slice thickness where the file tells it, else the distance of slices. None when unknown;
        taken from ``planes`` when those are known.
    phase_encode
        Image axis along which phases were encoded: ``y``, ``x``, ``slice``, with ``-`` behind when against the index; "" unknown.
    frame_of_reference
        Word for the space of the positions: those of two series can be compared when it is the same. "" unknown.

    Raises
    ------
    InputError
        Sizes that are not positive, an affine that has no inverse, an unknown word for the phase encoding.
    """

    planes: Planes | None = None
    voxel_mm: tuple[float, float, float] | None = None
    phase_encode: str = ""
    frame_of_reference: str = ""

    def __post_init__(self) -> None:
        if self.phase_encode not in PHASE_ENCODES:
            raise InputError(
                f"the phase encoding cannot be along {self.phase_encode!r} (expected one of {', '.join(PHASE_ENCODES[1:])})",
                "Leave it empty when it is not known.",
            )
        if self.planes is not None:
            object.__setattr__(self, "planes", _checked(self.planes))
            if self.voxel_mm is None:
                object.__setattr__(self, "voxel_mm", _size(self.planes))
        if self.voxel_mm is not None:
            size = tuple(float(v) for v in self.voxel_mm)
            if len(size) != 3 or not all(np.isfinite(v) and v > 0 for v in size):
                raise InputError(f"the voxel size cannot be {size} (expected three sizes in mm, z, y, x)", "Correct the file.")
            object.__setattr__(self, "voxel_mm", size)

    @classmethod
    def from_affine(
        cls,
        affine: NDArray[np.floating],
        slices: int,
        *,
        voxel_mm: tuple[float, float, float] | None = None,
        phase_encode: str = "",
        frame_of_reference: str = "",
    ) -> Geometry:
        """Return the geometry of a regular stack: ``affine`` (4, 4) takes an index (x, y, slice, 1) to mm."""
        first = np.asarray(affine, np.float64)
        planes = np.repeat(first[None], slices, axis=0)
        planes[:, :3, 3] += np.arange(slices)[:, None] * first[:3, 2]
        return cls(planes, voxel_mm, phase_encode, frame_of_reference)

    @property
    def known(self) -> bool:
        """Whether positions are known."""
        return self.planes is not None

    @property
    def affine(self) -> NDArray[np.float64] | None:
        """One (4, 4) for the whole stack, None when positions are unknown or slices are not parallel and evenly spaced."""
        if self.planes is None:
            return None
        made: NDArray[np.float64] = self.planes[0].copy()
        count = len(self.planes)
        if count > 1:
            made[:3, 2] = (self.planes[-1][:3, 3] - made[:3, 3]) / (count - 1)
        expected = made[:3, 3] + np.arange(count)[:, None] * made[:3, 2]
        tolerance = ALIKE * float(np.linalg.norm(made[:3, :3], axis=0).max())
        even = np.abs(expected - self.planes[:, :3, 3]).max() <= tolerance
        parallel = np.abs(self.planes[:, :3, :2] - made[:3, :2]).max() <= tolerance
        return made if even and parallel and abs(np.linalg.det(made[:3, :3])) > 0 else None

    @property
    def orientation(self) -> str:
        """Where x, y and slice of the first slice point to, as letters (``LPS``); "" when unknown."""
        if self.planes is None:
            return ""
        letters = []
        for column in self.planes[0][:3, :3].T:
            main = int(np.argmax(np.abs(column)))
            letters.append(CODES[main][int(column[main] > 0)])
        return "".join(letters)

    def select(self, slices: Sequence[int]) -> Geometry:
        """Return the geometry of these slices of the stack, in this order."""
        return self if self.planes is None else replace(self, planes=self.planes[list(slices)])

    def crop(self, y: int, x: int) -> Geometry:
        """Return the geometry of images whose first pixel is (y, x) of these."""
        if self.planes is None:
            return self
        moved = self.planes.copy()
        moved[:, :3, 3] += y * moved[:, :3, 1] + x * moved[:, :3, 0]
        return replace(self, planes=moved)

    def same_place(self, other: Geometry) -> bool | None:
        """Whether two stacks lie in the same place, slice by slice; None when that is not known of both."""
        if self.planes is None or other.planes is None or self.frame_of_reference != other.frame_of_reference:
            return None
        if self.planes.shape != other.planes.shape:
            return False
        return bool(np.abs(self.planes - other.planes).max() <= ALIKE * np.linalg.norm(self.planes[0][:3, :3], axis=0).max())

    def check_slices(self, slices: int) -> None:
        """Raise ``ShapeError`` unless there is one plane for each of ``slices``."""
        if self.planes is not None and len(self.planes) != slices:
            raise ShapeError(
                f"the geometry does not fit (expected one plane for each of {slices} slices / found {len(self.planes)})",
                "Choose the slices of the geometry with those of the images.",
            )


UNKNOWN: Final = Geometry()
"""Nothing is known of where the pixels lie."""


def _checked(planes: NDArray[np.floating]) -> Planes:
    made = np.array(planes, np.float64)
    if made.ndim != 3 or made.shape[1:] != (4, 4) or len(made) == 0:
        raise ShapeError(
            f"the geometry has the wrong shape (expected slice, 4, 4 / found {made.shape})", "Give a 4 x 4 affine for each slice."
        )
    flat = np.linalg.norm(np.cross(made[:, :3, 0], made[:, :3, 1]), axis=1)
    if not np.isfinite(made).all() or (flat <= 0).any() or (made[:, 3] != (0, 0, 0, 1)).any():
        raise InputError(
            "the geometry cannot be used (expected finite affines with two directions in the plane and a last row 0, 0, 0, 1)",
            "Export the series again, or leave its geometry out.",
        )
    made.flags.writeable = False
    return made


def _size(planes: Planes) -> tuple[float, float, float] | None:
    x, y, z = (float(v) for v in np.linalg.norm(planes[0][:3, :3], axis=0))
    return (z, y, x) if z > 0 else None
