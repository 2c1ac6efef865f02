"""CRC-32C against published vectors and a bit-by-bit computation."""

from __future__ import annotations

import pytest

from engine.weights.crc32c import crc32c, masked
from tests.engine.weights.bundle import slow_crc32c


# RFC 3720, appendix B.4, and the usual check value.
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_published_vectors(data, expected):
    assert crc32c(data) == expected


@pytest.mark.parametrize("length", [1, 2, 3, 16, 63, 64, 65, 255, 1000, 4099])
def test_any_length_agrees_with_the_plain_computation(length, rng):
    data = rng.bytes(length)
    assert crc32c(data) == slow_crc32c(data)


def test_mask_is_leveldbs():
    # LevelDB masks so that a checksum stored beside checksums is not itself one: mask(0) is the constant.
    assert masked(0) == 0xA282EAD8
    assert masked(crc32c(b"foo")) not in (crc32c(b"foo"), masked(masked(crc32c(b"foo"))))
