from __future__ import annotations

import itertools

import numpy as np
import pytest

from app.display.orientation import Orientation

ALL = list(itertools.product(range(-1, 5), (False, True)))


@pytest.mark.parametrize(("turns", "flipped"), ALL)
def test_pixel_under_the_cursor_is_the_data_pixel(turns, flipped):
    data = np.arange(5 * 8).reshape(5, 8)
    orientation = Orientation(5, 8, turns, flipped)
    shown = orientation.apply(data)
    assert shown.shape == orientation.shape
    for row, column in np.ndindex(shown.shape):
        x, y = orientation.pixel(column, row)
        assert data[y, x] == shown[row, column]
        assert orientation.to_display(x, y) == (column, row)


@pytest.mark.parametrize(("turns", "flipped"), ALL)
def test_round_trip_of_positions_between_pixels(turns, flipped):
    orientation = Orientation(5, 8, turns, flipped)
    for x, y in ((0.25, 3.5), (-1.5, 7.25), (6.75, 0.125)):
        assert orientation.to_data(*orientation.to_display(x, y)) == (x, y)
        assert orientation.to_display(*orientation.to_data(x, y)) == (x, y)


def test_one_turn_is_counter_clockwise_after_the_flip():
    data = np.array([[1, 2], [3, 4]])
    np.testing.assert_array_equal(Orientation(2, 2, 1).apply(data), [[2, 4], [1, 3]])
    np.testing.assert_array_equal(Orientation(2, 2, 1, flipped=True).apply(data), [[1, 3], [2, 4]])


def test_pixel_borders_and_outside():
    orientation = Orientation(4, 6)
    assert orientation.pixel(-0.5, -0.5) == (0, 0)
    assert orientation.pixel(5.49, 3.49) == (5, 3)
    assert orientation.pixel(5.5, 0) is None
    assert orientation.pixel(0, -0.51) is None
