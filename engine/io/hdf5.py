"""k-space in an HDF5 dataset, read slice by slice at the speed of the file.

A contiguous dataset is read past the HDF5 library, from its offset straight into the result; a chunked one through
``read_direct`` into a view of the result. Neither makes a copy, and no file stays open between two reads, so nothing blocks a
file that is to be replaced and readers may be shared by threads.

float64 data are converted to complex64 frame by frame, so the temporary stays small.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import FormatError
from engine.core.types import Complex
from engine.io import hdf5_inside
from engine.io.probe import check_there, check_unchanged, stamp

COMPLEX_FIELDS = (("real", "imag"), ("r", "i"), ("re", "im"))


@contextlib.contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; what the library says about damage becomes a ``FormatError``."""
    check_there(path)
    try:
        # No lock: files are replaced, never changed in place, and locks fail on many network disks.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        # The library has an error type of its own for nothing; all that happens in these blocks is reading the file.
        raise _damaged(path, str(error)) from error


@contextlib.contextmanager
def opened_ours(path: Path) -> Iterator[h5py.File]:
    """Open one of our own files: nothing in it may lead elsewhere or claim more than is there."""
    with opened(path) as file:
        hdf5_inside.check_all(path, file)
        yield file


def is_hdf5_error(error: RuntimeError) -> bool:
    """Whether the HDF5 library raised ``error``: it says "Unable to ..." or "Can't ..."."""
    return str(error).startswith(("Unable to", "Can't", "Unspecified error"))


def _damaged(path: Path, text: str) -> FormatError:
    hint = "Copy or export the file again and compare its size with the original's."
    size = re.search(r"truncated file.*stored_eof = (\d+)", text)
    if size:
        return FormatError(f"{path.name} is truncated (expected {size[1]} bytes / found {path.stat().st_size})", hint)
    return FormatError(f"{path.name} is damaged (expected a complete HDF5 file / found: {text})", hint)


def complex_dtype(dtype: np.dtype[Any]) -> np.dtype[np.complexfloating] | None:
    """Return complex64 or complex128 for a complex dtype or a compound of two equal floats; None for anything else."""
    if dtype.kind == "c":
        return np.dtype(f"=c{dtype.itemsize}") if dtype.itemsize in (8, 16) else None
    if dtype.names is None or len(dtype.names) != 2 or tuple(n.lower() for n in dtype.names) not in COMPLEX_FIELDS:
        return None
    parts = [dtype.fields[name][0] for name in dtype.names] if dtype.fields is not None else []
    if any(part.kind != "f" or part.itemsize not in (4, 8) or part.shape for part in parts) or parts[0] != parts[1]:
        return None
    return np.dtype(f"=c{2 * parts[0].itemsize}")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a dataset lies. ``offset`` is None unless it is one run of native bytes in this very file."""

    shape: tuple[int, ...]
    value: np.dtype[np.complexfloating]
    memory: np.dtype[np.generic]
    offset: int | None
    stamp: tuple[int, int]


class HDF5Reader:
    """A :class:`engine.core.types.KSpaceReader` over one dataset.

    Parameters
    ----------
    path, key
        File and dataset.
    order
        Positions of (slice, frame, coil, ky, kx) in the dataset; None for an axis it does not have (length 1).

    Raises
    ------
    FormatError
        The file is damaged, the dataset is missing or not complex.
    """

    def __init__(self, path: Path, key: str, order: tuple[int | None, int | None, int | None, int, int]) -> None:
        self.path = path
        self.key = key
        self._order = order
        with opened(path) as file:
            self._layout = _layout(path, file, key)
        full = self._layout.shape
        if sorted(axis for axis in order if axis is not None) != list(range(len(full))):
            raise FormatError(
                f"{key} in {path.name} has {len(full)} axes {full} (expected {len([a for a in order if a is not None])})",
                "Say what its axes are with --axes.",
            )
        self._sizes = tuple(1 if axis is None else full[axis] for axis in order)
        self._raw = self._layout.offset is not None and self._frame_is_one_block()

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes of (slice, frame, coil, ky, kx)."""
        s, f, c, y, x = self._sizes
        return s, f, c, y, x

    def read(self, slice_index: int) -> Complex:
        """Return one slice, complex64 (frame, coil, ky, kx)."""
        return self._read(slice_index, range(self._sizes[1]))

    def read_frame(self, slice_index: int, frame: int) -> Complex:
        """Return one frame of one slice, complex64 (coil, ky, kx)."""
        index = range(self._sizes[1])[frame]
        found: Complex = self._read(slice_index, range(index, index + 1))[0]
        return found

    def _read(self, slice_index: int, frames: range) -> Complex:
        index = range(self._sizes[0])[slice_index]
        out: Complex = np.empty((len(frames), *self._sizes[2:]), np.complex64)
        # A float64 value that single precision cannot hold becomes infinite, which is refused where a slice is checked.
        with np.errstate(over="ignore"):
            if self._raw:
                self._read_bytes(out, index, frames)
            else:
                with opened(self.path) as file:
                    check_unchanged(self.path, self.path.stat(), self._layout.stamp)
                    self._read_dataset(out, _dataset(self.path, file, self.key), index, frames)
        return out

    def _frame_is_one_block(self) -> bool:
        """Whether (coil, ky, kx) are the last axes, in this order."""
        tail = [axis for axis in self._order[2:] if axis is not None]
        rank = len(self._layout.shape)
        return tail == list(range(rank - len(tail), rank))

    def _read_bytes(self, out: Complex, slice_index: int, frames: range) -> None:
        layout = self._layout
        strides = [int(np.prod(layout.shape[axis + 1 :], dtype=np.int64)) if axis is not None else 0 for axis in self._order[:2]]
        first = slice_index * strides[0]
        block = int(np.prod(out.shape[1:], dtype=np.int64))
        together = len(frames) == 1 or strides[1] == block
        size = layout.value.itemsize
        with self._stream() as stream:
            base = (layout.offset or 0) + first * size
            if together and size == 8:
                _fill(stream, base + frames[0] * strides[1] * size, out, self.path)
                return
            wide = np.empty(out.shape[1:], layout.value) if size != 8 else None
            for row, frame in enumerate(frames):
                target = out[row] if wide is None else wide
                _fill(stream, base + frame * strides[1] * size, target, self.path)
                if wide is not None:
                    out[row] = wide

    def _read_dataset(self, out: Complex, dataset: h5py.Dataset, slice_index: int, frames: range) -> None:
        slice_axis, frame_axis, *_ = self._order
        stored = [axis for axis in self._order if axis is not None]
        kept = stored if slice_axis is None else stored[1:]
        in_place = kept == sorted(kept) and self._layout.value.itemsize == out.itemsize
        # Frames that share a chunk are read together: a chunk is inflated as a whole.
        step = len(frames) if in_place else dataset.chunks[frame_axis] if dataset.chunks and frame_axis is not None else 1
        for first in range(0, len(frames), step):
            row, group = slice(first, first + step), frames[first : first + step]
            # Every axis stays, of length 1: between spaces of unequal rank the library goes element by element.
            select = [slice(0, size) for size in self._layout.shape]
            if slice_axis is not None:
                select[slice_axis] = slice(slice_index, slice_index + 1)
            if frame_axis is not None:
                select[frame_axis] = slice(group.start, group.stop)
            sizes = [part.stop - part.start for part in select]
            if in_place:
                dataset.read_direct(out.reshape(sizes).view(self._layout.memory), tuple(select))
                continue
            wide = np.empty(sizes, self._layout.value)
            dataset.read_direct(wide.view(self._layout.memory), tuple(select))
            out[row] = wide.transpose(stored).reshape(out[row].shape)

    @contextlib.contextmanager
    def _stream(self) -> Iterator[io.FileIO]:
        try:
            with io.FileIO(self.path, "r") as stream:
                check_unchanged(self.path, os.fstat(stream.fileno()), self._layout.stamp)
                yield stream
        except OSError as error:
            raise FormatError(
                f"{self.path.name} can no longer be read ({error.strerror})", "Check that its disk is there."
            ) from error


