"""The arrays of a MATLAB file of either container, unread, with shapes in MATLAB's order.

Version 7.3 is HDF5, which shows MATLAB's axes reversed; versions 5 to 7 keep MATLAB's order. Which of the two a file is follows
from its first bytes and never from its sizes.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from engine.core.types import KSpaceReader
from engine.io import hdf5_arrays, matlab5
from engine.io.arrays import Variable
from engine.io.probe import Container, expect


def contents(path: Path) -> tuple[Container, list[Variable], dict[str, Any]]:
    """Return the container, the arrays (shapes in MATLAB's order) and the small values by name.

    Raises
    ------
    FormatError
        The file is damaged, or no MATLAB file.
    """
    found = expect(path, Container.HDF5, Container.MATLAB5)
    if found is Container.HDF5:
        return found, *hdf5_arrays.contents(path, matlab=True)
    arrays = list(matlab5.arrays(path))
    variables = [
        Variable(
            array.name,
            array.shape,
            array.dtype,
            load=partial(matlab5.load, array),
            open=partial(_open, array),
        )
        for array in arrays
        if array.dtype != matlab5.CHAR
    ]
    values: dict[str, Any] = {}
    for array in arrays:
        if array.size <= hdf5_arrays.SMALL and (array.dtype != matlab5.CHAR or array.length <= matlab5.TEXT_BYTES):
            values[array.name] = matlab5.text(array) if array.dtype == matlab5.CHAR else matlab5.load(array)
    return found, variables, values


def _open(array: matlab5.Array5, letters: str) -> KSpaceReader:
    return matlab5.Reader5(array, letters)
