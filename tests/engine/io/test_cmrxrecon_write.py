from __future__ import annotations

import tempfile

import h5py
import numpy as np
import pytest

from engine.core.errors import Cancelled, InputError, OutputError
from engine.core.geometry import Geometry
from engine.core.jobs import CancelToken, Reporter
from engine.core.types import Acquisition, ArrayReader, Kind, KSpaceSeries, SamplingMask
from engine.io import open_series
from engine.io.cmrxrecon_write import write_cmrxrecon2023
from engine.io.myoscope_h5 import read_truth
from tests.engine.io.builders import asymmetric, lines_mask, matlab_order

TRUTH = asymmetric()
VOXEL = Geometry(voxel_mm=(8.0, 1.5, 1.25))


def series(**changes):
    fields = {
        "reader": ArrayReader(TRUTH),
        "kind": Kind.CINE,
        "geometry": VOXEL,
        "notes": ("simulated coils", "a, b"),
    }
    return KSpaceSeries(**{**fields, **changes})


def test_cine_round_trip(tmp_path):
    path = write_cmrxrecon2023(tmp_path / "data", series(), {"tissue": np.arange(9)})
    assert path == tmp_path / "data" / "MultiCoil" / "Cine" / "TrainingSet" / "FullSample" / "P001" / "cine_sax.mat"
    found = open_series(path)
    assert found.format == "cmrxrecon"
    for index in range(3):
        np.testing.assert_array_equal(found.read(index), TRUTH[index])
    assert found.voxel_mm == pytest.approx((8.0, 1.5, 1.25))
    assert found.kind is Kind.CINE
    assert found.fully_sampled
    assert "simulated coils" in found.notes
    np.testing.assert_array_equal(read_truth(path.with_name("cine_sax_truth.h5"))["tissue"], np.arange(9))
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_the_container_is_matlabs(tmp_path):
    path = write_cmrxrecon2023(tmp_path, series())
    head = path.read_bytes()[:520]
    assert head.startswith(b"MATLAB 7.3 MAT-file")
    assert head[124:128] == b"\x00\x02IM"
    assert head[512:516] == b"\x89HDF"
    with h5py.File(path) as file:
        assert file["kspace_full"].dtype.names == ("real", "imag")
        assert file["kspace_full"].dtype["real"] == np.float32
        assert file["kspace_full"].attrs["MATLAB_class"] == b"single"
        stored = file["kspace_full"][()]
        np.testing.assert_array_equal(stored["real"] + 1j * stored["imag"], matlab_order(TRUTH).transpose())


def test_mapping_is_sorted_by_time(tmp_path):
    times = np.array([[300.0, 100, 200, 50], [301.0, 101, 201, 51], [52.0, 102, 202, 302]])
    path = write_cmrxrecon2023(tmp_path, series(kind=Kind.MOLLI, times_ms=times))
    found = open_series(path)
    np.testing.assert_array_equal(found.times_ms, np.sort(times, axis=1))
    np.testing.assert_array_equal(found.read(0), TRUTH[0, [3, 1, 2, 0]])
    np.testing.assert_array_equal(found.read(2), TRUTH[2])
    assert path.with_name("T1map.csv").exists()
    assert write_cmrxrecon2023(tmp_path, series(kind=Kind.T2PREP, times_ms=times)).name == "T2map.mat"


def test_undersampled_data_and_mask_round_trip(tmp_path):
    mask = SamplingMask(lines_mask()[None, :, None], "equispaced", 4.0, (3, 7))
    write_cmrxrecon2023(tmp_path, series(), mask=mask)
    found = open_series(tmp_path / "MultiCoil" / "Cine" / "TrainingSet" / "AccFactor04" / "P001" / "cine_sax.mat")
    np.testing.assert_array_equal(found.read(1), TRUTH[1] * mask.lines[0])
    np.testing.assert_array_equal(found.acquisition.mask().lines, mask.lines)
    assert (found.acquisition.mask().nominal_acceleration, found.acquisition.mask().acs) == (4.0, (3, 7))


def test_what_has_no_place_is_refused(tmp_path):
    with pytest.raises(InputError, match="no place in the layout"):
        write_cmrxrecon2023(tmp_path / "x", series(kind=Kind.UNKNOWN))
    with pytest.raises(InputError, match="no place in the layout"):
        write_cmrxrecon2023(tmp_path / "x", series(acquisition=Acquisition((SamplingMask(lines_mask()[None, :, None], "random"),))))
    with pytest.raises(InputError, match="one mask of whole lines"):
        write_cmrxrecon2023(tmp_path / "x", series(), mask=SamplingMask(np.eye(9, dtype=bool)[None, :, :8], "x"))
    assert list(tmp_path.iterdir()) == []


def test_cancelling_and_failing_leave_nothing(tmp_path):
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        write_cmrxrecon2023(tmp_path / "x", series(), report=Reporter(token=token))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        write_cmrxrecon2023(tmp_path / "file" / "x", series())


def test_a_folder_that_is_there_needs_nothing_of_its_parent(tmp_path, monkeypatch):
    """It may be a disk of its own, or lie in a folder that is closed to us."""
    real, places = tempfile.mkdtemp, []

    def noted(*args, dir=None, **options):  # noqa: A002 the name of the library
        places.append(dir)
        return real(*args, dir=dir, **options)

    (tmp_path / "there").mkdir()
    monkeypatch.setattr(tempfile, "mkdtemp", noted)
    path = write_cmrxrecon2023(tmp_path / "there", series())
    assert path.is_file()
    assert set(places) == {tmp_path / "there"}
    assert [p.name for p in (tmp_path / "there").iterdir()] == ["MultiCoil"]


def test_missing_parents_are_not_made(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        write_cmrxrecon2023(tmp_path / "no" / "x", series())
    assert list(tmp_path.iterdir()) == []
