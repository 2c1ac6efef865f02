"""Files of maps: everything comes back, nothing is left behind by a failure, other files are refused in words."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from engine import api
from engine.core.errors import FormatError, OutputError
from engine.core.geometry import Geometry
from engine.core.maps import FitRequest
from engine.core.records.plain import table
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, Kind
from engine.io import maps as module
from engine.io import save
from engine.io.maps import read_maps, write_maps

WHERE = Geometry(voxel_mm=(8, 1.5, 1.25))
TIMES = np.array([[120.0, 1020.0, 1920.0, 200.0, 1100.0], [130.0, 1020.0, 1920.0, 200.0, 1100.0]])


@pytest.fixture
def maps(rng):
    t1 = rng.uniform(300, 1500, (2, 5, 4))
    images = np.stack([np.abs(1 - 1.9 * np.exp(-row[:, None, None] * 0.9 / one)) for row, one in zip(TIMES, t1, strict=True)])
    images = (images + 0.01 * rng.standard_normal(images.shape)).astype(np.float32)
    images[0, :, 0, 0] = np.nan
    made = api.fit_maps(
        np.abs(images),
        FitRequest(),
        times_ms=TIMES,
        title="myonet",
        kind=Kind.MOLLI,
        slices=(2, 5),
        geometry=WHERE,
    )
    return replace(made, displacement=rng.standard_normal((2, 5, 2, 5, 4)).astype(np.float32))


def test_layout_is_the_documented_one(maps, tmp_path):
    save(maps, tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        group = file["maps"]
        assert list(group)[:4] == ["t1_ms", "t1_star_ms", "a", "b"]
        assert {"sd_ms", "r2", "residual", "valid", "polarity", "reason"} <= set(group)
        assert all(group[name].shape == (2, 5, 4) for name in group)
        assert group["valid"].dtype == bool
        assert group["t1_ms"].dtype == np.float32
        assert group["t1_ms"].attrs["unit"] == "ms"
        assert list(group["t1_ms"].attrs["axes"]) == ["slice", "y", "x"]
        assert np.array_equal(group["sd_ms"], maps.main.sd)
        record = json.loads(file.attrs["provenance"])
        assert record["fit"]["model"] == "molli3"
        assert record["software"]["myoscope"]
        assert file.attrs["kind"] == "molli"


def test_everything_comes_back(maps, tmp_path):
    api.save_maps(maps, tmp_path / "m.h5")
    again = api.open_maps(tmp_path / "m.h5")
    for name, one in maps.maps.items():
        assert np.array_equal(again.maps[name].values, one.values)
        assert np.array_equal(again.maps[name].sd, one.sd)
        assert (again.maps[name].quantity, again.maps[name].unit) == (one.quantity, one.unit)
    for name in ("times_ms", "r2", "residual", "polarity", "reason", "images", "displacement"):
        assert np.array_equal(getattr(again, name), getattr(maps, name), equal_nan=name == "images"), name
    for name in ("model", "title", "kind", "slices", "voxel_mm", "notes", "seconds"):
        assert getattr(again, name) == getattr(maps, name), name
    assert again.provenance["fit"] == dict(maps.provenance["fit"])
    assert list(again.maps) == list(maps.maps)
    assert api.fit_pixel(again, 1, 2, 2).parameters == api.fit_pixel(maps, 1, 2, 2).parameters


def test_maps_without_deviation_and_of_t2(tmp_path):
    times = np.array([0.0, 40.0])
    images = (100 * np.exp(-times / 50.0)).astype(np.complex64).reshape(1, 2, 1, 1) * np.ones((1, 1, 3, 2), np.complex64)
    made = api.fit_maps(images, FitRequest("t2prep2", signed="magnitude"), times_ms=times)
    save(made, tmp_path / "m.h5")
    again = read_maps(tmp_path / "m.h5")
    assert list(again.maps) == ["t2_ms", "a"]
    assert again.main.sd is None
    assert again.images.dtype == np.complex64
    with h5py.File(tmp_path / "m.h5") as file:
        assert "sd_ms" not in file["maps"]


def test_failure_leaves_the_old_file(maps, tmp_path, monkeypatch):
    place = tmp_path / "m.h5"
    place.write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "put_json", fail)
    with pytest.raises(OutputError, match="disk is full"):
        write_maps(place, maps)
    assert place.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [place]


def test_missing_folder_and_wrong_ending_are_said(maps, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        save(maps, tmp_path / "no" / "m.h5")
    with pytest.raises(OutputError, match=r"cannot be written as \.png"):
        save(maps, tmp_path / "m.png")


def test_other_files_hold_no_maps(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["image"] = np.zeros(3)
    with pytest.raises(FormatError, match="holds no maps"):
        read_maps(tmp_path / "x.h5")
    (tmp_path / "t.h5").write_text("hello")
    with pytest.raises(FormatError, match="expected an HDF5 file"):
        read_maps(tmp_path / "t.h5")
    with pytest.raises(FormatError, match="does not exist"):
        read_maps(tmp_path / "gone.h5")
    assert api.describe_maps(tmp_path / "x.h5") is None
    assert api.describe_maps(tmp_path / "gone.h5") is None


def test_truncated_file_is_said(maps, tmp_path):
    save(maps, tmp_path / "m.h5")
    content = (tmp_path / "m.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError):
        read_maps(tmp_path / "cut.h5")


def test_description(maps, tmp_path):
    save(maps, tmp_path / "m.h5")
    found = table(api.describe_maps(tmp_path / "m.h5"))
    json.dumps(found, allow_nan=False)
    assert found["axes"] == {"slice": 2, "y": 5, "x": 4}
    assert found["content"] == "maps"
    assert found["valid"] == pytest.approx(39 / 40)
    assert found["maps"]["t1_ms"]["median"] == pytest.approx(float(np.median(maps.main.values[maps.valid])))
    assert found["times_ms"][1][0] == 130.0
    assert found["voxel_mm"] == [8, 1.5, 1.25]


def test_opened_as_a_series_it_gives_what_was_fitted(maps, tmp_path):
    save(maps, tmp_path / "m.h5")
    series = api.open_series(tmp_path / "m.h5")
    assert isinstance(series, ImageSeries)
    assert np.array_equal(series.images, maps.images, equal_nan=True)
    assert np.array_equal(series.times_ms, maps.times_ms)
    t1 = api.open_series(tmp_path / "m.h5", OpenOptions(key="maps/t1_ms", axes="syx"))
    assert np.array_equal(t1.images[:, 0], maps.main.values)
