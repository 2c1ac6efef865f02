"""Regions drawn elsewhere: an array in an HDF5, npz, npy or MATLAB file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.core.errors import FormatError, ShapeError
from engine.core.types import Region
from engine.io import hdf5_arrays, matlab, npy, npz
from engine.io.arrays import Variable
from engine.io.probe import Container, expect

_NAMES = ("region", "roi", "mask", "pixels", "label", "labels")


def read_region(path: str | Path, shape: tuple[int, int, int]) -> Region:
    """Read a region for images of ``shape`` (slice, y, x) from a h5, npz, npy or mat file; what is not zero belongs to it.

    The array is (slice, y, x), or (y, x) for all slices. In MATLAB files its axes are (y, x, slice), for v7.3 as well. Of
    several arrays, the one called region, roi, mask, pixels or label is taken; otherwise there must be one that fits.

    Raises
    ------
    FormatError
        The file is missing, cannot be read, or holds no array that could be a region.
    ShapeError
        The region is for another matrix.
    """
    file = Path(path)
    if not file.is_file():
        raise FormatError(f"no such file: {file} (expected a mask file)", "Check the path.")
    found = expect(file, Container.HDF5, Container.MATLAB5, Container.NPY, Container.ZIP)
    # What MATLAB calls (y, x, slice); the last axis of length 1 is dropped there.
    matlab_order = found is Container.MATLAB5 or (found is Container.HDF5 and file.suffix.lower() == ".mat")
    wanted = (shape[1:], (*shape[1:], shape[0]) if matlab_order else shape)
    variable = _choose(file, _variables(file, found, matlab_order), wanted)
    if variable.shape not in wanted:
        raise ShapeError(
            f"the region in {file.name} does not fit (expected slice {shape[0]}, y {shape[1]}, x {shape[2]}, or one y, x for all / "
            f"found {variable.shape})",
            "Draw the region on images of this matrix size.",
        )
    values = variable.load()
    if matlab_order and values.ndim == 3:
        values = np.moveaxis(values, -1, 0)
    if not np.isfinite(values).all():
        raise FormatError(f"the region in {file.name} holds NaN (expected 0 and 1)", "Save it as a bool array.")
    return Region(np.broadcast_to(values != 0, shape).copy(), file.stem, f"from file {file.name}, array {variable.name}")


def _variables(path: Path, found: Container, matlab_order: bool) -> list[Variable]:
    """Return the arrays of a file, unread."""
    if found is Container.NPY:
        return [npy.variable_of(path)]
    if found is Container.ZIP:
        return npz.contents(path)[0]
    if matlab_order:
        return matlab.contents(path)[1]
    return hdf5_arrays.contents(path, matlab=False)[0]


def _choose(path: Path, variables: list[Variable], wanted: tuple[tuple[int, ...], ...]) -> Variable:
    """Return the array named like a region, else one of a wanted shape, else any of real numbers with two or three axes."""
    possible = [v for v in variables if len(v.shape) in (2, 3) and v.dtype.startswith(("bool", "int", "uint", "float"))]
    if not possible:
        raise FormatError(f"{path.name} holds no region (expected a 2-D or 3-D array of 0 and 1)", "Save it as a bool array.")
    named = [v for name in _NAMES for v in possible if v.name.lower().split("/")[-1] == name]
    fitting = [v for v in possible if v.shape in wanted]
    return (named or fitting or possible)[0]
