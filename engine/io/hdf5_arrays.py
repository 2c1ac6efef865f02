"""Plain HDF5 files of other programs: any array, with its axes told by the user or by small values beside it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import FormatError
from engine.core.records.entries import Entry
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, KSpaceReader, KSpaceSeries
from engine.io import hdf5_inside
from engine.io.arrays import LETTERS, Variable, build, choose, entries, facts_from
from engine.io.contract import FORMATS, Format
from engine.io.hdf5 import HDF5Reader, complex_dtype, datasets, opened
from engine.io.probe import Container, container, expect

SMALL = 4096
NOT_ARRAYS = ("cell", "struct", "function_handle")


def contents(path: Path, matlab: bool) -> tuple[list[Variable], dict[str, Any]]:
    """Return the arrays of an HDF5 file, unread, and the small values among them by name.

    Parameters
    ----------
    path
        The file.
    matlab
        Whether shapes are given, and arrays returned, in MATLAB's order: HDF5 shows MATLAB's axes reversed.
    """
    variables: list[Variable] = []
    values: dict[str, Any] = {}
    with opened(path) as file:
        for name, dataset in datasets(file).items():
            word = _class(dataset)
            if word in NOT_ARRAYS or "MATLAB_empty" in dataset.attrs:
                continue
            if word == "char" and (dataset.size or 0) <= SMALL and hdf5_inside.is_inside(dataset):
                values[name] = "".join(chr(code) for code in np.asarray(dataset[()]).reshape(-1))
                continue
            if dataset.dtype.kind == "O" and h5py.check_string_dtype(dataset.dtype) is None:
                continue  # references and ragged arrays are no arrays of numbers
            if dataset.dtype.kind == "O" and dataset.shape == ():
                values[name] = dataset.asstr()[()]
                continue
            value = complex_dtype(dataset.dtype)
            shape = tuple(int(n) for n in (reversed(dataset.shape) if matlab else dataset.shape))
            variables.append(
                Variable(
                    name,
                    shape,
                    str(value or ("records" if dataset.dtype.names else dataset.dtype)),
                    load=partial(_load, path, name, matlab),
                    open=partial(_open, path, name, matlab=matlab),
                )
            )
            if (
                dataset.size is not None
                and dataset.size <= SMALL
                and dataset.dtype.kind in "uifb"
                and hdf5_inside.is_inside(dataset)
            ):
                values[name] = dataset[()]
    return variables, values


def positions(letters: str, matlab: bool) -> tuple[int | None, int | None, int | None, int, int]:
    """Return where (slice, frame, coil, ky, kx) stand in the dataset for letters in the order that the user sees."""
    stored = letters[::-1] if matlab else letters
    s, f, c, y, x = (stored.index(letter) if letter in stored else None for letter in LETTERS)
    if y is None or x is None:  # checked where the letters come in
        raise ValueError(letters)
    return s, f, c, y, x


def _open(path: Path, name: str, letters: str, matlab: bool) -> KSpaceReader:
    return HDF5Reader(path, name, positions(letters, matlab))


def _load(path: Path, name: str, matlab: bool) -> NDArray[Any]:
    with opened(path) as file:
        dataset = hdf5_inside.dataset(path, file, name)
        if dataset is None:
            raise FormatError(f"{path.name} has no dataset {name!r} any more", "Open it again.")
        array: NDArray[Any] = np.asarray(dataset[()])
    value = complex_dtype(array.dtype)
    if value is not None and array.dtype.kind != "c":
        array = array.view(value.newbyteorder(array.dtype[0].byteorder))
    return array.transpose() if matlab else array


def _class(dataset: h5py.Dataset) -> str:
    word = dataset.attrs.get("MATLAB_class", b"")
    return word.decode("ascii", "replace") if isinstance(word, bytes) else str(word)


class HDF5Arrays(Format):
    """Arrays of any name; whoever knows the layout of a file goes first."""

    name = "hdf5"
    title = "HDF5 array"
    suffixes = ("*.h5", "*.hdf5")
    precedence = 10
    description = "Images or k-space of other programs; say the axes with --axes and the dataset with --key."

    def sniff(self, path: Path) -> float:
        """Return 0.2 for an HDF5 file of any name but .mat, else 0."""
        return 0.2 if path.suffix.lower() != ".mat" and container(path) is Container.HDF5 else 0.0

    def list(self, path: Path) -> Iterator[Entry]:
        """Yield the arrays that can be a series."""
        variables, values = _contents(path)
        yield from entries(path, self.name, variables, facts_from(values))

    def read(self, entry: Entry, options: OpenOptions) -> KSpaceSeries | ImageSeries:
        """Open an array; k-space lazily."""
        variables, values = _contents(entry.path)
        return build(entry.path, self.name, choose(entry.path, variables, entry.key), facts_from(values), options)


def _contents(path: Path) -> tuple[list[Variable], dict[str, Any]]:
    expect(path, Container.HDF5)
    variables, values = contents(path, matlab=False)
    if {"dataset/data", "dataset/xml"} <= {v.name for v in variables} | set(values):
        raise FormatError(
            f"{path.name} is an ISMRMRD raw data file (expected arrays of images or k-space / found acquisitions)",
            "Sort its acquisitions into k-space (slice, frame, coil, ky, kx) with another program first.",
        )
    return variables, values


HDF5_ARRAYS = FORMATS.register(HDF5Arrays.name, HDF5Arrays())
