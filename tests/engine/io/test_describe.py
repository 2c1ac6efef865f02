from __future__ import annotations

import json

import numpy as np
import pytest

from engine.core.geometry import Geometry
from engine.core.records.plain import table
from engine.core.types import Acquisition, ArrayReader, Evidence, ImageSeries, Kind, KSpaceSeries, Reconstruction, SamplingMask
from engine.io import open_series
from engine.io.describe import describe
from engine.io.myoscope_h5 import write_reconstruction
from tests.engine.io.builders import asymmetric, lines_mask


def test_kspace():
    mask = SamplingMask(lines_mask()[None, :, None], "equispaced", 4.0)
    series = KSpaceSeries(
        ArrayReader(asymmetric()),
        Kind.MOLLI,
        np.arange(4) * 100.0,
        Geometry(voxel_mm=(8, 1.5, 1.5)),
        Acquisition((mask,), Evidence.TOLD),
        unknown=("orientation",),
        format="cmrxrecon",
    )
    found = table(describe(series))
    json.dumps(found)
    assert found["kind"] == "molli"
    assert found["axes"] == {"slice": 3, "frame": 4, "coil": 5, "ky": 9, "kx": 8}
    assert found["times_ms"] == [0, 100, 200, 300]
    assert found["fully_sampled"] is False
    assert found["acceleration"] == {"nominal": 4.0, "effective": pytest.approx(9 / lines_mask().sum(), abs=1e-4)}
    assert found["voxel_mm"] == [8, 1.5, 1.5]
    assert found["unknown"] == ["orientation"]
    assert (found["sampling_known_from"], found["window"], found["orientation"]) == ("the file", None, None)
    assert found["format"] == "cmrxrecon"
    assert found["scale"] == pytest.approx(np.abs(asymmetric()[0, 0]).max())


def test_full_kspace_with_times_per_slice_and_damage():
    data = asymmetric().copy()
    data[0, 0, 0, 0, 0] = np.nan
    found = table(describe(KSpaceSeries(ArrayReader(data), times_ms=np.arange(12.0).reshape(3, 4))))
    assert found["fully_sampled"] is True
    assert found["acceleration"] == {"nominal": None, "effective": 1.0}
    assert found["times_ms"][2] == [8, 9, 10, 11]
    assert found["scale"] > 0
    assert found["voxel_mm"] is None


def test_images_and_reconstructions(tmp_path):
    found = table(describe(ImageSeries(np.ones((1, 2, 3, 4)))))
    assert found["axes"] == {"slice": 1, "frame": 2, "y": 3, "x": 4}
    assert found["content"] == "images"
    mask = SamplingMask(lines_mask()[None, :, None], "equispaced", 4.0)
    write_reconstruction(tmp_path / "r.h5", Reconstruction(asymmetric()[:, :, 0], "cg_sense", (0, 1, 2), (0, 1, 2, 3), mask))
    made = table(describe(open_series(tmp_path / "r.h5")))
    assert made["fully_sampled"] is False
    assert made["acceleration"]["nominal"] == 4.0
    json.dumps(made)
