"""Two files of maps through the evaluate command."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from engine import api
from engine.cli import main
from engine.core.maps import FitRequest

pytestmark = pytest.mark.slow  # whole commands, file to file

TIMES = np.array([120.0, 1020.0, 1920.0, 2820.0, 200.0, 1100.0])


def images(shift=0.0):
    t1 = (np.linspace(600, 1500, 2 * 9 * 8).reshape(2, 1, 9, 8) + shift)[:, 0]
    return np.abs(1 - 2 * np.exp(-TIMES[None, :, None, None] / t1[:, None])).astype(np.float32)


@pytest.fixture
def files(tmp_path):
    request = FitRequest(model="ir3")
    maps = api.fit_maps(images(25.0), request, times_ms=TIMES, title="fast", slices=(1, 4))
    reference = api.fit_maps(images(), request, times_ms=TIMES, title="reference", slices=(1, 4))
    paths = tmp_path / "fast.h5", tmp_path / "reference.h5"
    for one, path in zip((maps, reference), paths, strict=True):
        api.save_maps(one, path)
    return [str(path) for path in paths]


def test_bias_of_known_maps(files, capsys, tmp_path):
    assert main(["evaluate", *files, "--json", "--csv", str(tmp_path / "a.csv")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["estimate"], found["reference"]) == ("fast", "reference")
    assert [row["slice"] for row in found["agreement"]] == ["all", 1, 4]
    for row in found["agreement"]:
        assert row["bias"] == pytest.approx(25.0, abs=0.05)
        assert row["upper"] - row["lower"] < 0.5
    assert [row["n"] for row in found["agreement"]] == [144, 72, 72]
    with (tmp_path / "a.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[0]["bias"]) == found["agreement"][0]["bias"]
    assert main(["evaluate", *files]) == 0
    text = capsys.readouterr().out
    assert "T1 in ms" in text
    assert "upper limit" in text


def test_a_region_of_the_references_images(files, capsys):
    assert main(["evaluate", *files, "--region", "dynamic", "--percentile", "50", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["agreement"]
    assert found[0]["region"] == "dynamic"
    assert [row["n"] for row in found] == [72, 36, 36]


def test_what_maps_do_not_take(files, capsys, tmp_path):
    assert main(["evaluate", *files, "--metrics", "psnr"]) == 2
    assert "maps take no --metrics" in capsys.readouterr().err
    series = tmp_path / "images.npy"
    np.save(series, images().astype(np.complex64))
    assert main(["evaluate", files[0], str(series)]) == 2
    assert "expected two of a kind" in capsys.readouterr().err


def test_maps_that_have_one_slice_in_common(files, capsys, tmp_path):
    one = api.open_maps(files[0])
    moved = str(tmp_path / "moved.h5")
    api.save_maps(replace(one, slices=(4, 7)), moved)
    assert main(["evaluate", moved, files[1], "--region", "static", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["agreement"]
    assert [row["slice"] for row in found] == ["all"]
