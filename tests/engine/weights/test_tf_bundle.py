"""TensorFlow checkpoints written by the tests are read back; damaged ones are refused."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest

from engine.core.errors import DependencyError, FormatError
from engine.weights.tf_bundle import Bundle, masked_checksum
from tests.engine.weights.bundle import slow_masked, write_bundle


@pytest.fixture
def tensors(rng):
    values = {f"net/{i}/{name}/kernel": rng.standard_normal((3, i + 1)).astype(np.float32) for i in range(5) for name in "ab"}
    return {**values, "net/scalar": np.float32(4.25).reshape(()), "net/wide": rng.standard_normal(300), "step": np.arange(3)}


@pytest.fixture
def prefix(tmp_path, tensors):
    return write_bundle(tmp_path / "best", tensors)


@pytest.mark.parametrize("ending", ["", ".index", ".data-00000-of-00001"])
def test_all_tensors_come_back(prefix, tensors, ending):
    bundle = Bundle(prefix.with_name(prefix.name + ending))
    assert set(bundle.entries) == {*tensors, "_CHECKPOINTABLE_OBJECT_GRAPH"}
    for name, value in tensors.items():
        found = bundle.read(name)
        assert found.dtype == value.dtype
        assert np.array_equal(found, value)
        assert found.shape == value.shape


def test_a_folder_with_one_checkpoint_is_enough(prefix, tensors):
    assert np.array_equal(Bundle(prefix.parent).read("net/wide"), tensors["net/wide"])


def test_tensors_may_lie_in_several_shards(tmp_path, tensors):
    bundle = Bundle(write_bundle(tmp_path / "many", tensors, shards=3))
    assert all(np.array_equal(bundle.read(name), value) for name, value in tensors.items())


def refused(match, action):
    with pytest.raises(FormatError, match=match) as caught:
        action()
    assert caught.value.hint


def test_what_is_not_there_is_refused(tmp_path, prefix):
    refused("no TensorFlow checkpoint at", lambda: Bundle(tmp_path / "other"))
    empty = tmp_path / "empty"
    empty.mkdir()
    refused("expected one .index file / found none", lambda: Bundle(empty))
    shutil.copy(prefix.with_name("best.index"), prefix.with_name("worst.index"))
    refused("found best.index, worst.index", lambda: Bundle(tmp_path))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "text.index"
    path.write_text("this is no checkpoint" * 10)
    refused("not a TensorFlow index .*another kind of file", lambda: Bundle(path))


@pytest.mark.parametrize("cut", [60, 200])
def test_a_truncated_index_is_refused(prefix, cut):
    path = prefix.with_name("best.index")
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    refused("not a TensorFlow index", lambda: Bundle(prefix))
    path.write_bytes(whole[cut:])
    refused("not a TensorFlow index", lambda: Bundle(prefix))


def test_every_flipped_byte_of_a_block_is_noticed(prefix):
    path = prefix.with_name("best.index")
    whole = path.read_bytes()
    for at in range(0, 400, 37):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        refused("a wrong checksum", lambda: Bundle(prefix))


def test_compressed_and_big_endian_files_are_refused(tmp_path, tensors):
    refused("a compressed table", lambda: Bundle(write_bundle(tmp_path / "snappy", tensors, compression=1)))
    refused("big-endian values", lambda: Bundle(write_bundle(tmp_path / "sparc", tensors, endianness=1)))


def test_damaged_data_is_refused(prefix):
    path = prefix.with_name("best.data-00000-of-00001")
    whole = path.read_bytes()
    path.write_bytes(whole[:20] + bytes([whole[20] ^ 1]) + whole[21:])
    refused("wrong checksum of net/0/b/kernel", lambda: Bundle(prefix).read("net/0/b/kernel"))
    path.write_bytes(whole[:-50])
    refused("cut off or damaged at step", lambda: Bundle(prefix).read("step"))
    path.unlink()
    refused("cannot read best.data", lambda: Bundle(prefix).read("step"))


def test_a_tensor_that_is_no_numbers_is_refused(prefix):
    refused("has TensorFlow type 7", lambda: Bundle(prefix).read("_CHECKPOINTABLE_OBJECT_GRAPH"))


# RFC 3720, appendix B.4, and the usual check value.
@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_the_checksum_is_that_of_the_standard_in_leveldbs_mask(data, crc):
    masked = masked_checksum(data)
    assert masked == slow_masked(data)
    turned = (masked - 0xA282EAD8) & 0xFFFFFFFF
    assert ((turned >> 17) | (turned << 15)) & 0xFFFFFFFF == crc


def test_a_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    with pytest.raises(DependencyError, match="TensorFlow checkpoints need google-crc32c") as caught:
        masked_checksum(b"x")
    assert "pip install google-crc32c" in caught.value.hint
