"""The map command as a person types it."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from engine import api
from engine.cli import main

pytestmark = pytest.mark.slow  # whole commands, file to file

WORDS = ["--matrix", "64x48", "--coils", "4", "--snr", "60"]


@pytest.fixture(scope="module")
def molli(tmp_path_factory):
    path = tmp_path_factory.mktemp("molli") / "m.h5"
    assert main(["phantom", "molli", "--out", str(path), "--analytic", *WORDS]) == 0
    return path


@pytest.fixture(scope="module")
def t2prep(tmp_path_factory):
    path = tmp_path_factory.mktemp("t2prep") / "t.h5"
    assert main(["phantom", "t2prep", "--out", str(path), "--analytic", *WORDS]) == 0
    return path


def run(capsys, *words):
    """Run a command; return exit code, stdout, stderr."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    out = capsys.readouterr()
    return code, out.out, out.err


def truth(path, name):
    with h5py.File(path) as file:
        return file["truth"][name][()]


def test_k_space_is_mapped_against_the_truth_of_the_phantom(capsys, molli, tmp_path):
    code, out, _ = run(capsys, "map", molli, "--out", tmp_path / "maps.h5", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["model"] == "molli3"  # by the kind of the series
    assert found["signed"] == "complex"  # the phantom's phase is that of the coils, the same in all frames
    maps = api.open_maps(tmp_path / "maps.h5")
    t1 = truth(molli, "t1_fit_ms")
    tissue = maps.valid & (t1 > 200) & (truth(molli, "purity") > 0.99)
    assert tissue.mean() > 0.15
    assert np.median(np.abs(maps.main.values - t1)[tissue] / t1[tissue]) < 0.02
    assert maps.title == "reference"
    code, out, _ = run(capsys, "info", tmp_path / "maps.h5")
    assert code == 0
    assert "t1_ms unit ms" in out


def test_a_reconstruction_and_its_reference_are_mapped(capsys, t2prep, tmp_path):
    rec = tmp_path / "r.h5"
    assert run(capsys, "reconstruct", t2prep, "--method", "cg_sense", "--mask", "equispaced", "-R", "4", "--out", rec)[0] == 0
    code, out, _ = run(capsys, "map", rec, "--out", tmp_path / "a.h5")
    assert code == 0
    assert "t2_ms" in out
    assert run(capsys, "map", rec, "--reference", "--model", "t2prep2", "--signed", "magnitude", "--out", tmp_path / "b.h5")[0] == 0
    method, reference = api.open_maps(tmp_path / "a.h5"), api.open_maps(tmp_path / "b.h5")
    assert (method.title, reference.title) == ("cg_sense", "reference")
    t2 = truth(t2prep, "t2_fit_ms")
    tissue = method.valid & reference.valid & (t2 > 20) & (truth(t2prep, "purity") > 0.99)
    error = [np.median(np.abs(m.main.values - t2)[tissue]) for m in (method, reference)]
    assert error[1] <= error[0] < 8.0


def test_plain_arrays_with_axes_times_and_slices(capsys, tmp_path, rng):
    times = np.array([120.0, 1020.0, 1920.0, 200.0])
    t1 = rng.uniform(300, 1500, (3, 6, 5))
    images = np.abs(1 - 1.9 * np.exp(-times[:, None, None, None] * 0.9 / t1)).transpose(3, 2, 1, 0)  # (x, y, slice, frame)
    np.save(tmp_path / "a.npy", images)
    words = ("map", tmp_path / "a.npy", "--axes", "xysf", "--times", "120,1020,1920,200", "--model", "ir3", "--slices", "2")
    assert run(capsys, *words, "--out", tmp_path / "m.h5", "--quiet")[0] == 0
    maps = api.open_maps(tmp_path / "m.h5")
    assert maps.slices == (2,)
    assert np.allclose(maps.main.values[0], t1[2] / 0.9, atol=0.05)


def test_nifti_and_folder(capsys, t2prep, tmp_path):
    for out in ("m.nii.gz", "bids"):
        assert run(capsys, "map", t2prep, "--out", tmp_path / out)[0] == 0
    assert (tmp_path / "m.json").is_file()
    assert (tmp_path / "bids" / "sub-01" / "anat" / "sub-01_T2map.nii.gz").is_file()


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--out", "m.png"], "cannot be written as .png", "maps.h5"),
        (["--out", "no/m.h5"], "does not exist", "Create the folder"),
        (["--out", "m.h5", "--model", "molli2"], "unknown signal model 'molli2'", "molli3"),
        (["--out", "m.h5", "--times", "0.1,0.2,0.3,0.4,1,2,3,4"], "in seconds", "--times 100,200,300,400,1000,2000,3000,4000"),
        (["--out", "m.h5", "--times", "100,200"], "does not fit the series", "one time in milliseconds for each frame"),
        (["--out", "m.h5", "--times", "-1,2,3,4,5,6,7,8"], "expected one argument", "--help"),
        (["--out", "m.h5", "--efficiency", "3"], "inversion efficiency", "0.9653"),
        (["--out", "m.h5", "--model", "t2prep2", "--efficiency", "0.9"], "takes no inversion efficiency", "Leave it out"),
        (["--out", "m.h5", "--signed", "signed"], "are complex", "--signed complex"),
        (["--out", "m.h5", "--motion", "affine"], "unknown motion correction", "rigid"),
        (["--out", "m.h5", "--weights", "w"], "takes no weights", "networks"),
        (["--out", "m.h5", "--reference"], "belongs to a reconstruction", "Leave it out"),
        (["--out", "m.h5", "--slices", "4"], "does not exist", "myoscope info"),
        ([], "required: --out", "--help"),
    ],
)
def test_bad_input_is_two_lines_and_writes_nothing(capsys, molli, tmp_path, monkeypatch, words, message, hint):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "map", molli, *words)
    assert code == 2
    assert out == ""
    first, second = err.strip().splitlines()
    assert message in first
    assert hint in second
    assert not list(tmp_path.iterdir())


def test_undersampled_k_space_is_sent_to_reconstruct(capsys, molli, tmp_path):
    with h5py.File(molli) as file, h5py.File(tmp_path / "u.h5", "w") as other:
        for name in file:
            file.copy(name, other)
        other.attrs.update(dict(file.attrs))
        lines = np.zeros((1, 64, 1), bool)
        lines[0, ::2] = True
        other["mask"] = lines
    code, _, err = run(capsys, "map", tmp_path / "u.h5", "--out", tmp_path / "m.h5")
    assert code == 2
    assert "undersampled k-space" in err
    assert "myoscope reconstruct" in err


def test_unknown_kind_needs_a_model(capsys, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 3, 3)))
    code, _, err = run(capsys, "map", tmp_path / "a.npy", "--axes", "fyx", "--times", "1,2,3,4", "--out", tmp_path / "m.h5")
    assert code == 2
    assert "--model molli3" in err
