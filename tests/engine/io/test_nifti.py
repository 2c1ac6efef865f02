"""NIfTI in and out: axes checked with an object that has no symmetry, times from sidecars, maps in seconds."""

from __future__ import annotations

import gzip
import json
import sys

import numpy as np
import pytest

from engine import api
from engine.core.errors import DependencyError, FormatError, InputError, OutputError, ShapeError
from engine.core.geometry import Geometry
from engine.core.maps import FitRequest
from engine.core.requests import OpenOptions
from engine.core.types import Kind
from engine.io import nifti

nibabel = pytest.importorskip("nibabel")

AFFINE = np.array([[0, -1.5, 0, 10], [1.25, 0, 0, -20], [0, 0, 8, 5], [0, 0, 0, 1.0]])


def save(path, array, affine=AFFINE, sidecar=None, unit="mm"):
    image = nibabel.Nifti1Image(array, affine)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
    if sidecar is not None:
        path.with_name(path.name.split(".")[0] + ".json").write_text(json.dumps(sidecar))


@pytest.fixture
def array(rng):
    """Return (x, y, z, time), no two sizes alike."""
    return rng.random((5, 7, 3, 4)).astype(np.float32)


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_axes_and_sizes(array, tmp_path, ending):
    save(tmp_path / f"a.{ending}", array)
    series = api.open_series(tmp_path / f"a.{ending}")
    assert series.shape == (3, 4, 7, 5)
    assert series.images[2, 1, 6, 3] == array[3, 6, 2, 1]
    assert series.voxel_mm == pytest.approx((8.0, 1.5, 1.25))
    assert series.name == "a"
    assert series.times_ms is None
    assert np.allclose(series.geometry.affine, AFFINE)
    assert (series.geometry.frame_of_reference, series.geometry.orientation, series.unknown) == ("aligned", "ALS", ())


def test_a_header_without_a_transform_tells_only_the_size(array, tmp_path):
    image = nibabel.Nifti1Image(array, None)
    image.header.set_zooms((1.25, 1.5, 8.0, 1.0))
    nibabel.save(image, tmp_path / "a.nii")
    series = api.open_series(tmp_path / "a.nii")
    assert (series.geometry.known, series.voxel_mm, series.unknown) == (False, pytest.approx((8, 1.5, 1.25)), ("orientation",))


def test_the_sidecar_tells_the_phase_encoding(array, tmp_path):
    save(tmp_path / "a.nii", array, sidecar={"PhaseEncodingDirection": "j-"})
    assert api.open_series(tmp_path / "a.nii").geometry.phase_encode == "y-"


def test_units_types_and_fewer_axes(array, tmp_path):
    save(tmp_path / "m.nii", array[..., 0], unit="meter")
    series = api.open_series(tmp_path / "m.nii")
    assert series.shape == (3, 1, 7, 5)
    assert series.voxel_mm[0] == pytest.approx(8000.0)
    assert np.allclose(series.geometry.affine[:3], 1000 * AFFINE[:3])
    save(tmp_path / "i.nii", (100 * array).astype(np.int16)[:, :, 0, 0])
    assert api.open_series(tmp_path / "i.nii").images.dtype == np.float32
    save(tmp_path / "c.nii", (array * 1j).astype(np.complex64))
    assert api.open_series(tmp_path / "c.nii").images.dtype == np.complex64


def test_times_come_from_the_sidecar_and_from_the_person(array, tmp_path):
    save(tmp_path / "t.nii", array, sidecar={"EchoTime": [0.0, 0.025, 0.035, 0.055]})
    series = api.open_series(tmp_path / "t.nii")
    assert series.kind == Kind.T2PREP
    assert series.times_ms[0] == pytest.approx([0, 25, 35, 55])
    told = api.open_series(tmp_path / "t.nii", OpenOptions(times_ms=(1, 2, 3, 4), kind="molli"))
    assert list(told.times_ms[0]) == [1, 2, 3, 4]
    assert told.kind == Kind.MOLLI
    save(tmp_path / "w.nii", array, sidecar={"InversionTime": [0.1, 0.2]})
    wrong = api.open_series(tmp_path / "w.nii")
    assert wrong.times_ms is None
    assert "2 for 4 frames" in wrong.notes[0]
    (tmp_path / "t.json").write_text("not json")
    assert api.open_series(tmp_path / "t.nii").times_ms is None


