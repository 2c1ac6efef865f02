from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import FormatError
from engine.core.types import Kind
from engine.io.cmrxrecon_tables import read_info, read_times, voxel_of


def table(path, rows):
    path.write_text("\n".join(["head,a,b,c,d", *rows]) + "\n", encoding="utf-8-sig")
    return path


def test_trailing_empty_rows_and_columns_are_left_out(tmp_path):
    path = table(tmp_path / "T1map.csv", ["1,100,101,NaN,", "2,200,201,NaN,", "3,NaN,NaN,NaN,", "4,9,9,9,9"])
    notes = []
    found = read_times(path, 2, 2, Kind.MOLLI, notes)
    np.testing.assert_array_equal(found.times_ms, [[100, 200], [101, 201]])
    assert notes == []


def test_more_columns_than_slices_are_left_out(tmp_path):
    path = table(tmp_path / "T1map.csv", ["1,100,101,102", "2,200,201,202"])
    np.testing.assert_array_equal(read_times(path, 2, 2, Kind.MOLLI, []).times_ms, [[100, 200], [101, 201]])


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        (["1,100,101"], "does not fit"),
        (["1,100,101", "2,200,201", "3,300,301"], "does not fit"),
        (["1,100,NaN", "2,NaN,201"], "gaps"),
        (["1,-5,101", "2,200,201"], "impossible"),
        (["1,inf,101", "2,200,201"], "impossible"),
        (["1,100,101", "2,0,201"], "impossible"),
        ([], "holds no times"),
    ],
)
def test_tables_that_do_not_fit_are_not_used(tmp_path, rows, note):
    notes = []
    assert read_times(table(tmp_path / "T1map.csv", rows), 2, 2, Kind.MOLLI, notes) is None
    assert note in notes[0]


def test_a_leading_zero_is_a_time_and_t2_keeps_its_last(tmp_path):
    path = table(tmp_path / "T2map.csv", ["1,0", "2,35", "3,0"])
    assert read_times(path, 1, 3, Kind.T2PREP, []).frames == 3


def test_a_folder_in_the_place_of_a_table(tmp_path):
    with pytest.raises(FormatError, match="cannot be read as a table"):
        read_info(tmp_path)


def test_info_takes_units_off(tmp_path):
    path = tmp_path / "i.csv"
    path.write_text("Parameter,Value\nFOVx (mm),320\nSliceThickness(mm),8.0\nVendor,A,B\n")
    assert read_info(path) == {"fovx": "320", "slicethickness": "8.0", "vendor": "A, B"}


BASE = {
    "fovx": "360",
    "fovy": "300",
    "reconmatrix_x": "180",
    "reconmatrix_y": "150",
    "readoutoversample": "2",
    "slicethickness": "8",
}


def test_nominal_and_oversampled_fields_of_view_are_told_apart():
    nominal = voxel_of(BASE, 100, 360, [])
    oversampled = voxel_of({**BASE, "fovx": "720"}, 100, 360, [])
    assert nominal == pytest.approx((8, 3, 2))
    assert oversampled == pytest.approx((8, 3, 2))


@pytest.mark.parametrize("missing", ["fovx", "fovy", "slicethickness"])
def test_what_is_missing_stays_unknown(missing):
    assert voxel_of({k: v for k, v in BASE.items() if k != missing}, 100, 360, []) is None


def test_contradictions_are_said():
    notes = []
    assert voxel_of({**BASE, "fovx": "500"}, 100, 360, notes) is None
    assert "contradict" in notes[0]
    assert voxel_of({"fovx": "360", "fovy": "300", "slicethickness": "8", "readoutoversample": "2"}, 100, 360, []) is None
