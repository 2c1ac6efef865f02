"""Positions of pixels: what a choice of slices, a crop and an uneven stack leave of them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import InputError, ShapeError
from engine.core.geometry import UNKNOWN, Geometry
from engine.core.types import ArrayReader, ImageSeries, KSpaceSeries, ParameterMap, Region

AFFINE = np.array([[0, -1.5, 0, 10], [1.25, 0, 0, -20], [0, 0, 8, 5], [0, 0, 0, 1.0]])


def position(geometry, slice_index, y, x):
    return (geometry.planes[slice_index] @ (x, y, 0, 1))[:3]


def test_a_regular_stack():
    made = Geometry.from_affine(AFFINE, 5)
    assert made.known
    assert made.voxel_mm == (8.0, 1.5, 1.25)
    assert made.orientation == "ALS"  # x to anterior, y to left, slices up
    np.testing.assert_array_equal(made.affine, AFFINE)
    for index, y, x in ((0, 0, 0), (4, 3, 2)):
        np.testing.assert_allclose(position(made, index, y, x), (AFFINE @ (x, y, index, 1))[:3])


def test_nothing_known_and_only_the_size():
    assert (UNKNOWN.known, UNKNOWN.affine, UNKNOWN.voxel_mm, UNKNOWN.orientation) == (False, None, None, "")
    size = Geometry(voxel_mm=(8, 1.5, 1.25))
    assert (size.known, size.affine) == (False, None)
    assert size.select([3]) is size
    assert size.crop(1, 2) is size
    size.check_slices(7)


@pytest.mark.parametrize("slices", [(0,), (2,), (1, 3), (4, 2, 0), (0, 1, 4)])
def test_chosen_slices_stay_where_they_are(slices):
    whole = Geometry.from_affine(AFFINE, 5, voxel_mm=(6.0, 1.5, 1.25))
    part = whole.select(slices)
    for row, index in enumerate(slices):
        np.testing.assert_array_equal(position(part, row, 2, 3), position(whole, index, 2, 3))
    assert part.voxel_mm == (6.0, 1.5, 1.25)  # the thickness, whatever the gap
    steps = set(np.diff(slices))
    if len(steps) > 1:
        assert part.affine is None  # no single affine has uneven steps
    else:
        step = steps.pop() if steps else 1
        np.testing.assert_allclose(part.affine @ (3, 2, len(slices) - 1, 1), whole.affine @ (3, 2, slices[-1], 1))
        np.testing.assert_allclose(part.affine[:3, 2], step * AFFINE[:3, 2])


def test_a_crop_keeps_every_pixel_in_its_place():
    whole = Geometry.from_affine(AFFINE, 2)
    part = whole.crop(4, 7)
    for index in range(2):
        np.testing.assert_allclose(position(part, index, 1, 2), position(whole, index, 5, 9))


def test_slices_that_are_not_parallel_have_no_single_affine():
    planes = Geometry.from_affine(AFFINE, 3).planes.copy()
    planes[1, :3, :3] = planes[1, :3, [1, 2, 0]].T
    made = Geometry(planes)
    assert made.known
    assert made.affine is None
    assert made.select([0]).affine is not None


def test_same_place():
    one = Geometry.from_affine(AFFINE, 3, frame_of_reference="scanner")
    rounded = AFFINE.astype(np.float32)
    assert one.same_place(Geometry.from_affine(rounded, 3, frame_of_reference="scanner")) is True
    moved = AFFINE.copy()
    moved[0, 3] += 1
    assert one.same_place(Geometry.from_affine(moved, 3, frame_of_reference="scanner")) is False
    assert one.same_place(one.select([0, 1])) is False
    assert one.same_place(Geometry.from_affine(AFFINE, 3, frame_of_reference="other")) is None
    assert one.same_place(UNKNOWN) is None


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"planes": AFFINE}, ShapeError, r"expected slice, 4, 4 / found \(4, 4\)"),
        ({"planes": np.full((1, 4, 4), np.nan)}, InputError, "cannot be used"),
        ({"planes": np.zeros((1, 4, 4))}, InputError, "cannot be used"),
        ({"planes": (AFFINE * [0, 1, 1, 1])[None]}, InputError, "two directions in the plane"),
        ({"voxel_mm": (8, 0, 1)}, InputError, "voxel size cannot be"),
        ({"voxel_mm": (8, np.nan, 1)}, InputError, "voxel size cannot be"),
        ({"voxel_mm": (8, 1)}, InputError, "voxel size cannot be"),
        ({"phase_encode": "z"}, InputError, "cannot be along 'z'"),
    ],
)
def test_what_cannot_be_is_refused(fields, error, words):
    with pytest.raises(error, match=words) as caught:
        Geometry(**fields)
    assert caught.value.hint


def test_records_refuse_a_geometry_of_other_slices():
    two = Geometry.from_affine(AFFINE, 2)
    good = KSpaceSeries(ArrayReader(np.ones((2, 1, 1, 4, 4))), geometry=two)
    assert good.voxel_mm == (8.0, 1.5, 1.25)
    for make in (
        lambda: KSpaceSeries(ArrayReader(np.ones((3, 1, 1, 4, 4))), geometry=two),
        lambda: ImageSeries(np.ones((3, 1, 4, 4)), geometry=two),
        lambda: ParameterMap(np.ones((3, 4, 4)), "T1", "ms", np.ones((3, 4, 4), bool), geometry=two),
        lambda: Region(np.ones((3, 4, 4), bool), "r", geometry=two),
    ):
        with pytest.raises(ShapeError, match="one plane for each of 3 slices / found 2"):
            make()


def test_planes_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        Geometry.from_affine(AFFINE, 2).planes[0, 0, 0] = 5
