"""CRC-32C (Castagnoli), the checksum of TensorFlow and LevelDB files, over NumPy lanes.

Source: polynomial 0x1EDC6F41, reflected; RFC 3720, appendix B.4. The mask (rotate and add) is LevelDB's.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

POLYNOMIAL = 0x82F63B78
MASK_DELTA = 0xA282EAD8
FULL = 0xFFFFFFFF

Words = NDArray[np.uint32]


@lru_cache(maxsize=1)
def _table() -> Words:
    """Return what each byte value adds to the remainder."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(POLYNOMIAL), table >> 1)
    return table


def _feed(crc: Words, data: NDArray[np.uint8]) -> Words:
    """Feed ``data`` (lane, byte), one row into each remainder of ``crc`` (lane)."""
    table = _table()
    for column in data.T:
        crc = table[(crc ^ column) & 0xFF] ^ (crc >> np.uint32(8))
    return crc


def _shift(length: int) -> Words:
    """Return where each of the 32 bits of a remainder goes when ``length`` zero bytes follow."""
    # The remainder is linear over GF(2): the shift by 2n bytes is the shift by n, twice.
    total = np.uint32(1) << np.arange(32, dtype=np.uint32)
    step = _feed(total, np.zeros((32, 1), np.uint8))
    while length:
        if length & 1:
            total = _through(step, total)
        step = _through(step, step)
        length >>= 1
    return total


def _through(matrix: Words, vectors: Words) -> Words:
    """Apply a GF(2) matrix, given as the images of the 32 bits, to each of ``vectors``."""
    bits = (vectors[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    moved: Words = np.bitwise_xor.reduce(np.where(bits, matrix, np.uint32(0)), axis=1)
    return moved


def crc32c(data: bytes | NDArray[np.uint8]) -> int:
    """Return the CRC-32C of ``data``.

    The bytes are cut into lanes that are worked on side by side; the lanes' remainders are then joined.
    """
    array = np.frombuffer(data, np.uint8)
    lanes = max(1, int(np.sqrt(array.size)) // 2)
    length = array.size // lanes
    body, rest = array[: lanes * length].reshape(lanes, length), array[lanes * length :]
    start = np.zeros(lanes, np.uint32)
    start[0] = FULL
    remainders = _feed(start, body)
    matrix = _shift(length)
    joined = remainders[:1]
    for remainder in remainders[1:]:
        joined = _through(matrix, joined) ^ remainder
    return int(_feed(joined, rest[None])[0]) ^ FULL


def masked(crc: int) -> int:
    """Return the masked form that LevelDB and TensorFlow store, so that a checksum of checksums stays meaningful."""
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & FULL
