"""Regions drawn elsewhere: a bool array in an HDF5, npz, npy or MATLAB file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import FormatError, ShapeError
from engine.core.types import Region

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
    arrays = {name: value for name, value in _read(file).items() if value.ndim in (2, 3) and value.dtype.kind in "biuf"}
    if not arrays:
        raise FormatError(f"{file.name} holds no region (expected a 2-D or 3-D array of 0 and 1)", "Save it as a bool array.")
    named = [name for name in _NAMES if name in arrays]
    fitting = [name for name, value in arrays.items() if value.shape in (shape, shape[1:])]
    chosen = (named or fitting or sorted(arrays))[0]
    values = arrays[chosen]
    if values.shape not in (shape, shape[1:]):
        raise ShapeError(
            f"the region in {file.name} does not fit (expected slice {shape[0]}, y {shape[1]}, x {shape[2]}, or one y, x for all / "
            f"found {values.shape})",
            "Draw the region on images of this matrix size.",
        )
    if not np.isfinite(values).all():
        raise FormatError(f"the region in {file.name} holds NaN (expected 0 and 1)", "Save it as a bool array.")
    return Region(np.broadcast_to(values != 0, shape).copy(), file.stem, f"from file {file.name}, array {chosen}")


def _read(file: Path) -> dict[str, NDArray[Any]]:
    suffix = file.suffix.lower()
    try:
        if suffix == ".npy":
            return {"array": np.load(file, allow_pickle=False)}
        if suffix == ".npz":
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        if suffix == ".mat":
            return _read_mat(file)
        return _read_hdf5(file)
    except (OSError, ValueError, EOFError, NotImplementedError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise FormatError(f"{file.name} cannot be read as a region ({reason})", "Use h5, npz, npy or mat.") from error


def _read_mat(file: Path) -> dict[str, NDArray[Any]]:
    import h5py

    if h5py.is_hdf5(file):
        # MATLAB's v7.3 shows its axes reversed: (slice, x, y).
        return {name: np.swapaxes(value, -1, -2) if value.ndim > 1 else value for name, value in _read_hdf5(file).items()}
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(file)
    except MatReadError as error:
        raise ValueError(str(error)) from error
    arrays = {name: np.asarray(value) for name, value in content.items() if not name.startswith("__")}
    return {name: np.moveaxis(value, -1, 0) if value.ndim == 3 else value for name, value in arrays.items()}


def _read_hdf5(file: Path) -> dict[str, NDArray[Any]]:
    import h5py

    arrays: dict[str, NDArray[Any]] = {}
    with h5py.File(file, "r") as content:
        for name, item in content.items():
            if isinstance(item, h5py.Dataset):
                arrays[name] = np.asarray(item[()])
    return arrays
