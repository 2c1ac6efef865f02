"""Sampling masks from files: our own HDF5, NumPy, and MATLAB as CMRxRecon stores them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.axes import KSPACE_FRAME, KX, KY
from engine.core.errors import FormatError, ShapeError
from engine.core.types import Bool, SamplingMask
from engine.io import hdf5_inside
from engine.io.acquired import from_lines
from engine.io.arrays import Variable, is_mask_name, listed
from engine.io.cmrxrecon_names import nominal_of
from engine.io.h5_fields import get_mask
from engine.io.hdf5 import opened
from engine.io.probe import Container, check_there, container
from engine.io.variables import variables


def read_mask(path: str | Path, shape: tuple[int, ...] | None = None) -> SamplingMask:
    """Return the mask in a file of ours (``mask``), an npz, npy or mat file, or another HDF5 file.

    One axis is (ky), two are (ky, kx), three are (frame, ky, kx). MATLAB's order is (kx, ky, frame): it is turned round by the kind
    of file. Two trailing axes that vary along the last alone are (kx, ky) and are turned round too, because the readout of a line
    is never undersampled by itself.

    Parameters
    ----------
    path
        The file.
    shape
        Sizes (..., frame, coil, ky, kx) of the k-space the mask is for. With it, two axes that cannot be (ky, kx) are taken as
        (frame, ky) or (ky, frame) where their sizes say so.

    Raises
    ------
    FormatError
        The file is missing or damaged, or holds no array of zeros and ones.
    ShapeError
        The array has no axis or more than three.
    """
    file = Path(path)
    check_there(file)
    if container(file) is Container.HDF5:
        with opened(file) as h5:
            if "pattern" in getattr(hdf5_inside.get(h5, "mask"), "attrs", ()):
                hdf5_inside.dataset(file, h5, "mask")
                return get_mask(h5["mask"])
    found, matlab_order = variables(file)
    variable = _choose(file, found)
    values = np.asarray(variable.load())
    if matlab_order:
        values = values.transpose()
    lines = _oriented(file, values)
    return from_lines(_by_frame(lines, shape), "file", nominal_of(file, variable.name))


def _by_frame(lines: Bool, shape: tuple[int, ...] | None) -> Bool:
    """Return (1, a, b) as (frame, ky, 1) when only that fits k-space of ``shape``, anything else as it is."""
    if shape is None or lines.shape[0] != 1:
        return lines
    frames, ky, kx = shape[KSPACE_FRAME], shape[KY], shape[KX]
    sizes = lines.shape[1:]
    # Where frame and ky are of one size, nothing tells which is which.
    if sizes in ((ky, kx), (kx, ky), (ky, 1)) or frames == ky or sorted(sizes) != sorted((frames, ky)):
        return lines
    by_frame: Bool = lines[0] if sizes == (frames, ky) else lines[0].transpose()
    return by_frame[..., None]


def _choose(path: Path, arrays: list[Variable]) -> Variable:
    """Return the array named like a mask, or the only real one."""
    named = [v for v in arrays if is_mask_name(v.name)]
    real = named or [v for v in arrays if "complex" not in v.dtype]
    if len(real) == 1:
        return real[0]
    raise FormatError(
        f"{path.name} holds no mask that can be told (expected one array named mask / found {listed(arrays)})",
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
