from __future__ import annotations

import numpy as np
import pytest

from app.display.shapes import STEPS, Shape, border, handles, smooth

CORNERS = ((2.0, 1.0), (8.0, 5.0))


def test_two_corners_make_a_rectangle_and_the_ellipse_inside_it():
    assert border(Shape.RECTANGLE, CORNERS) == ((2, 1), (8, 1), (8, 5), (2, 5))
    x, y = np.array(border(Shape.ELLIPSE, CORNERS)).T
    np.testing.assert_allclose(((x - 5) / 3) ** 2 + ((y - 3) / 2) ** 2, 1.0, atol=1e-12)
    assert (x.min(), x.max(), y.min(), y.max()) == pytest.approx((2, 8, 1, 5))


@pytest.mark.parametrize("shape", list(Shape))
def test_what_has_too_few_points_yet_stays_as_it_is(shape):
    assert border(shape, ()) == ()
    assert border(shape, CORNERS[:1]) == CORNERS[:1]


def test_a_path_of_the_mouse_has_no_handles():
    path = tuple((float(x), 0.0) for x in range(40))
    assert handles(Shape.FREEHAND, path) == ()
    assert handles(Shape.POLYGON, path) == border(Shape.POLYGON, path) == path


def test_a_smooth_line_goes_through_its_points_and_is_round():
    angle = np.arange(8) * np.pi / 4
    points = tuple(zip((10 * np.cos(angle)).tolist(), (10 * np.sin(angle)).tolist(), strict=True))
    line = smooth(points)
    assert len(line) == 8 * STEPS
    np.testing.assert_allclose(line[::STEPS], points, atol=1e-12)
    np.testing.assert_allclose(np.hypot(*np.array(line).T), 10, rtol=0.01)