def _dataset(path: Path, file: h5py.File, key: str) -> h5py.Dataset:
    found = hdf5_inside.dataset(path, file, key)
    if found is None:
        raise FormatError(
            f"{path.name} has no dataset {key!r} (found {', '.join(datasets(file)) or 'none'})", "Choose one of them with --key."
        )
    return found


def datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return the datasets of the file by path, MATLAB's and our own bookkeeping left out, links inside the file followed."""
    found: dict[str, h5py.Dataset] = {}
    links: list[str] = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("#"):
            found[name] = item

    def visit_link(name: str, link: object) -> None:
        if isinstance(link, h5py.SoftLink) and not name.startswith("#"):
            links.append(name)

    file.visititems(visit)
    file.visititems_links(visit_link)
    for name in links:
        visit(name, hdf5_inside.get(file, name))
    return found


def _layout(path: Path, file: h5py.File, key: str) -> _Layout:
    dataset = _dataset(path, file, key)
    value = complex_dtype(dataset.dtype)
    if value is None:
        raise FormatError(
            f"{key} in {path.name} is not complex (expected complex numbers or pairs of real and imag / found {dataset.dtype})",
            "Choose the dataset that holds k-space with --key.",
        )
    names = dataset.dtype.names
    part = np.dtype(f"=f{value.itemsize // 2}")
    memory = np.dtype(value) if names is None else np.dtype([(name, part) for name in names])
    plain = dataset.chunks is None and not dataset.is_virtual and not dataset.external and dataset.dtype == memory
    offset = dataset.id.get_offset() if plain else None
    return _Layout(tuple(dataset.shape), value, memory, offset, stamp(path.stat()))


def _fill(stream: io.FileIO, offset: int, target: NDArray[np.complexfloating], path: Path) -> None:
    """Read the bytes at ``offset`` into a C-contiguous array, in as many calls as the system needs."""
    view = memoryview(target.reshape(-1).view(np.uint8).data)
    stream.seek(offset)
    done = 0
    while done < len(view):
        count = stream.readinto(view[done:])
        if not count:
            raise FormatError(
                f"{path.name} is truncated (expected {offset + len(view)} bytes / found {offset + done})",
                "Copy or export the file again.",
            )
        done += count
