"""Reads TensorFlow checkpoints ("tensor bundles") without TensorFlow.

A bundle is ``PREFIX.index``, a LevelDB table that maps each tensor's name to type, shape, shard, offset, size and checksum
(protocol-buffer records), and ``PREFIX.data-00000-of-0000N``, the raw little-endian values. Blocks and tensors are checked
against their CRC-32C.

Source: LevelDB, ``doc/table_format.md``; TensorFlow, ``tensorflow/core/protobuf/tensor_bundle.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DependencyError, FormatError

TABLE_MAGIC = 0xDB4775248B80FB57
FOOTER = 48
MASK_DELTA = 0xA282EAD8
BLOCK_TRAILER = 5  # compression type, masked checksum
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 6: "i1", 8: "<c8", 9: "<i8", 10: "?", 18: "<c16", 19: "<f2"}
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Message = dict[int, list[Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one tensor lies: type, shape, shard, offset and size in bytes, masked CRC-32C."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int


def find_prefix(path: str | Path) -> Path:
    """Return the bundle's prefix from its ``.index`` or ``.data`` file, its prefix, or a folder that holds exactly one bundle.

    Raises
    ------
    FormatError
        When there is none, or a folder holds several.
    """
    given = Path(path)
    hint = "Give the .index file of a TensorFlow checkpoint, or the folder that holds it."
    if given.is_dir():
        found = sorted(given.glob("*.index"))
        if len(found) != 1:
            names = ", ".join(f.name for f in found) or "none"
            raise FormatError(f"{given} does not hold one TensorFlow checkpoint (expected one .index file / found {names})", hint)
        return found[0].with_suffix("")
    stem, dot, ending = given.name.rpartition(".")
    prefix = given.with_name(stem) if dot and (ending == "index" or ending.startswith("data-")) else given
    if not index_of(prefix).is_file():
        raise FormatError(f"no TensorFlow checkpoint at {given} (expected {index_of(prefix).name} / found no such file)", hint)
    return prefix


def index_of(prefix: Path) -> Path:
    """Return the path of a prefix's index file."""
    return prefix.with_name(prefix.name + ".index")


class Bundle:
    """An opened checkpoint: ``entries`` by name, ``read`` for one tensor.

    Raises
    ------
    FormatError
        When the index is damaged, compressed or not a bundle's.
    """

    def __init__(self, path: str | Path) -> None:
        self.prefix = find_prefix(path)
        self.entries: dict[str, Entry] = {}
        self.shards = 1
        source = index_of(self.prefix)
        try:
            table = source.read_bytes()
        except OSError as error:
            raise FormatError(f"cannot read {source}: {error.strerror}", "Check the path and your permissions.") from error
        try:
            records = list(_table_records(table))
            for key, value in records:
                message = _message(value)
                if key == b"":
                    self.shards = _first(message, 1, 1)
                    if _first(message, 2, 0) != 0:
                        raise ValueError("big-endian values")
                else:
                    self.entries[key.decode()] = _entry(message)
        except (ValueError, IndexError, struct.error) as error:
            raise FormatError(
                f"{source.name} is not a TensorFlow index (expected an uncompressed LevelDB table / found {error})",
                "Download the file again, or give the right one.",
            ) from error

    def read(self, name: str) -> NDArray[Any]:
        """Return one tensor, read-only, with its checksum verified."""
        entry = self.entries[name]
        shard = self.prefix.with_name(f"{self.prefix.name}.data-{entry.shard:05d}-of-{self.shards:05d}")
        if entry.dtype not in DTYPES:
            raise FormatError(
                f"tensor {name} has TensorFlow type {entry.dtype} (expected a number type)", "Only arrays of numbers can be read."
            )
        try:
            with shard.open("rb") as stream:
                stream.seek(entry.offset)
                raw = stream.read(entry.size)
        except OSError as error:
            raise FormatError(
                f"cannot read {shard.name}: {error.strerror}", "The .index and .data files belong together in one folder."
            ) from error
        dtype = np.dtype(DTYPES[entry.dtype])
        expected = int(np.prod(entry.shape)) * dtype.itemsize
        if not len(raw) == entry.size == expected:
            raise FormatError(
                f"{shard.name} is cut off or damaged at {name} (expected {expected} bytes / found {len(raw)})",
                "Download the file again.",
            )
        if masked_checksum(raw) != entry.checksum:
            raise FormatError(f"{shard.name} is damaged: wrong checksum of {name}", "Download the file again.")
        return np.frombuffer(raw, dtype).reshape(entry.shape)


def masked_checksum(data: bytes) -> int:
    """Return the CRC-32C of ``data`` as LevelDB stores it: turned and shifted, so that a sum of sums keeps a meaning."""
    try:
        import google_crc32c
    except ImportError as error:
        raise DependencyError(
            "TensorFlow checkpoints need google-crc32c, which is not installed", "Install it: pip install google-crc32c."
        ) from error
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF


def _table_records(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield all (key, value) of a LevelDB table."""
    if len(table) < FOOTER or struct.unpack("<Q", table[-8:])[0] != TABLE_MAGIC:
        raise ValueError("another kind of file")
    footer = table[-FOOTER:]
    _, at = _varint(footer, 0)
    _, at = _varint(footer, at)
    offset, at = _varint(footer, at)
    size, _ = _varint(footer, at)
    for _, handle in _block_records(table, offset, size):
        start, at = _varint(handle, 0)
        length, _ = _varint(handle, at)
        yield from _block_records(table, start, length)


def _block_records(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value) of one block: keys share a prefix with the one before."""
    block = table[offset : offset + size]
    trailer = table[offset + size : offset + size + BLOCK_TRAILER]
    if len(block) != size or len(trailer) != BLOCK_TRAILER:
        raise ValueError("a file cut off")
    compression, checksum = struct.unpack("<BI", trailer)
    if masked_checksum(block + trailer[:1]) != checksum:
        raise ValueError("a wrong checksum")
    if compression != 0:
        raise ValueError("a compressed table")
    restarts = struct.unpack("<I", block[-4:])[0]
    end = size - 4 * (restarts + 1)
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length integer and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def _message(data: bytes) -> Message:
    """Return the fields of a protocol-buffer message: number -> values, nested messages still as bytes."""
    fields: Message = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        value: Any
        if kind == VARINT:
            value, at = _varint(data, at)
        elif kind == BYTES:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        elif kind == FIXED32:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        elif kind == FIXED64:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        else:
            raise ValueError(f"protocol-buffer wire type {kind}")
        fields.setdefault(number, []).append(value)
    return fields


def _first(message: Message, number: int, default: Any) -> Any:
    return message[number][0] if number in message else default


def _entry(message: Message) -> Entry:
    """Read a BundleEntryProto: 1 dtype, 2 shape (2 dim (1 size)), 3 shard, 4 offset, 5 size, 6 crc32c."""
    shape = _message(_first(message, 2, b""))
    dims = tuple(_first(_message(dim), 1, 0) for dim in shape.get(2, []))
    numbers = (_first(message, n, 0) for n in (3, 4, 5, 6))
    return Entry(_first(message, 1, 0), dims, *numbers)
