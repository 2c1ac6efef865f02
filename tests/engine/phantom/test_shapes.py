"""Areas, distances and partial volume of shapes on a canvas."""

from __future__ import annotations

import numpy as np
import pytest

from engine.phantom.shapes import Canvas, Contour, Ellipse

CONTOUR = Contour(3.0, -5.0, 30.0, (0.0, -0.15, 0.05), (0.02, 0.04), 0.7)


def contour_area(contour):
    """Area of a star-shaped curve: half the integral of r squared, by Parseval's theorem."""
    return np.pi * contour.radius**2 * (1 + 0.5 * sum(c * c for c in (*contour.cosine, *contour.sine)))


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (Ellipse(2.3, -1.7, 20.0, 35.0, 0.4), np.pi * 20 * 35),
        (Ellipse(0.0, 0.0, 25.0, 25.0), np.pi * 25**2),
        (CONTOUR, contour_area(CONTOUR)),
    ],
)
def test_area_is_right_and_converges(shape, area):
    errors = []
    for n in (32, 64, 128, 256):
        canvas = Canvas(2, (n, n), (128.0 / n, 128.0 / n))
        canvas.paint(1, shape)
        errors.append(abs(canvas.shares[1].sum() * (128.0 / n) ** 2 / area - 1.0))
    assert errors[0] < 0.01
    assert errors[-1] < 5e-4


def test_edges_are_partial_not_hard():
    """A disc that moves by a fraction of a pixel changes its area not at all and its edge pixels smoothly."""
    shares = []
    for offset in np.linspace(0.0, 1.0, 11):
        canvas = Canvas(2, (40, 40), (1.0, 1.0))
        canvas.paint(1, Ellipse(0.0, float(offset), 10.0, 10.0))
        shares.append(canvas.shares[1])
    assert np.ptp([s.sum() for s in shares]) < 0.003 * np.pi * 100
    assert np.abs(np.diff(shares, axis=0)).max() < 0.12
    partial = (shares[3] > 0.01) & (shares[3] < 0.99)
    assert 2 * np.pi * 10 * 0.8 < partial.sum() < 2 * np.pi * 10 * 1.8


@pytest.mark.parametrize("shape", [Ellipse(4.0, -3.0, 18.0, 30.0, 0.5), CONTOUR])
def test_distance_is_right_near_the_curve(shape):
    """Against the distance to a hundreds of points of the zero level found on rays."""
    angles = np.linspace(0.0, 2.0 * np.pi, 800, endpoint=False)
    radii = np.linspace(5.0, 60.0, 1500)
    y, x = shape.y + radii[:, None] * np.sin(angles), shape.x + radii[:, None] * np.cos(angles)
    d = shape.distance(y.astype(np.float32), x.astype(np.float32))
    first = np.argmax(d > 0, axis=0)
    edge = np.stack([shape.y + radii[first] * np.sin(angles), shape.x + radii[first] * np.cos(angles)], axis=-1)
    probe = edge[::80] + np.random.default_rng(1).uniform(-1.0, 1.0, size=(10, 2))
    true = np.array([np.hypot(*(edge - p).T).min() for p in probe])
    got = shape.distance(probe[:, :1].astype(np.float32), probe[:, 1:].astype(np.float32)).ravel()
    np.testing.assert_allclose(np.abs(got), true, atol=0.06)


def test_the_middle_is_inside():
    assert Ellipse(0.0, 0.0, 10.0, 20.0).distance(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32)) <= -9.9
    assert CONTOUR.distance(np.full((1, 1), 3.0, np.float32), np.full((1, 1), -5.0, np.float32)) < -15.0


def test_a_point_of_a_contour_is_on_it():
    for direction in np.linspace(-3.0, 3.0, 7):
        y, x = CONTOUR.point(direction)
        assert abs(CONTOUR.distance(np.full((1, 1), y, np.float32), np.full((1, 1), x, np.float32))[0, 0]) < 1e-3


def test_bounds_hold_the_curve():
    for shape in (Ellipse(4.0, -3.0, 18.0, 30.0, 0.5), CONTOUR):
        y_low, y_high, x_low, x_high = shape.bounds()
        y, x = np.mgrid[-60:60:0.5, -60:60:0.5].astype(np.float32)
        inside = shape.distance(y, x) < 0
        assert y[inside].min() >= y_low
        assert y[inside].max() <= y_high
        assert x[inside].min() >= x_low
        assert x[inside].max() <= x_high


def test_shares_sum_to_one_and_later_shapes_cover_earlier_ones():
    canvas = Canvas(4, (31, 30), (2.0, 2.5))
    canvas.paint(1, Ellipse(0, 0, 25, 30))
    canvas.paint(2, Ellipse(0, 0, 12, 12))
    canvas.paint(3, Ellipse(10, 0, 15, 15), within=Ellipse(0, 0, 12, 12))
    np.testing.assert_allclose(canvas.shares.sum(axis=0), 1.0, atol=1e-5)
    assert canvas.shares[3, 15, 15] == 1.0
    assert canvas.shares[3, 25, 15] == 0.0
    assert canvas.shares.min() >= 0.0


def test_a_shape_outside_paints_nothing_and_a_copy_is_separate():
    canvas = Canvas(2, (16, 16), (1.0, 1.0))
    canvas.paint(1, Ellipse(100.0, 0.0, 5.0, 5.0))
    assert canvas.shares[1].max() == 0.0
    other = canvas.copy()
    other.paint(1, Ellipse(0.0, 0.0, 5.0, 5.0))
    assert canvas.shares[1].max() == 0.0
    assert other.shares[1].max() == 1.0
