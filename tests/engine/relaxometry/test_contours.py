"""Outlines: exact pixel counts, shared borders, area and centroid."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import InputError, ShapeError
from engine.relaxometry.contours import area, centre, contour_region


def circle(y, x, radius, count=400):
    angle = 2 * np.pi * np.arange(count) / count
    return np.stack([y + radius * np.sin(angle), x + radius * np.cos(angle)], 1)


def test_rectangle_holds_exactly_its_pixel_centres():
    found = contour_region(np.array([[1.5, 2.5], [1.5, 6.5], [4.5, 6.5], [4.5, 2.5]]), (8, 9))
    expected = np.zeros((8, 9), bool)
    expected[2:5, 3:7] = True
    assert np.array_equal(found, expected)


def test_outlines_that_share_a_border_share_no_pixel_and_leave_none_out():
    # All corners and borders lie exactly on pixel centres, one border is oblique.
    a = contour_region(np.array([[0, 0], [0, 4], [8, 6], [8, 0]]), (10, 12))
    b = contour_region(np.array([[0, 4], [0, 10], [8, 10], [8, 6]]), (10, 12))
    both = contour_region(np.array([[0, 0], [0, 10], [8, 10], [8, 0]]), (10, 12))
    assert not (a & b).any()
    assert np.array_equal(a | b, both)
    assert both.sum() == 80


def test_every_pixel_agrees_with_the_distance_from_a_circle_even_beyond_the_image():
    y, x = np.indices((41, 37))
    found = contour_region(circle(3.3, 30.2, 12.0, 4000), (41, 37))
    assert np.array_equal(found, np.hypot(y - 3.3, x - 30.2) < 12.0)


def test_direction_and_start_do_not_matter_and_crossing_follows_even_odd():
    star = circle(10, 10, 8, 5)[[0, 2, 4, 1, 3]]
    found = contour_region(star, (21, 21))
    assert np.array_equal(found, contour_region(np.roll(star[::-1], 2, axis=0), (21, 21)))
    assert not found[10, 10]  # enclosed twice
    assert found.any()


def test_area_and_centre_of_a_triangle():
    triangle = np.array([[100.0, 200.0], [100.0, 206.0], [103.0, 200.0]])
    assert area(triangle) == pytest.approx(9.0, abs=1e-9)
    assert area(triangle[::-1]) == pytest.approx(9.0, abs=1e-9)
    assert centre(triangle) == pytest.approx((101.0, 202.0), abs=1e-12)


def test_centre_does_not_depend_on_where_points_are_dense():
    dense = np.concatenate([circle(20, 30, 7, 800)[:400], circle(20, 30, 7, 40)[20:]])
    assert centre(dense) == pytest.approx((20.0, 30.0), abs=0.02)
    assert abs(dense.mean(0)[0] - 20.0) > 2  # the mean of the points does


@pytest.mark.parametrize(
    ("points", "error", "words"),
    [
        (np.zeros((4, 3)), ShapeError, "no list of points"),
        (np.zeros((2, 2)), InputError, "too few points"),
        (np.array([[0, 0], [0, np.nan], [1, 1]]), InputError, "not finite"),
    ],
)
def test_outlines_that_cannot_be_used(points, error, words):
    with pytest.raises(error, match=words):
        contour_region(points, (5, 5))


def test_no_pixels_and_no_area():
    with pytest.raises(ShapeError, match="no pixels"):
        contour_region(np.eye(3, 2), (0, 4))
    with pytest.raises(InputError, match="no area"):
        centre(np.array([[0, 0], [1, 1], [2, 2]]))
