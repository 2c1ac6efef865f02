"""Folders: what is listed, what belongs together, what is opened, and what is said when that is not one thing."""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import pytest

from engine.core.errors import FormatError
from engine.core.records.entries import Content
from engine.core.types import Kind
from engine.io import entries, open_series
from engine.io.opening import files_of
from tests.engine.io.builders import asymmetric, lines_mask, matlab_order, write_v73
from tests.engine.io.examples import example, images


@pytest.fixture
def tree(tmp_path):
    """A folder as people have them: two subjects, a mask and tables that belong to one, a collection, strangers."""
    first = tmp_path / "P001"
    write_v73(first / "T1map.mat", "kspace_sub04", matlab_order(asymmetric()))
    write_v73(first / "T1map_mask.mat", "mask04", np.repeat(lines_mask()[None], 8, axis=0).astype(float))
    (first / "T1map.csv").write_text("a,b\n")
    (first / "notes.txt").write_text("hello")
    second = tmp_path / "P002"
    second.mkdir()
    for number in (1, 2, 10):
        path, _ = example("nifti", second)
        path.rename(second / f"sub-02_inv-{number}_IRT1.nii.gz")
        (second / f"sub-02_inv-{number}_IRT1.json").write_text(json.dumps({"InversionTime": number / 10}))
    (second / "broken.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(130))
    (tmp_path / ".hidden.npy").write_bytes(b"x")
    return tmp_path


def test_what_belongs_to_an_entry_is_not_listed_again(tree):
    found = list(entries(tree))
    series = {str(entry.path.relative_to(tree)): entry for entry in found if entry.is_series}
    assert list(series) == ["P001/T1map.mat", "P002/sub-02_inv-10_IRT1.nii.gz"]
    kspace, collection = series.values()
    assert (kspace.content, kspace.kind, kspace.acceleration) == (Content.KSPACE, Kind.MOLLI, 4.0)
    assert kspace.axes == {"slice": 3, "frame": 4, "coil": 5, "ky": 9, "kx": 8}
    assert {file.name for file in kspace.files} == {"T1map.mat", "T1map_mask.mat", "T1map.csv"}
    assert (collection.content, collection.kind, collection.axes["frame"]) == (Content.IMAGES, Kind.MOLLI, 12)
    assert len(collection.files) == 6
    rest = {entry.path.name: entry for entry in found if not entry.is_series}
    assert set(rest) == {"notes.txt", "broken.mat"}
    assert (rest["notes.txt"].format, rest["notes.txt"].problem) == ("", "of no format that can be read")
    assert rest["broken.mat"].format == "mat"
    assert all(entry.problem and entry.hint for entry in rest.values())


def test_several_series_are_named_with_how_to_say_which(tree):
    with pytest.raises(
        FormatError, match=r"holds several series \(found P001/T1map.mat, P002/sub-02_inv-10_IRT1.nii.gz\)"
    ) as caught:
        open_series(tree)
    assert f"for example {tree / 'P001' / 'T1map.mat'}" in caught.value.hint
    assert f"myoscope list {tree}" in caught.value.hint
    assert open_series(tree / "P001").name == "T1map"
    assert open_series(tree / "P002").shape == (3, 12, 9, 8)


def test_many_series_are_named_in_part(tmp_path):
    for number in range(9):
        np.save(tmp_path / f"{number}.npy", images()[0, 0])
    with pytest.raises(FormatError, match=r"found 0.npy, 1.npy, 2.npy, 3.npy, 4.npy and more\)"):
        open_series(tmp_path)


def test_listing_is_lazy(tmp_path, monkeypatch):
    for number in range(50):
        np.save(tmp_path / f"{number:02}.npy", images()[0, 0])
    looked = []
    from engine.io import opening

    monkeypatch.setattr(opening, "recognise", lambda path, real=opening.recognise: looked.append(path) or real(path))
    found = entries(tmp_path)
    assert next(found).path.name == "00.npy"
    assert len(looked) == 2  # the folder and its first file


def test_arrays_of_one_file_are_entries_of_their_own(tmp_path):
    np.savez(tmp_path / "a.npz", first=images(), second=images(), axes="sfyx", mask=np.eye(9))
    found = list(entries(tmp_path))
    assert [(entry.key, entry.content) for entry in found] == [("first", Content.IMAGES), ("second", Content.IMAGES)]
    with pytest.raises(FormatError, match=r"a.npz first, a.npz second"):
        open_series(tmp_path)
    np.savez(tmp_path / "a.npz", first=images())
    (entry,) = entries(tmp_path)
    assert (entry.key, entry.content, entry.axes, entry.shape) == (None, Content.ARRAY, {}, (3, 4, 9, 8))
    assert "--axes" in entry.notes[0]


def test_a_mask_is_listed_and_not_opened(tmp_path):
    np.savez(tmp_path / "m.npz", mask=np.eye(9))
    (entry,) = entries(tmp_path)
    assert (entry.content, entry.is_series, entry.problem) == (Content.MASK, False, "")
    with pytest.raises(FormatError, match="holds nothing that can be opened"):
        open_series(tmp_path)


def test_an_empty_folder_and_one_that_is_closed(tmp_path):
    assert list(entries(tmp_path)) == []
    with pytest.raises(FormatError, match="found no files"):
        open_series(tmp_path)
    if sys.platform != "win32" and os.getuid() != 0:
        (tmp_path / "closed").mkdir(mode=0)
        (entry,) = entries(tmp_path)
        assert "cannot be read" in entry.problem


def test_the_files_that_opening_reads(tree):
    collection = tree / "P002" / "sub-02_inv-2_IRT1.nii.gz"
    assert len(files_of(collection)) == 6
    assert files_of(tree / "P001" / "notes.txt") == [tree / "P001" / "notes.txt"]
    assert files_of(tree / "none.h5") == [tree / "none.h5"]
