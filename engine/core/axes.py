"""The one place where axis order is defined.

k-space is ``(slice, frame, coil, ky, kx)``, images are ``(slice, frame, y, x)``, maps are ``(slice, y, x)``. ``frame`` is a
cardiac phase, an inversion time or an echo. Readout (kx) is last, phase encoding (ky) the axis before it. Inside networks
``batch`` stands where ``slice`` does. Arrays are indexed by the negative constants below and never by a bare number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine.core.errors import ShapeError

KX: Final = -1
KY: Final = -2
COIL: Final = -3
KSPACE_FRAME: Final = -4
KSPACE_SLICE: Final = -5

X: Final = -1
Y: Final = -2
FRAME: Final = -3
SLICE: Final = -4

MAP_SLICE: Final = -3

KSPACE_AXES: Final = ("slice", "frame", "coil", "ky", "kx")
IMAGE_AXES: Final = ("slice", "frame", "y", "x")
MAP_AXES: Final = ("slice", "y", "x")
MASK_AXES: Final = ("frame", "ky", "kx")  # frame and kx may be 1: the same for all


def describe(shape: Sequence[int], axes: Sequence[str]) -> str:
    """Name every size: ``describe((12, 10), ("frame", "coil"))`` gives ``"frame 12, coil 10"``."""
    if len(shape) != len(axes):
        return f"{len(shape)}-D {tuple(shape)}"
    return ", ".join(f"{name} {size}" for name, size in zip(axes, shape, strict=True))


def check_axes(array: Any, axes: Sequence[str], name: str) -> None:
    """Raise ``ShapeError`` unless ``array`` has one non-empty axis for each name in ``axes``."""
    shape = tuple(int(n) for n in array.shape)
    if len(shape) != len(axes):
        raise ShapeError(
            f"{name} has the wrong number of axes (expected {len(axes)}: {', '.join(axes)} / found {len(shape)}: {shape})",
            "Reorder or add axes so that they are " + ", ".join(axes) + "; a length-1 axis is enough for a missing one.",
        )
    if 0 in shape:
        raise ShapeError(
            f"{name} is empty (expected at least one element along each axis / found {describe(shape, axes)})",
            "Check the export that wrote this array.",
        )
