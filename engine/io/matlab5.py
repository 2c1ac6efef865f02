"""Numeric arrays and words of MATLAB version 5 to 7 files, read without trusting a byte: lengths are checked first.

An uncompressed array is read slice by slice from its place in the file; a compressed one is inflated once, in pieces, straight into
complex64. (``scipy.io.loadmat`` reads these files too, but whole and in double precision, and a damaged file can crash it.)

Source: MathWorks, "MAT-File Format", level 5.
"""

from __future__ import annotations

import math
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import FormatError
from engine.core.types import Complex
from engine.io.arrays import LETTERS, ViewReader, ordered
from engine.io.probe import check_there, check_unchanged, stamp

HEADER_BYTES = 128
MI_MATRIX, MI_COMPRESSED = 14, 15
COMPLEX_FLAG, LOGICAL_FLAG = 0x0800, 0x0200
CHAR = "char"
# Array classes that hold numbers or text; cells, structures and objects are passed over.
CLASSES = {
    4: CHAR,
    6: "float64",
    7: "float32",
    8: "int8",
    9: "uint8",
    10: "int16",
    11: "uint16",
    12: "int32",
    13: "uint32",
    14: "int64",
    15: "uint64",
}
# Types that the values are stored in: MATLAB takes the smallest that holds them.
STORED = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
    16: "u1",
    17: "u2",
    18: "u4",
}
# Flags, dimensions and name of an array come first and are small.
ARRAY_HEADER_BYTES = 1024
PIECE = 1 << 20
# Deflate cannot do better than this.
LARGEST_RATIO = 1032


@dataclass(frozen=True, slots=True)
class Array5:
    """An array and where it lies: ``body`` is the file offset of its element, ``data`` the offset of its values in the element."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: str
    order: str
    compressed: bool
    body: int
    length: int
    data: int

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def is_complex(self) -> bool:
        """Whether there is an imaginary part."""
        return self.dtype.startswith("complex")


def arrays(path: Path) -> Iterator[Array5]:
    """Yield the numeric and text arrays of a file, unread.

    Raises
    ------
    FormatError
        The file ends inside an element, or the header of an array is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        order = "<" if stream.read(HEADER_BYTES)[126:128] == b"IM" else ">"
        position = HEADER_BYTES
        while position < size:
            stream.seek(position)
            tag = stream.read(8)
            if len(tag) < 8:
                raise damaged(path, f"expected {position + 8} bytes or more / found {size}")
            kind, length = struct.unpack(order + "II", tag)
            if position + 8 + length > size:
                raise damaged(path, f"expected {position + 8 + length} bytes or more / found {size}")
            array = _header(path, stream, kind, length, order)
            if array is not None:
                yield array
            position += 8 + length


def _header(path: Path, stream: BinaryIO, kind: int, length: int, order: str) -> Array5 | None:
    begin = stream.tell()
    head = stream.read(min(length, ARRAY_HEADER_BYTES))
    compressed = kind == MI_COMPRESSED
    at = 0
    try:
        if compressed:
            head = zlib.decompressobj().decompress(head, ARRAY_HEADER_BYTES)
            (kind,), at = struct.unpack(order + "I", head[:4]), 8
        if kind != MI_MATRIX:
            return None
        (flags,) = struct.unpack(order + "I", head[at + 8 : at + 12])
        (count,) = struct.unpack(order + "I", head[at + 20 : at + 24])
        at += 24
        shape = struct.unpack(f"{order}{count // 4}i", head[at : at + count])
        at += count + (-count % 8)
        name_bytes, at, _ = _element(head, at, order)
        name = head[at : at + name_bytes].decode("latin-1")
    except (struct.error, zlib.error, ValueError) as error:
        raise damaged(path, str(error)) from error
    dtype = CLASSES.get(flags & 0xFF)
    if dtype is None:
        return None
    if min(shape, default=-1) < 0:
        raise damaged(path, f"{name} has the sizes {shape}")
    if flags & COMPLEX_FLAG:
        dtype = "complex64" if dtype == "float32" else "complex128"
    elif flags & LOGICAL_FLAG:
        dtype = "bool"
    data = at + name_bytes
    data += -data % 8
    return Array5(path, name, shape, dtype, order, compressed, begin, length, data)


def _element(head: bytes, at: int, order: str) -> tuple[int, int, int]:
    """Return length, offset of the values and type of the element whose tag is at ``at``."""
    (word,) = struct.unpack(order + "I", head[at : at + 4])
    if word >> 16:
        return word >> 16, at + 4, word & 0xFFFF
    (length,) = struct.unpack(order + "I", head[at + 4 : at + 8])
    return length, at + 8, word


class _Source:
    """Reads the bytes of an element one after the other, inflating them where needed."""

    def __init__(self, array: Array5, stream: BinaryIO) -> None:
        self._array, self._stream = array, stream
        self._left = array.length
        self._inflate = zlib.decompressobj() if array.compressed else None
        stream.seek(array.body)

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes; raise ``FormatError`` when there are fewer."""
        parts: list[bytes] = []
        while count > 0:
            part = self._next(count)
            if not part:
                raise damaged(self._array.path, f"{self._array.name} is cut")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes."""
        while count > 0:
            count -= len(self.take(min(count, PIECE)))

    def _next(self, count: int) -> bytes:
        if self._inflate is None:
            part = self._stream.read(min(count, self._left))
            self._left -= len(part)
            return part
        try:
            while True:
                waiting = self._inflate.unconsumed_tail
                if not waiting:
                    waiting = self._stream.read(min(PIECE, self._left))
                    self._left -= len(waiting)
                part = self._inflate.decompress(waiting, count)
                if part or not waiting:
                    return part
        except zlib.error as error:
            raise damaged(self._array.path, str(error)) from error


