"""NumPy archives: one array with its axes told by the user or by small named values beside it. Pickled objects are refused."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import FormatError
from engine.core.records.entries import Entry
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, KSpaceSeries
from engine.io.arrays import Variable, build, choose, entries, facts_from
from engine.io.contract import FORMATS, Format
from engine.io.probe import Container, container, expect
from engine.io.sizes import DEFLATE_RATIO, check_claim

# Values up to this size beside the series (times, sizes, words) are read to learn about it.
SMALL = 4096
# What zipfile, zlib and numpy raise on damaged archives and headers; RuntimeError also covers encryption.
DAMAGE = (zipfile.BadZipFile, OSError, ValueError, EOFError, KeyError, RuntimeError, SyntaxError, zlib.error, tokenize.TokenError)


def contents(path: Path) -> tuple[list[Variable], dict[str, Any]]:
    """Return the arrays of an archive, unread, and the small values among them by name.

    Raises
    ------
    FormatError
        The archive is damaged, or holds pickled objects.
    """
    expect(path, Container.ZIP)
    variables: list[Variable] = []
    values: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if not member.endswith(".npy"):
                    continue
                name = member.removesuffix(".npy")
                with archive.open(member) as stream:
                    shape, dtype = header(stream)
                if dtype.hasobject:
                    raise pickled(path, name)
                variables.append(Variable(name, shape, str(dtype), partial(load, path, member)))
                if math.prod(shape) <= SMALL:
                    values[name] = load(path, member)
    except DAMAGE as error:
        raise damaged(path, error) from error
    return variables, values


def load(path: Path, member: str) -> NDArray[Any]:
    """Read one array of an archive."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            check_claim(path, member.removesuffix(".npy"), *header(stream), archive.getinfo(member).compress_size * DEFLATE_RATIO)
            stream.seek(0)
            return np.lib.format.read_array(stream, allow_pickle=False)
    except DAMAGE as error:
        raise damaged(path, error) from error


def header(stream: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and dtype from the header of a .npy stream."""
    version = np.lib.format.read_magic(stream)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(stream)
    return tuple(shape), dtype


def pickled(path: Path, name: str) -> FormatError:
    """Return the error for an array of Python objects."""
    return FormatError(
        f"{name} in {path.name} holds Python objects (expected numbers / found a pickled object array)",
        "Pickles can run code and are never loaded: save the numbers with numpy.savez.",
    )


def damaged(path: Path, error: Exception) -> FormatError:
    """Return the error for an archive or array that ends too early or was changed."""
    return FormatError(
        f"{path.name} is damaged (expected a complete NumPy file / found: {str(error) or type(error).__name__})",
        "Copy or export the file again.",
    )


class Npz(Format):
    """Only headers and small values are read, then the chosen array."""

    name = "npz"
    title = "NumPy archive"
    suffixes = ("*.npz",)
    precedence = 50
    description = (
        "Images or k-space; say the axes with --axes and the array with --key. Understands images, axes, times_ms, TI_ms, TE_ms, "
        "trigger_ms, voxel_mm, pixel_mm with slice_mm, and kind beside the array."
    )

    def sniff(self, path: Path) -> float:
        """Return 0.9 for a zip archive named .npz, 0.1 for another file of that name, else 0."""
        if path.suffix.lower() != ".npz" or not path.is_file():
            return 0.0
        return 0.9 if container(path) is Container.ZIP else 0.1

    def list(self, path: Path) -> Iterator[Entry]:
        """Yield the arrays that can be a series."""
        variables, values = contents(path)
        yield from entries(path, self.name, variables, facts_from(values))

    def read(self, entry: Entry, options: OpenOptions) -> KSpaceSeries | ImageSeries:
        """Open an array."""
        variables, values = contents(entry.path)
        return build(entry.path, self.name, choose(entry.path, variables, entry.key), facts_from(values), options)


NPZ = FORMATS.register(Npz.name, Npz())
