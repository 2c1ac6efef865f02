"""Writes TensorFlow checkpoints for the tests: LevelDB table of protocol-buffer entries, and raw data."""

from __future__ import annotations

import struct

import numpy as np

POLYNOMIAL = 0x82F63B78
DTYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9}


def slow_crc32c(data):
    """Return the CRC-32C bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def slow_masked(data):
    crc = slow_crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def entry(dtype, shape, shard, offset, size, checksum):
    dims = b"".join(field(2, field(1, n)) for n in shape)
    parts = field(1, dtype) + field(2, dims) + (field(3, shard) if shard else b"")
    return parts + field(4, offset) + field(5, size) + varint(6 << 3 | 5) + struct.pack("<I", checksum)


def block(records):
    """Return one block; every key but the first shares its prefix with the one before."""
    out, last = bytearray(), b""
    for key, value in records:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return bytes(out + struct.pack("<II", 0, 1))


def table(records, per_block=7, compression=0):
    """Return a LevelDB table of sorted (key, value) records, in several blocks."""
    out, handles = bytearray(), []

    def append(content):
        handle = varint(len(out)) + varint(len(content))
        trailer = bytes([compression])
        out.extend(content + trailer + struct.pack("<I", slow_masked(content + trailer)))
        return handle

    for first in range(0, len(records), per_block):
        part = records[first : first + per_block]
        handles.append((part[-1][0] + b"~", append(block(part))))
    meta, index = append(block([])), append(block(handles))
    footer = meta + index
    return bytes(out) + footer + bytes(40 - len(footer)) + struct.pack("<Q", 0xDB4775248B80FB57)


def write_bundle(prefix, tensors, shards=1, endianness=0, **options):
    """Write a checkpoint with a text entry, as TensorFlow does; tensors go to the shards in turn."""
    data = [bytearray() for _ in range(shards)]
    records = [(b"_CHECKPOINTABLE_OBJECT_GRAPH", entry(7, (), 0, 0, 0, 0))]
    for i, (name, value) in enumerate(sorted(tensors.items())):
        raw = np.asarray(value).tobytes()
        shard = data[i % shards]
        records.append(
            (name.encode(), entry(DTYPES[value.dtype.name], value.shape, i % shards, len(shard), len(raw), slow_masked(raw)))
        )
        shard += raw
    header = field(1, shards) + field(2, endianness)
    prefix.with_name(prefix.name + ".index").write_bytes(table([(b"", header), *sorted(records)], **options))
    for i, shard in enumerate(data):
        prefix.with_name(f"{prefix.name}.data-{i:05d}-of-{shards:05d}").write_bytes(bytes(shard))
    return prefix
