"""AHA segments: exact sectors, orientation, areas, statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.core.errors import InputError, ShapeError
from engine.core.records.plain import table
from engine.core.types import ParameterMap
from engine.relaxometry.segments import NAMES, bullseye, segment_table, segments
from tests.engine.relaxometry.test_contours import circle

SHAPE = (121, 121)
MIDDLE = 60.3, 59.6
ENDO, EPI = circle(*MIDDLE, 25), circle(*MIDDLE, 45)


def at(degrees, radius=45.0):
    """Return the point (y, x) at an angle counter-clockwise from the right as seen (y down)."""
    return MIDDLE[0] - radius * math.sin(math.radians(degrees)), MIDDLE[1] + radius * math.cos(math.radians(degrees))


def holder(found, degrees):
    y, x = (round(v) for v in at(degrees, 35))
    return [number for number, mask in found.items() if mask[y, x]]


@pytest.mark.parametrize(("level", "first"), [("basal", 1), ("mid", 7)])
def test_the_usual_view_has_the_anterior_wall_on_top_and_the_septum_left(level, first):
    found = segments(ENDO, EPI, at(120), False, level, SHAPE)
    assert list(found) == list(range(first, first + 6))
    # Anterior on top; then counter-clockwise: anteroseptal, inferoseptal, inferior, inferolateral, anterolateral.
    for index, degrees in enumerate((90, 150, 210, 270, 330, 30)):
        assert holder(found, degrees) == [first + index]
        for edge in (-27, 27):
            assert holder(found, degrees + edge) == [first + index]


def test_the_apex_has_four_quarters_about_the_same_septum():
    found = segments(ENDO, EPI, at(120), False, "apical", SHAPE)
    assert list(found) == [13, 14, 15, 16]
    for number, degrees in ((13, 90), (14, 180), (15, 270), (16, 0)):
        for edge in (-42, 0, 42):
            assert holder(found, degrees + edge) == [number]


@pytest.mark.parametrize("level", ["basal", "apical"])
def test_segments_divide_the_wall_into_equal_parts(level):
    found = segments(ENDO, EPI, at(77.7), False, level, SHAPE)
    total = np.sum(list(found.values()), axis=0)
    y, x = np.indices(SHAPE)
    radius = np.hypot(y - MIDDLE[0], x - MIDDLE[1])
    assert np.array_equal(total, (radius < 45) & (radius >= 25))  # each pixel once
    each = math.pi * (45**2 - 25**2) / len(found)
    assert all(abs(mask.sum() - each) < 0.04 * each for mask in found.values())


def test_a_flipped_image_has_flipped_segments_when_the_direction_is_turned():
    found = segments(ENDO, EPI, at(131), False, "mid", SHAPE)

    def flip(points):
        return np.asarray(points) * [1, -1] + [0, SHAPE[1] - 1]

    turned = segments(flip(ENDO), flip(EPI), tuple(flip([at(131)])[0]), True, "mid", SHAPE)
    for number, mask in found.items():
        assert np.array_equal(turned[number], mask[:, ::-1])
    same = segments(flip(ENDO), flip(EPI), tuple(flip([at(131)])[0]), False, "mid", SHAPE)
    assert not np.array_equal(same[8], found[8][:, ::-1])


def test_a_turned_image_has_turned_segments():
    found = segments(ENDO, EPI, at(131), False, "basal", SHAPE)

    def quarter(points):  # np.rot90: (y, x) -> (n - 1 - x, y)
        points = np.asarray(points)
        return np.stack([SHAPE[1] - 1 - points[..., 1], points[..., 0]], -1)

    turned = segments(quarter(ENDO), quarter(EPI), tuple(quarter(at(131))), False, "basal", SHAPE)
    for number, mask in found.items():
        assert np.array_equal(turned[number], np.rot90(mask))


def test_angles_are_those_of_the_body_where_pixels_are_not_square():
    squeeze = np.array([0.5, 1.0])
    found = segments(ENDO * squeeze, EPI * squeeze, tuple(np.array(at(120)) * squeeze), False, "mid", SHAPE, pixel_mm=(2.0, 1.0))
    counts = [int(mask.sum()) for mask in found.values()]
    assert max(counts) - min(counts) < 0.06 * np.mean(counts)
    wrong = segments(ENDO * squeeze, EPI * squeeze, tuple(np.array(at(120)) * squeeze), False, "mid", SHAPE)
    counts = [int(mask.sum()) for mask in wrong.values()]
    assert max(counts) - min(counts) > 0.3 * np.mean(counts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"level": "middle"}, "unknown level"),
        ({"endo": circle(*MIDDLE, 50)}, "leaves the epicardial"),
        ({"endo": circle(60, 95, 20)}, "leaves the epicardial"),
        ({"insertion": MIDDLE}, "lies in the cavity"),
        ({"insertion": (math.nan, 0.0)}, "no point"),
        ({"epi": ENDO}, "no pixel between"),
        ({"pixel_mm": (1.0, 0.0)}, "size of a pixel"),
    ],
)
def test_contours_that_cannot_be_used(change, words):
    settings = {"endo": ENDO, "epi": EPI, "insertion": at(120), "clockwise": False, "level": "mid", "shape": SHAPE}
    with pytest.raises(InputError, match=words):
        segments(**(settings | change))


def make_map():
    values = np.arange(2 * 4 * 5, dtype=np.float32).reshape(2, 4, 5)
    valid = np.ones(values.shape, bool)
    valid[0, 0, 0] = valid[1, 3] = False
    return ParameterMap(values, "T1", "ms", valid)


def test_the_table_counts_valid_pixels_only():
    first, last = np.zeros((2, 4, 5), bool)
    first[0, :3] = True  # 0 (invalid), 1, 2
    last[3] = True
    rows = segment_table(make_map(), 0, {8: first, 101: last})
    assert table(rows[0]) == {
        "segment": 8, "name": "mid anteroseptal", "mean": 1.5, "sd": pytest.approx(math.sqrt(0.5)), "median": 1.5, "n": 2,
        "n_invalid": 1,
    }  # fmt: skip
    assert (rows[1].segment, rows[1].name, rows[1].mean, rows[1].n_invalid) == (101, "", 17.0, 0)
    empty = segment_table(make_map(), 1, {3: last})[0]
    assert (empty.n, empty.n_invalid) == (0, 5)
    assert all(math.isnan(value) for value in (empty.mean, empty.sd, empty.median))


def test_the_bullseye_takes_pixels_of_all_slices_together():
    mask = np.zeros((4, 5), bool)
    mask[1, 1:3] = True
    rows = bullseye(make_map(), {0: {7: mask, 102: mask}, 1: {7: mask}})
    assert [row.segment for row in rows] == list(NAMES)
    assert (rows[6].mean, rows[6].median, rows[6].n) == (16.5, 16.5, 4)
    assert rows[6].sd == pytest.approx(np.std([6, 7, 26, 27], ddof=1))
    assert sum(row.n for row in rows) == 4


def test_slices_and_masks_that_are_not_there():
    with pytest.raises(InputError, match="no slice 2"):
        segment_table(make_map(), 2, {})
    with pytest.raises(InputError, match="no slice -1"):
        bullseye(make_map(), {-1: {}})
    with pytest.raises(ShapeError, match="does not fit the map"):
        segment_table(make_map(), 0, {1: np.ones((5, 4), bool)})
