"""A single NumPy array, mapped into memory, with its axes told by the user. Pickled objects are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.records.entries import Entry
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, KSpaceSeries
from engine.io.arrays import Facts, Variable, build, choose, entries
from engine.io.contract import FORMATS, Format
from engine.io.npz import DAMAGE, damaged, header, pickled
from engine.io.probe import Container, container, expect


def variable_of(path: Path) -> Variable:
    """Return the array of a .npy file, unread.

    Raises
    ------
    FormatError
        The file is damaged, or holds pickled objects.
    """
    expect(path, Container.NPY)
    try:
        with path.open("rb") as stream:
            shape, dtype = header(stream)
    except DAMAGE as error:
        raise damaged(path, error) from error
    if dtype.hasobject:
        raise pickled(path, "the array")
    return Variable(path.stem, shape, str(dtype), lambda: load(path))


def load(path: Path) -> NDArray[Any]:
    """Return the array of a .npy file as a read-only memory map."""
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGE as error:
        raise damaged(path, error) from error
    return array


class Npy(Format):
    """One array; k-space stays on disk until a slice is asked for."""

    name = "npy"
    title = "NumPy array"
    suffixes = ("*.npy",)
    precedence = 40
    description = "Images or k-space; say the axes with --axes."

    def sniff(self, path: Path) -> float:
        """Return 0.9 for a NumPy array, 0.1 for another file named .npy, else 0."""
        if container(path) is Container.NPY:
            return 0.9
        return 0.1 if path.suffix.lower() == ".npy" and path.is_file() else 0.0

    def list(self, path: Path) -> Iterator[Entry]:
        """Yield the array."""
        yield from entries(path, self.name, [variable_of(path)], Facts())

    def read(self, entry: Entry, options: OpenOptions) -> KSpaceSeries | ImageSeries:
        """Open the array."""
        path = entry.path
        return build(path, self.name, choose(path, [variable_of(path)], entry.key), Facts(), options)


FORMATS.register(Npy.name, Npy())
