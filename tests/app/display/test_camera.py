from __future__ import annotations

import pytest

from app.display.camera import Camera


def test_fits_the_image_centred_with_square_pixels():
    target = Camera().target(300, 200, (100, 100))
    assert (target.x, target.y, target.pixel_width, target.pixel_height) == (50, 0, 2, 2)
    assert target.to_image(51, 1) == (0, 0)
    assert target.to_view(99, 99) == (249, 199)


def test_aspect_of_the_voxel():
    target = Camera().target(200, 200, (50, 100), aspect=2.0)
    assert (target.pixel_width, target.pixel_height) == (2, 4)


@pytest.mark.parametrize("factor", [1.25, 3.0, 0.5])
def test_zoom_keeps_the_point_under_the_cursor(factor):
    camera = Camera(4.0, 0.4, 0.55)
    before = camera.target(300, 200, (64, 80))
    column, row = before.to_image(120, 70)
    after = camera.zoomed(factor, (column + 0.5) / 80, (row + 0.5) / 64).target(300, 200, (64, 80))
    assert after.to_view(column, row) == pytest.approx((120, 70))


def test_limits():
    assert Camera(2.0, 0.1, 0.9).zoomed(0.1, 0.5, 0.5) == Camera()
    assert Camera().zoomed(1e6, 0.5, 0.5).zoom == 64
    assert Camera().panned(0.3, 0.3) == Camera()
    assert Camera(2.0).panned(3, -3) == Camera(2.0, 1.0, 0.0)
