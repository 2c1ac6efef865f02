from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import scipy.io

from engine.core.errors import FormatError
from engine.io import matlab5
from tests.engine.io.builders import asymmetric, matlab_order

VALUES = {
    "a": np.arange(60.0).reshape(3, 4, 5),
    "kspace_full": matlab_order(asymmetric()).astype(np.complex128),
    "k32": matlab_order(asymmetric()),
    "u": np.arange(6, dtype=np.uint16).reshape(2, 3),
    "one": np.array([[-7]], np.int8),
    "flag": np.array([[True, False]]),
    "a_very_long_variable_name": np.arange(3.0),
    "abcd": np.arange(3.0),
    "abcde": np.arange(5, dtype=np.int64),
    "empty": np.zeros((0, 3)),
    "z": np.array([[1 + 2j]]),
}


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_agree_with_scipy(tmp_path, compressed):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {**VALUES, "word": "cine", "cell": np.array([1, "x"], object)}, do_compression=compressed)
    found = {array.name: array for array in matlab5.arrays(path)}
    expected = scipy.io.loadmat(path)
    assert set(found) == {*VALUES, "word"}
    assert matlab5.text(found["word"]) == "cine"
    for name in VALUES:
        values = matlab5.load(found[name])
        assert found[name].shape == values.shape == expected[name].shape
        np.testing.assert_array_equal(values, expected[name])
        assert found[name].is_complex == np.iscomplexobj(VALUES[name])


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", ["kspace_full", "k32"])
def test_reader_returns_our_axes(tmp_path, compressed, name):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, VALUES, do_compression=compressed)
    reader = matlab5.Reader5(next(array for array in matlab5.arrays(path) if array.name == name), "xycsf")
    truth = asymmetric()
    assert reader.shape == truth.shape
    for index in range(3):
        found = reader.read(index)
        assert found.dtype == np.complex64
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, truth[index])
    np.testing.assert_array_equal(reader.read_frame(-1, 2), truth[-1, 2])


@pytest.mark.parametrize("compressed", [False, True])
def test_reader_notices_that_the_file_was_replaced(tmp_path, compressed):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"k": VALUES["k32"]}, do_compression=compressed)
    reader = matlab5.Reader5(next(matlab5.arrays(path)), "xycsf")
    path.unlink()
    scipy.io.savemat(path, {"other": VALUES["k32"][::-1], "k": VALUES["k32"]}, do_compression=compressed)
    with pytest.raises(FormatError, match="changed on disk"):
        reader.read(0)
    path.unlink()
    with pytest.raises(FormatError, match="does not exist"):
        reader.read_frame(0, 0)


def element(order, kind, payload):
    if len(payload) <= 4:
        return struct.pack(order + "I", len(payload) << 16 | kind) + payload.ljust(4, b"\0")
    return struct.pack(order + "II", kind, len(payload)) + payload + b"\0" * (-len(payload) % 8)


def hand_made(order, stored_type, stored, values, imag=None):
    """A file as MATLAB writes it: doubles kept in the smallest integer type; of either byte order."""
    flags = struct.pack(order + "II", 6 | (0x0800 if imag is not None else 0), 0)
    body = element(order, 6, flags)
    body += element(order, 5, struct.pack(order + "2i", *values.shape))
    body += element(order, 1, b"v")
    for part in (values, imag):
        if part is not None:
            body += element(order, stored_type, part.flatten(order="F").astype(order + stored).tobytes())
    head = b"MATLAB 5.0 MAT-file".ljust(124) + (b"\x00\x01IM" if order == "<" else b"\x01\x00MI")
    return head + struct.pack(order + "II", 14, len(body)) + body


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("stored_type", "stored"), [(2, "u1"), (3, "i2"), (4, "u2"), (5, "i4"), (7, "f4"), (9, "f8")])
@pytest.mark.parametrize("shape", [(2, 3), (1, 2)])
def test_values_in_smaller_types_and_either_byte_order(tmp_path, order, stored_type, stored, shape):
    values = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    path = tmp_path / "a.mat"
    path.write_bytes(hand_made(order, stored_type, stored, values, imag=values + 10))
    (array,) = matlab5.arrays(path)
    np.testing.assert_array_equal(matlab5.load(array), values + 1j * (values + 10))
    np.testing.assert_array_equal(scipy.io.loadmat(path)["v"], values + 1j * (values + 10))
    np.testing.assert_array_equal(matlab5.Reader5(array, "yx").read_frame(0, 0), (values + 1j * (values + 10))[None])


@pytest.mark.parametrize("keep", [140, 200, 300, -8, -1])
@pytest.mark.parametrize("compressed", [False, True])
def test_truncated_files_are_refused(tmp_path, keep, compressed):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"kspace_full": VALUES["kspace_full"]}, do_compression=compressed)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError, match="damaged MATLAB file") as caught:
        list(matlab5.arrays(path))
    assert "again" in caught.value.hint


def test_impossible_sizes_are_refused_before_memory_is_taken(tmp_path):
    data = bytearray(hand_made("<", 9, "f8", np.ones((2, 3))))
    at = data.index(struct.pack("<2i", 2, 3))
    data[at : at + 8] = struct.pack("<2i", 2**30, 2**30)
    (tmp_path / "a.mat").write_bytes(data)
    (array,) = matlab5.arrays(tmp_path / "a.mat")
    with pytest.raises(FormatError, match="claims 1152921504606846976 bytes"):
        matlab5.load(array)


@pytest.mark.parametrize("compressed", [False, True])
def test_types_that_do_not_exist_never_reach_the_library(tmp_path, compressed):
    """It looks them up past the end of its table, which ends the process."""
    path = tmp_path / "a.mat"
    data = bytearray(hand_made("<", 9, "f8", np.ones((2, 3)), imag=np.ones((2, 3))))
    places = [i for i in range(128, len(data) - 8) if data[i : i + 8] == struct.pack("<II", 9, 48)]
    assert len(places) == 2  # the real and the imaginary values
    for at in places:
        for kind in (0, 8, 10, 11, 20, 77, 2**16 - 1):
            wrong = bytearray(data)
            wrong[at : at + 4] = struct.pack("<I", kind)
            body = bytes(wrong[128:])
            packed = zlib.compress(body)
            path.write_bytes(bytes(wrong[:128]) + (struct.pack("<II", 15, len(packed)) + packed if compressed else body))
            with pytest.raises(FormatError, match="of the unknown type"):
                matlab5.load(next(matlab5.arrays(path)))


def test_random_damage_never_raises_anything_else(tmp_path, rng):
    for compressed in (False, True):
        path = tmp_path / "a.mat"
        scipy.io.savemat(
            path, {"kspace_full": VALUES["kspace_full"], "word": "cine", "t": np.arange(4.0)}, do_compression=compressed
        )
        whole = path.read_bytes()
        for _ in range(150):
            data = bytearray(whole)
            for at in rng.integers(0, min(len(data), 600), 6):
                data[at] = rng.integers(256)
            path.write_bytes(data)
            try:
                for array in matlab5.arrays(path):
                    matlab5.load(array)
            except FormatError:
                pass
