from __future__ import annotations

import threading
from pathlib import Path

import h5py
import numpy as np
import pytest

from engine.core.errors import FormatError
from engine.io.hdf5 import HDF5Reader, complex_dtype
from tests.engine.io.builders import asymmetric, matlab_order, write_v73

V73 = (1, 0, 2, 3, 4)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize(
    ("chunks", "compression"),
    [(None, None), ((1, 1, 1, 9, 8), None), ((2, 2, 3, 4, 5), "gzip")],
    ids=["contiguous", "chunked", "gzip"],
)
def test_reader_returns_every_slice_and_frame(tmp_path, single, chunks, compression):
    truth = asymmetric()
    path = write_v73(tmp_path / "a.mat", "k", matlab_order(truth), single, chunks, compression)
    reader = HDF5Reader(path, "k", V73)
    assert reader.shape == truth.shape
    assert reader._raw == (chunks is None)
    for index in range(3):
        found = reader.read(index)
        assert found.dtype == np.complex64
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, truth[index])
    np.testing.assert_array_equal(reader.read_frame(2, 1), truth[2, 1])
    np.testing.assert_array_equal(reader.read_frame(-1, -1), truth[-1, -1])


@pytest.mark.parametrize("dtype", ["<c8", "<c16", ">c8", ">c16"])
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 2, 0, 3, 1), (2, 3, 4, 1, 0)])
def test_reader_handles_any_axis_order_and_type(tmp_path, dtype, order):
    truth = asymmetric()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["k"] = truth.transpose(np.argsort(order)).astype(dtype)
    reader = HDF5Reader(tmp_path / "a.h5", "k", order)
    for index in range(3):
        np.testing.assert_array_equal(reader.read(index), truth[index])
    np.testing.assert_array_equal(reader.read_frame(1, 3), truth[1, 3])


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_reader_gives_absent_axes_length_one(tmp_path, missing):
    truth = asymmetric(**{("slices", "frames", "coils")[missing]: 1})
    order = [0, 1, 2, 3, 4]
    order.remove(4)
    order.insert(missing, None)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["k"] = truth.squeeze(missing)
    reader = HDF5Reader(tmp_path / "a.h5", "k", tuple(order))
    assert reader.shape == truth.shape
    np.testing.assert_array_equal(reader.read(truth.shape[0] - 1), truth[-1])
    np.testing.assert_array_equal(reader.read_frame(0, truth.shape[1] - 1), truth[0, -1])


def test_reader_refuses_indices_outside(tmp_path):
    path = write_v73(tmp_path / "a.mat", "k", matlab_order(asymmetric()))
    reader = HDF5Reader(path, "k", V73)
    with pytest.raises(IndexError):
        reader.read(3)
    with pytest.raises(IndexError):
        reader.read_frame(0, 4)


def test_reader_keeps_no_file_open(tmp_path):
    path = write_v73(tmp_path / "a.mat", "k", matlab_order(asymmetric()))
    reader = HDF5Reader(path, "k", V73)
    reader.read(0)
    held = [link for link in Path("/proc/self/fd").glob("*") if link.exists() and link.resolve() == path.resolve()]
    assert held == []


@pytest.mark.parametrize("chunks", [None, (1, 1, 1, 9, 8)])
def test_reader_notices_that_the_file_was_replaced(tmp_path, chunks):
    path = write_v73(tmp_path / "a.mat", "k", matlab_order(asymmetric()), chunks=chunks)
    reader = HDF5Reader(path, "k", V73)
    path.unlink()
    write_v73(path, "k", matlab_order(asymmetric(frames=5)), chunks=chunks)
    with pytest.raises(FormatError, match="changed on disk") as caught:
        reader.read(0)
    assert "again" in caught.value.hint
    path.unlink()
    with pytest.raises(FormatError, match="can no longer be read" if chunks is None else "does not exist"):
        reader.read(0)


@pytest.mark.parametrize("chunks", [None, (1, 1, 1, 9, 8)])
def test_reader_is_shared_by_threads(tmp_path, chunks):
    truth = asymmetric(frames=8)
    path = write_v73(tmp_path / "a.mat", "k", matlab_order(truth), chunks=chunks)
    reader = HDF5Reader(path, "k", V73)
    wrong = []

    def work(index):
        for turn in range(10):
            if not np.array_equal(reader.read((index + turn) % 3), truth[(index + turn) % 3]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_reader_names_the_datasets_when_the_key_is_wrong(tmp_path):
    path = write_v73(tmp_path / "a.mat", "kspace_full", matlab_order(asymmetric()))
    with pytest.raises(FormatError, match=r"no dataset 'kspace' \(found kspace_full\)"):
        HDF5Reader(path, "kspace", V73)


def test_reader_refuses_real_data_and_wrong_rank(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["real"] = np.ones((2, 3, 4, 5, 6), np.float32)
        file["flat"] = np.ones((2, 3), np.complex64)
    with pytest.raises(FormatError, match="not complex"):
        HDF5Reader(tmp_path / "a.h5", "real", V73)
    with pytest.raises(FormatError, match=r"has 2 axes \(2, 3\) \(expected 5\)"):
        HDF5Reader(tmp_path / "a.h5", "flat", V73)


def test_complex_dtype_takes_only_pairs_of_equal_floats():
    assert complex_dtype(np.dtype([("real", "f4"), ("imag", "f4")])) == np.complex64
    assert complex_dtype(np.dtype([("r", "f8"), ("i", "f8")])) == np.complex128
    assert complex_dtype(np.dtype([("real", "f4"), ("imag", "f8")])) is None
    assert complex_dtype(np.dtype([("x", "f4"), ("y", "f4")])) is None
    assert complex_dtype(np.dtype([("real", "i4"), ("imag", "i4")])) is None
    assert complex_dtype(np.dtype("f4")) is None
