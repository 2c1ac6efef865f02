"""Sampling masks from files: our own HDF5, NumPy, and MATLAB as CMRxRecon stores them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import FormatError, ShapeError
from engine.core.types import Bool, SamplingMask
from engine.io import hdf5_arrays, matlab, npy, npz
from engine.io.acquired import from_lines
from engine.io.arrays import Variable
from engine.io.cmrxrecon_names import nominal_of
from engine.io.h5_fields import get_mask
from engine.io.hdf5 import opened
from engine.io.probe import Container, expect


def read_mask(path: str | Path) -> SamplingMask:
    """Return the mask in a file of ours (``mask``), an npz, npy or mat file, or another HDF5 file.

    One axis is (ky), two are (ky, kx), three are (frame, ky, kx). MATLAB's order is (kx, ky, frame): it is turned round by the kind
    of file. Two trailing axes that vary along the last alone are (kx, ky) and are turned round too, because the readout of a line
    is never undersampled by itself.

    Raises
    ------
    FormatError
        The file is missing or damaged, or holds no array of zeros and ones.
    ShapeError
        The array has no axis or more than three.
    """
    file = Path(path)
    if not file.exists():
        raise FormatError(f"{file} does not exist", "Check the path; names are case-sensitive.")
    found = expect(file, Container.HDF5, Container.MATLAB5, Container.NPY, Container.ZIP)
    if found is Container.HDF5:
        with opened(file) as h5:
            if "pattern" in getattr(h5.get("mask"), "attrs", ()):
                return get_mask(h5["mask"])
    matlab_order = found is Container.MATLAB5 or (found is Container.HDF5 and file.suffix.lower() == ".mat")
    variable = _choose(file, _variables(file, found, matlab_order))
    values = np.asarray(variable.load())
    if matlab_order:
        values = values.transpose()
    return from_lines(_oriented(file, values), "file", nominal_of(file, variable.name))


def _variables(path: Path, found: Container, matlab_order: bool) -> list[Variable]:
    if found is Container.NPY:
        return [npy.variable_of(path)]
    if found is Container.ZIP:
        return npz.contents(path)[0]
    if matlab_order:
        return matlab.contents(path)[1]
    return hdf5_arrays.contents(path, matlab=False)[0]


def _choose(path: Path, variables: list[Variable]) -> Variable:
    """Return the array named like a mask, or the only real one."""
    named = [v for v in variables if v.name.lower().split("/")[-1].startswith(("mask", "usmask", "lines", "sampling"))]
    real = named or [v for v in variables if "complex" not in v.dtype]
    if len(real) == 1:
        return real[0]
    listing = ", ".join(f"{v.name} {v.shape} {v.dtype}" for v in variables) or "nothing"
    raise FormatError(
        f"{path.name} holds no mask that can be told (expected one array named mask / found {listing})",
        "Save the mask alone, or call it mask.",
    )


def _oriented(path: Path, values: NDArray[Any]) -> Bool:
    """Return bool (frame, ky, kx)."""
    shape = values.shape
    while values.ndim > 3 and 1 in values.shape:
        values = np.squeeze(values, axis=values.shape.index(1))
    if values.ndim not in (1, 2, 3) or values.size == 0:
        raise ShapeError(
            f"the mask in {path.name} has the wrong number of axes (expected ky, or ky, kx, or frame, ky, kx / found {shape})",
            "Save it with at most one axis for frames.",
        )
    if values.dtype.kind not in "buif" or not np.isin(values, (0, 1, values.max())).all() or values.max() not in (1, 255):
        raise FormatError(
            f"{path.name} is not a mask (expected zeros and ones / found {values.dtype} values up to {_largest(values)})",
            "Save 1 where k-space is measured and 0 elsewhere.",
        )
    lines: Bool = values != 0
    if values.ndim == 1:
        return lines[None, :, None]
    if values.ndim == 2:
        lines = lines[None]
    constant = (lines == lines[..., :1]).all()
    if not constant and (lines == lines[:, :1, :]).all():
        lines = lines.swapaxes(-2, -1)
    return np.ascontiguousarray(lines)


def _largest(values: NDArray[Any]) -> str:
    return f"{np.abs(values).max():g}" if values.dtype.kind in "uifc" else "no numbers"
