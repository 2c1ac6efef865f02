from __future__ import annotations

import numpy as np
import pytest

from app.review.mask_view import MaskView, reduced, side_lobe, to_decibels
from engine.core.types import SamplingMask


@pytest.fixture
def view(qtbot, themed):
    made = MaskView()
    qtbot.addWidget(made)
    made.resize(260, 140)
    made.show()
    return made


def test_lines_are_shown_by_frame(view):
    lines = np.zeros((3, 8, 1), bool)
    lines[0, 1] = lines[1, 2] = lines[2, 3] = True
    view.set_mask(SamplingMask(lines, "kt_uniform", 8.0), None)
    np.testing.assert_array_equal(view.mask_picture(), lines[:, :, 0].T)
    before = view.grab().toImage()
    view.set_frame(2)
    assert view.grab().toImage() != before


def test_two_dimensional_masks_are_shown_for_the_frame(view):
    lines = np.random.default_rng(0).random((2, 8, 9)) > 0.5
    view.set_mask(SamplingMask(lines, "random2d", 2.0), np.ones((8, 9), np.float32))
    view.set_frame(1)
    np.testing.assert_array_equal(view.mask_picture(), lines[1])
    view.set_frame(7)  # a mask for fewer frames than the series
    np.testing.assert_array_equal(view.mask_picture(), lines[1])
    assert not view.grab().isNull()


def test_words_tell_share_and_side_lobe(view):
    psf = np.array([[0.1], [0.3], [1.0], [0.2]], np.float32)
    lines = np.zeros((1, 4, 1), bool)
    lines[0, :2] = True
    view.set_mask(SamplingMask(lines, "equispaced", 2.0), psf)
    assert view.accessibleName() == (
        "Mask: 50.0 % of the samples are measured. Point-spread function: highest side lobe 30 % of the peak"
    )
    view.set_mask(None, None)
    assert view.accessibleName() == "No mask"
    assert view.mask_picture() is None
    assert not view.grab().isNull()


def test_decibels_are_clipped():
    np.testing.assert_allclose(to_decibels(np.array([1, 0.1, 0], np.float32)), [0, -20, -60], atol=1e-5)
    assert side_lobe(np.array([[0.5], [1.0]], np.float32)) == 0.5


def test_more_lines_than_rows_keep_their_share():
    picture = np.zeros((100, 2), np.float32)
    picture[::4, 0] = 1
    small = reduced(picture, 30, 2)
    assert small.shape == (30, 2)
    assert small.dtype == np.float32
    weights = np.diff(np.append(np.arange(30) * 100 // 30, 100))
    assert (small[:, 0] * weights).sum() == pytest.approx(25)
    assert reduced(picture, 200, 5) is picture


def test_no_column_of_a_wide_mask_vanishes():
    picture = np.zeros((2, 100), np.float32)
    picture[0, ::4] = 1
    small = reduced(picture, 2, 30)
    weights = np.diff(np.append(np.arange(30) * 100 // 30, 100))
    assert (small[0] * weights).sum() == pytest.approx(25)
    assert (small[1] == 0).all()


def test_the_peak_of_a_large_point_spread_is_on_screen(view):
    psf = np.full((512, 512), 1e-3, np.float32)
    psf[256, 256], psf[100, 301] = 1.0, 0.5
    small = reduced(psf, 90, 90, largest=True)
    assert sorted(small.ravel())[-2:] == [0.5, 1.0]
    lines = np.random.default_rng(0).random((1, 512, 512)) > 0.5
    view.set_mask(SamplingMask(lines, "random2d", 2.0), psf)
    picture = view.grab().toImage()
    right = [picture.pixelColor(x, y).red() for x in range(136, picture.width()) for y in range(20, picture.height())]
    assert 255 in right