def load(array: Array5) -> NDArray[Any]:
    """Return the values in MATLAB's order: complex64 for complex ones, the array's own type otherwise (code points for text)."""
    path = array.path
    if array.compressed and array.size > array.length * LARGEST_RATIO:
        raise damaged(path, f"{array.name} claims the sizes {array.shape} in {array.length} bytes")
    with path.open("rb") as stream:
        source = _Source(array, stream)
        source.skip(array.data)
        if not array.compressed and array.size > array.length:
            raise damaged(path, f"{array.name} claims the sizes {array.shape} in {array.length} bytes")
        dtype = np.dtype("complex64" if array.is_complex else "uint32" if array.dtype == CHAR else array.dtype)
        flat = np.empty(array.size, dtype)
        if array.is_complex:
            _values(array, source, flat.real)
            _values(array, source, flat.imag)
        else:
            _values(array, source, flat)
    return flat.reshape(array.shape, order="F")


def _values(array: Array5, source: _Source, target: NDArray[Any]) -> None:
    """Read one element of values into ``target``, converting piece by piece."""
    stored, length, short = _tag(array, source)
    if length != target.size * stored.itemsize:
        raise damaged(array.path, f"{array.name} has {length} bytes of values (expected {target.size * stored.itemsize})")
    if short is not None:
        target[...] = np.frombuffer(short, stored, target.size)
        return
    step = PIECE // stored.itemsize
    with np.errstate(over="ignore", invalid="ignore"):  # a float64 beyond float32 becomes infinite, which is refused later
        for first in range(0, target.size, step):
            count = min(step, target.size - first)
            target[first : first + count] = np.frombuffer(source.take(count * stored.itemsize), stored)
    source.skip(-length % 8)


def _tag(array: Array5, source: _Source) -> tuple[np.dtype[Any], int, bytes | None]:
    """Return stored type, length and, for a short element, the values themselves."""
    tag = source.take(8)
    word, second = struct.unpack(array.order + "II", tag)
    kind = word & 0xFFFF if word >> 16 else word
    if kind not in STORED:
        raise damaged(array.path, f"{array.name} has values of the unknown type {kind}")
    stored = np.dtype(array.order + STORED[kind])
    return (stored, word >> 16, tag[4:]) if word >> 16 else (stored, second, None)


def text(array: Array5) -> str:
    """Return a character array as a string."""
    codes = load(array).reshape(-1, order="F")
    if (codes > 0x10FFFF).any():
        raise damaged(array.path, f"{array.name} holds no text")
    return "".join(chr(code) for code in codes)


class Reader5:
    """A :class:`engine.core.types.KSpaceReader` over a complex array; ``letters`` name its axes in MATLAB's order."""

    def __init__(self, array: Array5, letters: str) -> None:
        self._array, self._letters = array, letters
        sizes = dict(zip(letters, array.shape, strict=True))
        self._shape = tuple(sizes.get(letter, 1) for letter in LETTERS)
        self._parts = None if array.compressed else _parts(array)
        self._stamp = stamp(array.path.stat())
        self._lock = threading.Lock()
        self._loaded: ViewReader | None = None

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes of (slice, frame, coil, ky, kx)."""
        s, f, c, y, x = self._shape
        return s, f, c, y, x

    def read(self, slice_index: int) -> Complex:
        """Return one slice, complex64 (frame, coil, ky, kx)."""
        return self._read((slice_index,))

    def read_frame(self, slice_index: int, frame: int) -> Complex:
        """Return one frame of one slice, complex64 (coil, ky, kx)."""
        return self._read((slice_index, frame))

    def _read(self, index: tuple[int, ...]) -> Complex:
        if self._parts is None:
            with self._lock:
                if self._loaded is None:
                    self._check_unchanged()
                    self._loaded = ViewReader(ordered(load(self._array), self._letters, LETTERS))
            return self._loaded.read(index[0]) if len(index) == 1 else self._loaded.read_frame(*index)
        out: Complex = np.empty(self._shape[len(index) :], np.complex64)
        self._check_unchanged()
        try:
            for target, (stored, offset) in zip((out.real, out.imag), self._parts, strict=True):
                # Mapped for this read alone, so that the file is not held.
                values = np.memmap(self._array.path, stored, "r", offset, self._array.shape, "F")
                with np.errstate(over="ignore", invalid="ignore"):
                    target[...] = ordered(values, self._letters, LETTERS)[index]
        except (OSError, ValueError) as error:
            raise damaged(self._array.path, str(error)) from error
        return out

    def _check_unchanged(self) -> None:
        check_there(self._array.path)
        check_unchanged(self._array.path, self._array.path.stat(), self._stamp)


def _parts(array: Array5) -> list[tuple[np.dtype[Any], int]]:
    """Return stored type and file offset of the real and the imaginary values of an uncompressed array."""
    found: list[tuple[np.dtype[Any], int]] = []
    at = array.data
    with array.path.open("rb") as stream:
        for _ in range(2):
            source = _Source(array, stream)
            source.skip(at)
            stored, length, short = _tag(array, source)
            if length != array.size * stored.itemsize or at + 8 + (0 if short else length) > array.length:
                raise damaged(array.path, f"{array.name} has {length} bytes of values (expected {array.size * stored.itemsize})")
            found.append((stored, array.body + at + (4 if short else 8)))
            at += 8 if short else 8 + length + (-length % 8)
    return found


def damaged(path: Path, what: str) -> FormatError:
    """Return the error for a file that is cut or changed."""
    return FormatError(f"{path.name} is a damaged MATLAB file ({what})", "Copy or export the file again.")
