"""Registration of one image: known displacements, ITK's own field, missing libraries."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from engine.core.errors import DependencyError, ShapeError
from engine.relaxometry.motion import warped
from engine.relaxometry.registration import _field, _grown, _shrunk, deformable, rigid


def scene(rng, shape=(72, 80)):
    return gaussian_filter(rng.standard_normal(shape), 3).astype(np.float32) * 20


def test_the_field_is_that_of_itk():
    import SimpleITK as sitk  # noqa: N813

    turn = sitk.Euler2DTransform()
    turn.SetCenter((13.0, 7.5))
    turn.SetParameters((0.2, 1.5, -2.5))
    found = _field(turn.GetParameters(), turn.GetCenter(), (12, 15))
    for y, x in ((0, 0), (11, 3), (5, 14)):
        there = turn.TransformPoint((float(x), float(y)))
        assert found[:, y, x] == pytest.approx((there[1] - y, there[0] - x), abs=1e-5)


def test_rigid_finds_shift_and_rotation(rng):
    moving = scene(rng)
    truth = _field((0.06, 2.3, -1.4), (40.0, 36.0), moving.shape)
    inside = np.zeros(moving.shape, bool)
    inside[12:-12, 12:-12] = True
    found = rigid(inside)(0, warped(moving, truth), moving)
    assert np.abs(found - truth)[:, inside].max() < 0.08


def test_rigid_follows_the_region_only(rng):
    left, right = scene(rng), scene(rng)
    region = np.zeros(left.shape, bool)
    region[15:-15, 8:32] = True
    fixed = np.concatenate([left[:, :40], right[:, 40:]], 1)
    moving = np.concatenate([np.roll(left, 2, axis=0)[:, :40], right[:, 40:]], 1)  # only the left half moved
    found = rigid(region)(0, fixed, moving)
    assert found[0][region].mean() == pytest.approx(2.0, abs=0.2)
    assert abs(found[1][region].mean()) < 0.2


def test_deformable_finds_a_local_displacement(rng):
    moving = scene(rng)
    y, x = np.indices(moving.shape)
    bump = 2.0 * np.exp(-((y - 36) ** 2 + (x - 40) ** 2) / (2 * 14.0**2))
    truth = np.stack([bump, -0.5 * bump]).astype(np.float32)
    found = deformable(np.ones(moving.shape, bool))(0, warped(moving, truth), moving)
    inside = (slice(None), slice(10, -10), slice(10, -10))
    assert np.sqrt(np.mean((found - truth)[inside] ** 2)) < 0.25 * np.sqrt(np.mean(truth[inside] ** 2))


def test_large_images_are_registered_on_a_coarser_grid(rng):
    moving = gaussian_filter(rng.standard_normal((301, 270)), 6).astype(np.float32) * 40
    truth = _field((0.0, 2.0, -3.0), (0.0, 0.0), moving.shape)
    found = deformable(np.ones(moving.shape, bool))(0, warped(moving, truth), moving)
    assert found.shape == (2, 301, 270)
    assert np.abs(found - truth)[:, 20:-20, 20:-20].mean() < 0.1
    line = np.arange(301, dtype=np.float32)[:, None] * np.ones((1, 270), np.float32)
    grown = _grown(np.stack([_shrunk(line, 2), _shrunk(line, 2)]), 2, line.shape)
    assert grown[0, 1:-2] == pytest.approx(2 * line[1:-2], abs=1e-3)  # blocks lie where their pixels do


def test_images_without_anything_in_them_stay():
    flat = np.zeros((24, 24), np.float32)
    for register in (rigid(flat == 0), deformable(flat == 0)):
        found = register(0, flat, flat)
        assert found.shape == (2, 24, 24)
        assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("library", "make", "words"), [("SimpleITK", rigid, "SimpleITK"), ("skimage.registration", deformable, "scikit")]
)
def test_a_missing_library_says_what_to_install(monkeypatch, library, make, words):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(DependencyError, match=words) as caught:
        make(np.ones((20, 20), bool))
    assert "pip install" in caught.value.hint


def test_an_image_of_one_line_cannot_be_deformed():
    with pytest.raises(ShapeError, match=r"too small for deformable registration .*2 x 2 or more .*\(1, 9\)") as caught:
        deformable(np.ones((1, 9), bool))
    assert caught.value.hint
