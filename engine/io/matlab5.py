"""Numeric arrays and words of MATLAB version 5 to 7 files, by scipy, which is shown nothing that would harm it.

scipy believes a file: a type that does not exist ends the process, and a size takes memory. So the sizes and the types of an array
are looked at first, and only then is it loaded.

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

from engine.core.errors import EngineError, FormatError
from engine.core.types import Complex
from engine.io.arrays import LETTERS, ViewReader, ordered
from engine.io.probe import check_there, check_unchanged, stamp
from engine.io.sizes import DEFLATE_RATIO, check_claim, check_memory

HEADER_BYTES = 128
MI_MATRIX, MI_COMPRESSED = 14, 15
COMPLEX_FLAG = 0x0800
CHAR = "char"
# scipy's words for the classes that hold numbers or text; cells, structures and objects are passed over.
CLASSES = {"double": "float64", "single": "float32", "logical": "bool", CHAR: CHAR} | {
    f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
# Types that values can be stored in -> bytes: MATLAB takes the smallest that holds them. The last three are text.
STORED = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
PIECE = 1 << 20
TEXT_BYTES = 1 << 16
# Values while scipy puts real and imaginary parts together, and ours beside them, in units of complex128.
COPIES = 3


@dataclass(frozen=True, slots=True)
class Array5:
    """An array and the element of the file that holds it: its offset, its length, whether it is deflated.

    The shape of text is that of its lines.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: str
    order: str
    compressed: bool
    body: int
    length: int

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
    from scipy.io import whosmat

    try:
        listed = whosmat(path)
        elements = list(_elements(path))
    except EngineError:
        raise
    except Exception as error:
        raise damaged(path, str(error)) from error
    if len(listed) != len(elements):
        raise damaged(path, f"{len(elements)} arrays, of which {len(listed)} can be listed")
    for (name, shape, word), (order, compressed, body, length, flags) in zip(listed, elements, strict=True):
        dtype = CLASSES.get(word)
        if dtype is None:
            continue
        if min(shape, default=-1) < 0:
            raise damaged(path, f"{name} has the sizes {shape}")
        if flags & COMPLEX_FLAG:
            dtype = "complex64" if dtype == "float32" else "complex128"
        yield Array5(path, name, tuple(int(n) for n in shape), dtype, order, compressed, body, length)


def _elements(path: Path) -> Iterator[tuple[str, bool, int, int, int]]:
    """Yield byte order, whether it is deflated, offset, length and flags of each array."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        order = "<" if stream.read(HEADER_BYTES)[126:128] == b"IM" else ">"
        position = HEADER_BYTES
        while position < size:
            stream.seek(position)
            tag = stream.read(8)
            kind, length = struct.unpack(order + "II", tag) if len(tag) == 8 else (0, 8)
            if position + 8 + length > size:
                raise damaged(path, f"expected {position + 8 + length} bytes or more / found {size}")
            body, compressed = position + 8, kind == MI_COMPRESSED
            source = _Source(path, stream, body, length, compressed)
            if compressed:
                (kind,) = struct.unpack(order + "I", source.take(8)[:4])
            if kind == MI_MATRIX:
                yield order, compressed, body, length, struct.unpack(order + "I", source.take(12)[8:])[0]
            position = body + length


class _Source:
    """Reads the bytes of an element one after the other, inflating them where needed."""

    def __init__(self, path: Path, stream: BinaryIO, body: int, length: int, compressed: bool) -> None:
        self._path, self._stream, self._left = path, stream, length
        self._inflate = zlib.decompressobj() if compressed else None
        stream.seek(body)

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes; raise ``FormatError`` when there are fewer."""
        parts: list[bytes] = []
        while count > 0:
            part = self._next(min(count, PIECE))
            if not part:
                raise damaged(self._path, "an array is cut")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes."""
        if self._inflate is None:
            if count > self._left:
                raise damaged(self._path, "an array is cut")
            self._stream.seek(count, 1)
            self._left -= count
            return
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
            raise damaged(self._path, str(error)) from error


def _check(array: Array5) -> None:
    """Raise ``FormatError`` unless the array is as large as it claims and of types that exist."""
    path, there = array.path, array.length * (DEFLATE_RATIO if array.compressed else 1)
    check_claim(path, array.name, array.shape, np.uint8, there)
    check_memory(path, array.name, COPIES * 16 * array.size)
    with path.open("rb") as stream:
        source = _Source(path, stream, array.body, array.length, array.compressed)
        if array.compressed:
            source.take(8)
        for _ in range(3):  # flags, sizes, name
            _, length, rest = _tag(array, source)
            source.skip(rest if length else 0)
        for _ in range(2 if array.is_complex else 1):
            kind, length, rest = _tag(array, source)
            if kind not in STORED:
                raise damaged(path, f"{array.name} has values of the unknown type {kind}")
            if array.dtype != CHAR and length != array.size * STORED[kind]:
                raise damaged(path, f"{array.name} has {length} bytes of values (expected {array.size * STORED[kind]})")
            source.skip(rest)


def _tag(array: Array5, source: _Source) -> tuple[int, int, int]:
    """Return type and length of the next element, and how many bytes follow its tag."""
    word, second = struct.unpack(array.order + "II", source.take(8))
    if word >> 16:
        return word & 0xFFFF, word >> 16, 0
    return word, second, second + (-second % 8)


def load(array: Array5) -> NDArray[Any]:
    """Return the values in MATLAB's order: complex64 for complex ones, the array's own type otherwise; the code points of text."""
    from scipy.io import loadmat

    _check(array)
    try:
        found = loadmat(array.path, variable_names=[array.name], chars_as_strings=False)[array.name]
    except Exception as error:
        raise damaged(array.path, str(error)) from error
    is_text = array.dtype == CHAR
    if not isinstance(found, np.ndarray) or (found.dtype.kind == "U") != is_text or (found.shape != array.shape and not is_text):
        raise damaged(array.path, f"{array.name} cannot be read")
    if is_text:
        return np.array([ord(letter or " ") for letter in found.reshape(-1, order="F")], np.uint32)
    with np.errstate(over="ignore", invalid="ignore"):  # a float64 beyond float32 becomes infinite, which is refused later
        return found.astype(np.complex64 if array.is_complex else array.dtype, copy=False)


def text(array: Array5) -> str:
    """Return a character array as a string."""
    return "".join(chr(code) for code in load(array))


class Reader5:
    """A :class:`engine.core.types.KSpaceReader` over a complex array; ``letters`` name its axes in MATLAB's order.

    The first read loads the whole array: scipy knows no parts.
    """

    def __init__(self, array: Array5, letters: str) -> None:
        self._array, self._letters = array, letters
        sizes = dict(zip(letters, array.shape, strict=True))
        self._shape = tuple(sizes.get(letter, 1) for letter in LETTERS)
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
        return self._values().read(slice_index)

    def read_frame(self, slice_index: int, frame: int) -> Complex:
        """Return one frame of one slice, complex64 (coil, ky, kx)."""
        return self._values().read_frame(slice_index, frame)

    def _values(self) -> ViewReader:
        with self._lock:
            if self._loaded is None:
                check_there(self._array.path)
                check_unchanged(self._array.path, self._array.path.stat(), self._stamp)
                self._loaded = ViewReader(ordered(load(self._array), self._letters, LETTERS))
        return self._loaded


def damaged(path: Path, what: str) -> FormatError:
    """Return the error for a file that is cut or changed."""
    return FormatError(f"{path.name} is a damaged MATLAB file ({' '.join(what.split())})", "Copy or export the file again.")
