"""A single NumPy array, mapped into memory, with its axes told by the user. Pickled objects are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.types import ImageSeries, KSpaceSeries
from engine.io.arrays import Facts, Variable, build, choose
from engine.io.contract import FORMATS, FormatSpec, OpenOptions
from engine.io.npz import DAMAGE, damaged, header, pickled
from engine.io.probe import Container, container, expect


def read(path: Path, options: OpenOptions) -> KSpaceSeries | ImageSeries:
    """Open an array; k-space stays on disk until a slice is asked for."""
    return build(path, SPEC.name, choose(path, [variable_of(path)], options.key), Facts(), options)


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


def sniff(path: Path) -> float:
    """Return 0.9 for a NumPy array, 0.1 for another file named .npy, else 0."""
    if container(path) is Container.NPY:
        return 0.9
    return 0.1 if path.suffix.lower() == ".npy" else 0.0


SPEC = FORMATS.register(
    "npy",
    FormatSpec(
        name="npy",
        title="NumPy array",
        suffixes=("*.npy",),
        sniff=sniff,
        read=read,
        description="Images or k-space; say the axes with --axes.",
    ),
)
