"""Where a result goes: the ending decides, what no format writes is refused before anything is made."""

from __future__ import annotations

import pytest

from engine.core.errors import OutputError
from engine.core.records.entries import Content
from engine.io import FORMATS, save
from engine.io.saving import check_output, patterns, writer
from tests.engine.io.examples import MAKERS


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (Content.KSPACE, "k.h5", "myoscope_h5"),
        (Content.KSPACE, "K.HDF5", "myoscope_h5"),
        (Content.RECONSTRUCTION, "r.h5", "myoscope_h5"),
        (Content.MAPS, "m.h5", "myoscope_maps"),
        (Content.MAPS, "m.nii.gz", "nifti"),
        (Content.MAPS, "m.nii", "nifti"),
        (Content.MAPS, "folder", "nifti"),
    ],
)
def test_the_ending_finds_the_format(content, name, expected, tmp_path):
    assert writer(content, tmp_path / name).name == expected


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (Content.KSPACE, "k.npy", r"k-space cannot be written as .npy \(expected .h5, .hdf5\)"),
        (Content.KSPACE, "k", r"k-space cannot be written as a file without an ending \(expected .h5, .hdf5\)"),
        (Content.RECONSTRUCTION, "r.nii", r"a reconstruction cannot be written as .nii \(expected .h5, .hdf5\)"),
        (Content.MAPS, "m.png", r"maps cannot be written as .png \(expected .h5, .hdf5, .nii.gz, .nii, or a folder\)"),
    ],
)
def test_other_endings_are_refused_with_those_that_do(content, name, words, tmp_path):
    with pytest.raises(OutputError, match=words) as caught:
        save(MAKERS[content](), tmp_path / name)
    assert ".h5" in caught.value.hint
    with pytest.raises(OutputError, match=words):
        check_output(content, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_inputs_and_their_sidecars_are_not_overwritten(tmp_path):
    for name in ("a.nii.gz", "a.json"):
        (tmp_path / name).write_text("x")
    for target, inputs in (("a.nii.gz", ["a.nii.gz"]), ("a.nii", ["a.json"])):
        with pytest.raises(OutputError, match="is the input file itself"):
            check_output(Content.MAPS, tmp_path / target, [tmp_path / one for one in inputs])
    check_output(Content.MAPS, tmp_path / "b.nii.gz", [tmp_path / "a.nii.gz", tmp_path / "a.json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.nii.gz"]


def test_a_format_asked_for_by_name(tmp_path):
    assert writer(Content.KSPACE, tmp_path / "k", "cmrxrecon").name == "cmrxrecon"
    check_output(Content.KSPACE, tmp_path / "k", (), "cmrxrecon")
    with pytest.raises(OutputError, match="maps cannot be written as CMRxRecon"):
        writer(Content.MAPS, tmp_path / "k", "cmrxrecon")


def test_patterns_of_the_file_dialog():
    assert patterns(Content.MAPS) == (("Myoscope maps", ("*.h5", "*.hdf5")), ("NIfTI", ("*.nii.gz", "*.nii")))
    assert patterns(Content.KSPACE) == (("Myoscope HDF5", ("*.h5", "*.hdf5")),)
    for content in Content:
        assert all(title and endings for title, endings in patterns(content))
    assert FORMATS.names()
