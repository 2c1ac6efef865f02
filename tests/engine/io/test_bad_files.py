"""Every bad input has a clear message of two sentences, and no reader raises anything but an ``EngineError``."""

from __future__ import annotations

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import scipy.io

from engine.core.errors import EngineError, FormatError
from engine.core.types import ArrayReader, KSpaceSeries
from engine.io import FORMATS, OpenOptions, open_series
from engine.io.masks import read_mask
from engine.io.myoscope_h5 import read_reconstruction, write_kspace
from tests.engine.io.builders import asymmetric, matlab_order, write_v73


def good_files(folder):
    """One file of each format, with the name of the reader that must take it."""
    kspace = asymmetric()
    write_kspace(folder / "ours.h5", KSpaceSeries(ArrayReader(kspace)), {"t1_ms": np.ones((3, 9, 8))})
    write_v73(folder / "v73.mat", "kspace_full", matlab_order(kspace))
    scipy.io.savemat(folder / "v5.mat", {"kspace_full": matlab_order(kspace)}, do_compression=True)
    scipy.io.savemat(folder / "plain.mat", {"images": kspace.real[:, :, 0]})
    np.savez_compressed(folder / "a.npz", images=kspace.real[:, :, 0], axes="sfyx")
    np.save(folder / "a.npy", kspace)
    with h5py.File(folder / "other.h5", "w") as file:
        file["images"] = kspace.real[:, :, 0]
    return {
        "ours.h5": "myoscope_h5",
        "v73.mat": "cmrxrecon",
        "v5.mat": "cmrxrecon",
        "plain.mat": "mat",
        "a.npz": "npz",
        "a.npy": "npy",
        "other.h5": "hdf5",
    }


def read_all(path, letters):
    """Open a file and read the last slice, which lies at its end."""
    series = open_series(path, OpenOptions(axes=letters))
    if isinstance(series, KSpaceSeries):
        series.read(2)


def test_each_file_finds_its_own_reader(tmp_path):
    for name, expected in good_files(tmp_path).items():
        marks = {spec.name: spec.sniff(tmp_path / name) for _, spec in FORMATS.items()}
        assert max(marks, key=marks.get) == expected, (name, marks)
        assert all(0 <= mark <= 1 for mark in marks.values())


def test_truncated_files_are_refused_wherever_they_end(tmp_path, rng):
    for name in good_files(tmp_path):
        path = tmp_path / name
        whole = path.read_bytes()
        for size in sorted({0, 1, 100, 130, 520, 600, len(whole) // 2, len(whole) - 1, *rng.integers(0, len(whole), 12)}):
            path.write_bytes(whole[:size])
            for _, spec in FORMATS.items():
                assert 0 <= spec.sniff(path) <= 1
            with pytest.raises(EngineError) as caught:
                read_all(path, "sfcyx" if name == "a.npy" else "sfyx")
            assert caught.value.hint
            assert "\n" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("name", ["ours.h5", "v73.mat"])
def test_truncated_hdf5_says_what_is_missing(tmp_path, name):
    good_files(tmp_path)
    path = tmp_path / name
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size // 2])
    with pytest.raises(FormatError, match=rf"is truncated \(expected {size} bytes / found {size // 2}\)") as caught:
        open_series(path)
    assert "again" in caught.value.hint


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FormatError, match="does not exist"):
        open_series(tmp_path / "no.h5")
    with pytest.raises(FormatError, match="holds nothing that can be opened"):
        open_series(tmp_path)
    for opening in (read_mask, read_reconstruction):
        with pytest.raises(FormatError, match="is a folder"):
            opening(tmp_path)
    for opening in (open_series, read_mask, read_reconstruction):
        with pytest.raises(FormatError, match=r"/a{20,} cannot be opened \(.+\)") as caught:
            opening(tmp_path / ("a" * 300))
        assert caught.value.hint
        with pytest.raises(FormatError, match="does not exist"):
            opening(tmp_path / "a\0b")


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are POSIX")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.npy")
    with pytest.raises(FormatError, match="is a device or a pipe"):
        open_series(tmp_path / "a.npy")


@pytest.mark.parametrize("suffix", [".mat", ".h5", ".npz", ".npy"])
def test_text_file_with_another_name(tmp_path, suffix):
    path = tmp_path / f"cine_sax{suffix}"
    path.write_text("<html>Größe nicht gefunden</html>", encoding="utf-8")
    with pytest.raises(FormatError, match=r"cannot be read \(expected .* / found a text file\)") as caught:
        open_series(path)
    assert "real file" in caught.value.hint


@pytest.mark.parametrize("suffix", [".mat", ".h5", ".npz", ".npy"])
def test_empty_file(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.touch()
    with pytest.raises(FormatError, match="found an empty file") as caught:
        open_series(path)
    assert "no bytes" in caught.value.hint


@pytest.mark.parametrize("suffix", [".mat", ".h5", ".npz", ".npy"])
def test_noise(tmp_path, suffix, rng):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(bytes(rng.integers(128, 256, 3000, dtype=np.uint8)))
    with pytest.raises(FormatError, match="found of another kind"):
        open_series(path)


def test_unknown_format_names_what_was_tried(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(FormatError, match=r"of no format that can be read \(tried cmrxrecon, ") as caught:
        open_series(tmp_path / "a.txt")
    assert "myoscope formats" in caught.value.hint


def test_broken_zip(tmp_path):
    good_files(tmp_path)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[200:400] = bytes(200)
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(FormatError, match="is damaged"):
        open_series(tmp_path / "a.npz")


def test_pickled_objects_are_never_loaded(tmp_path):
    objects = np.array([{"a": 1}, [1, 2]], object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "b.npz", images=objects)
    for name in ("a.npy", "b.npz"):
        with pytest.raises(FormatError, match="holds Python objects") as caught:
            open_series(tmp_path / name)
        assert "never loaded" in caught.value.hint
        with pytest.raises(FormatError, match="holds Python objects"):
            read_mask(tmp_path / name)


def test_readers_need_neither_torch_nor_scipy():
    code = "import sys; from engine.io import FORMATS; FORMATS.names(); print([m for m in ('torch', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