def test_any_file_of_a_collection_opens_all(array, tmp_path):
    for number, time in ((10, 2.0), (1, 0.1), (2, 1.0)):
        save(tmp_path / f"sub-01_inv-{number}_IRT1.nii.gz", array[..., :1] * number, sidecar={"InversionTime": time})
    save(tmp_path / "sub-02_inv-1_IRT1.nii.gz", array)
    series = api.open_series(tmp_path / "sub-01_inv-2_IRT1.nii.gz")
    assert series.shape == (3, 3, 7, 5)
    assert list(series.times_ms[0]) == [100.0, 1000.0, 2000.0]
    assert np.allclose(series.images[:, 2], 10 * series.images[:, 0])
    assert series.kind == Kind.MOLLI
    save(tmp_path / "sub-01_inv-3_IRT1.nii.gz", array[:4])
    with pytest.raises(FormatError, match="differ in size"):
        api.open_series(tmp_path / "sub-01_inv-2_IRT1.nii.gz")


def test_bad_files_are_refused_in_words(array, tmp_path):
    save(tmp_path / "a.nii", array)
    content = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "cut.nii").write_bytes(content[: len(content) // 2])
    (tmp_path / "cut.nii.gz").write_bytes(gzip.compress(content)[:200])
    (tmp_path / "text.nii").write_text("hello")
    for name in ("cut.nii", "cut.nii.gz", "text.nii"):
        with pytest.raises(FormatError, match="is damaged"):
            api.open_series(tmp_path / name)
    save(tmp_path / "deep.nii", np.zeros((2, 2, 2, 2, 3), np.float32))
    with pytest.raises(ShapeError, match="too many axes"):
        api.open_series(tmp_path / "deep.nii")
    array[0, 0, 0, 0] = np.nan
    save(tmp_path / "nan.nii", array)
    with pytest.raises(InputError, match="1 values that are NaN"):
        api.open_series(tmp_path / "nan.nii")
    with pytest.raises(InputError, match="tells its axes itself"):
        api.open_series(tmp_path / "a.nii", OpenOptions(axes="xysf"))
    colours = np.zeros((2, 2, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(colours, np.eye(4)), tmp_path / "rgb.nii")
    with pytest.raises(FormatError, match="does not hold numbers"):
        api.open_series(tmp_path / "rgb.nii")


def test_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(DependencyError, match="needs nibabel") as found:
        nifti.nibabel()
    assert "pip install nibabel" in found.value.hint


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def maps(rng):
    times = np.array([120.0, 1020.0, 1920.0, 200.0, 1100.0])
    t1 = rng.uniform(300, 1500, (3, 7, 5))
    images = np.abs(1 - 1.9 * np.exp(-times[:, None, None, None] * 0.9 / t1)).transpose(1, 0, 2, 3).astype(np.float32)
    images[0, 0, 0, 0] = np.nan
    return api.fit_maps(images, FitRequest(), times_ms=times, geometry=Geometry(voxel_mm=(8, 1.5, 1.25)))


@pytest.mark.parametrize("name", ["t1.nii.gz", "t1.nii"])
def test_one_map_is_written_in_seconds(maps, tmp_path, name):
    api.save_maps(maps, tmp_path / name)
    image = nibabel.load(tmp_path / name)
    assert image.shape == (5, 7, 3)
    assert np.allclose(image.get_fdata().transpose(2, 1, 0), maps.main.values / 1000, rtol=1e-6)
    assert image.get_fdata()[0, 0, 0] == 0
    assert image.header.get_zooms() == pytest.approx((1.25, 1.5, 8))
    assert int(image.header["sform_code"]) == 0  # where it lies is not known
    record = json.loads((tmp_path / "t1.json").read_text())
    assert record["Units"] == "s"
    assert record["InversionTime"] == [0.12, 1.02, 1.92, 0.2, 1.1]
    assert api.open_series(tmp_path / name).shape == (3, 1, 7, 5)


def test_position_is_kept_from_file_to_file(array, tmp_path):
    """A series read from NIfTI and mapped by the command lies where it was."""
    from engine.cli import main

    times = np.array([0.0, 25.0, 35.0, 55.0])
    save(tmp_path / "in.nii.gz", (array[..., :1] + 1) * np.exp(-times / 50.0).astype(np.float32))
    words = ["map", tmp_path / "in.nii.gz", "--times", "0,25,35,55", "--model", "t2prep2", "--out", tmp_path / "out.nii.gz"]
    assert main([str(w) for w in words]) == 0
    image = nibabel.load(tmp_path / "out.nii.gz")
    assert np.allclose(image.affine, AFFINE)
    assert np.allclose(image.get_fdata(), 0.05, atol=1e-4)


def test_folder_is_a_bids_derivative(maps, tmp_path):
    api.save_maps(maps, tmp_path / "out")
    anat = tmp_path / "out" / "sub-01" / "anat"
    names = {file.name for file in anat.glob("*.nii.gz")}
    assert names == {
        "sub-01_T1map.nii.gz", "sub-01_desc-sd_T1map.nii.gz", "sub-01_desc-r2_T1map.nii.gz",
        "sub-01_desc-residual_T1map.nii.gz", "sub-01_desc-valid_mask.nii.gz",
    }  # fmt: skip
    assert all((anat / name.replace(".nii.gz", ".json")).is_file() for name in names)
    assert json.loads((tmp_path / "out" / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    valid = nibabel.load(anat / "sub-01_desc-valid_mask.nii.gz").get_fdata()
    assert np.array_equal(valid.transpose(2, 1, 0) > 0, maps.valid)
    sd = nibabel.load(anat / "sub-01_desc-sd_T1map.nii.gz").get_fdata()
    assert np.allclose(sd.transpose(2, 1, 0), maps.main.sd / 1000, atol=1e-9)


def test_folder_that_cannot_be_made_is_said(maps, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        nifti.write_folder(tmp_path / "file" / "out", maps)


DECAY_TIMES = np.array([0.0, 25.0, 35.0, 55.0])


def mapped(array, tmp_path, *more, out="out.nii.gz", sidecar=None):
    """Run the command on a decay of 50 ms; return its exit code."""
    from engine.cli import main

    decay = (array[..., :1] + 1) * np.exp(-DECAY_TIMES / 50.0).astype(np.float32)
    save(tmp_path / "in.nii.gz", decay, sidecar=sidecar)
    times = [] if sidecar else ["--times", "0,25,35,55"]
    words = ["map", tmp_path / "in.nii.gz", *times, "--model", "t2prep2", "--out", tmp_path / out, *more]
    return main([str(w) for w in words])


@pytest.mark.parametrize(("slices", "origin", "step"), [("1", 13, 8), ("0,2", 5, 16), ("1,2", 13, 8)])
def test_chosen_slices_lie_where_they_were(array, tmp_path, slices, origin, step):
    assert mapped(array, tmp_path, "--slices", slices) == 0
    found = nibabel.load(tmp_path / "out.nii.gz").affine
    assert np.allclose(found[:, :2], AFFINE[:, :2])
    assert (found[2, 3], found[2, 2]) == (origin, step)


def test_slices_that_are_not_evenly_spaced_have_no_position(rng, tmp_path):
    assert mapped(rng.random((5, 7, 4, 4)).astype(np.float32), tmp_path, "--slices", "0,1,3") == 0
    assert int(nibabel.load(tmp_path / "out.nii.gz").header["sform_code"]) == 0


@pytest.mark.parametrize("out", ["in.nii.gz", "in.nii"])
def test_neither_the_input_nor_its_times_are_overwritten(array, tmp_path, capsys, out):
    """A map called in.nii would write its record over the sidecar that holds the times of in.nii.gz."""
    before = {"EchoTime": (DECAY_TIMES / 1000).tolist()}
    assert mapped(array, tmp_path, out="other.nii.gz", sidecar=before) == 0
    assert mapped(array, tmp_path, out=out, sidecar=before) != 0
    assert "in." in capsys.readouterr().err
    assert json.loads((tmp_path / "in.json").read_text()) == before
    assert nibabel.load(tmp_path / "in.nii.gz").shape == (5, 7, 3, 4)
