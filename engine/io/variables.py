"""The arrays of a file of any container, unread: for what is no series, such as masks and regions."""

from __future__ import annotations

from pathlib import Path

from engine.io import hdf5_arrays, matlab, npy, npz
from engine.io.arrays import Variable
from engine.io.probe import Container, check_there, expect


def variables(path: Path) -> tuple[list[Variable], bool]:
    """Return the arrays of an HDF5, npz, npy or mat file, and whether shapes and values are in MATLAB's order of axes.

    Raises
    ------
    FormatError
        The file is missing, damaged or of another kind.
    """
    check_there(path)
    found = expect(path, Container.HDF5, Container.MATLAB5, Container.NPY, Container.ZIP)
    if found is Container.NPY:
        return [npy.variable_of(path)], False
    if found is Container.ZIP:
        return npz.contents(path)[0], False
    if found is Container.MATLAB5 or path.suffix.lower() == ".mat":
        return matlab.contents(path)[1], True
    return hdf5_arrays.contents(path, matlab=False)[0], False
