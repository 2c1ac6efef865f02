"""Spokes on the grid, and the patterns made of them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.requests import MaskRequest
from engine.sampling import make_mask
from engine.sampling.spokes import direction, draw_spoke


def spoke(degrees, ky=41, kx=61, half=None, scale=(1.0, 1.0)):
    grid = np.zeros((ky, kx), bool)
    draw_spoke(grid, degrees, *(half or (200.0, 200.0)), *scale)
    return grid


def test_direction_is_rounded_to_integers():
    assert direction(0) == (0, 1 << 40)
    assert direction(90) == (1 << 40, 0)
    assert direction(30)[0] == 1 << 39
    assert direction(390) == direction(30)


def test_straight_spokes_are_a_row_a_column_and_a_diagonal():
    row = spoke(0)
    assert row[20].all()
    assert row.sum() == 61
    column = spoke(90)
    assert column[:, 30].all()
    assert column.sum() == 41
    y, x = np.nonzero(spoke(45))
    assert np.array_equal(y - 20, x - 30)


@pytest.mark.parametrize("degrees", [0, 11.25, 30, 45, 60, 77.7, 90, 137.5, 171])
def test_spoke_has_no_gap_and_stays_within_half_an_index_of_its_line(degrees):
    y, x = np.nonzero(spoke(degrees))
    angle = np.radians(degrees)
    away = np.abs((y - 20) * np.cos(angle) - (x - 30) * np.sin(angle))
    assert away.max() <= 0.5 + 1e-9
    longer = x if np.ptp(x) >= np.ptp(y) else y
    assert np.array_equal(np.unique(longer), np.arange(longer.min(), longer.max() + 1))


def test_spoke_is_symmetric_about_the_zero_frequency():
    # (-a + 1/2) rounds up where (a + 1/2) does: exact halves are the only exception.
    grid = spoke(33.3)
    assert np.array_equal(grid, grid[::-1, ::-1])


def test_spokes_end_on_the_ellipse():
    for degrees in range(0, 180, 7):
        y, x = np.nonzero(spoke(degrees, half=(20.0, 30.0), scale=(41.0, 61.0)))
        assert (((y - 20) / 20.75) ** 2 + ((x - 30) / 30.75) ** 2).max() <= 1
        assert (((y - 20) / 20) ** 2 + ((x - 30) / 30) ** 2).max() > 0.85


def test_pseudo_radial_counts_its_lines():
    # Far out, every line is on its own: 16 lines meet a circle 32 times.
    mask = make_mask(MaskRequest("pseudo_radial"), 3, 256, 256).lines
    y, x = np.meshgrid(np.arange(256) - 128, np.arange(256) - 128, indexing="ij")
    angle = np.arctan2(y, x)[None]
    ring = (np.hypot(y, x) > 100) & (np.hypot(y, x) < 110)
    for frame in mask:
        hit = np.unique(np.floor((angle[0][ring & frame] % np.pi) / np.pi * 256).astype(int))
        groups = np.count_nonzero(np.diff(np.append(hit, hit[0] + 256)) > 1)
        assert groups == 16


@pytest.mark.shared
def test_pseudo_radial_is_as_dense_as_the_papers(shared):
    # Radial-16 masks drawn with the authors' sampler, 8 frames of 64 x 56, and the zero-filled image they give.
    golden = np.load(shared / "golden/released/jotlasnet-radial-16/io.npz")
    reference = golden["reference_image"].astype(float)
    ours = make_mask(MaskRequest("pseudo_radial"), 8, 64, 56).lines

    def zero_filled_psnr(mask):
        kspace = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(reference, axes=(1, 2))), axes=(1, 2))
        image = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace * mask, axes=(1, 2))), axes=(1, 2))
        return 10 * np.log10(reference.max() ** 2 / np.mean(np.abs(image - reference) ** 2))

    assert ours.mean() == pytest.approx(golden["mask"].mean(), rel=0.1)
    assert zero_filled_psnr(ours) == pytest.approx(zero_filled_psnr(golden["mask"]), abs=0.5)


def test_kt_radial_follows_the_challenge():
    for nominal, effective in ((4.0, 4.5), (8.0, 8.9), (16.0, 17.3), (24.0, 25.0)):
        mask = make_mask(MaskRequest("kt_radial", nominal, 20), 12, 204, 448)
        assert mask.effective_acceleration == pytest.approx(effective, rel=0.03)
        assert not mask.is_cartesian_1d
    # Frame 0: floor(180 / 4.8) = 37 spokes from 0 degrees on, so the whole readout of the central line.
    assert mask.lines[0, 102].all()


def test_kt_radial_turns_by_the_golden_angle():
    turned = make_mask(MaskRequest("kt_radial", 8, 0, options={"spokes": 1}), 2, 101, 101).lines
    y, x = np.nonzero(turned[1])
    slope = np.polyfit(y - 50, x - 50, 1)[0]
    assert np.degrees(np.arctan2(1, slope)) % 180 == pytest.approx(137.5, abs=0.5)


@pytest.mark.parametrize("acceleration", [4, 8, 16])
def test_radial2d_reaches_its_acceleration(acceleration):
    mask = make_mask(MaskRequest("radial2d", acceleration, 0), 1, 256, 256)
    assert mask.effective_acceleration == pytest.approx(acceleration, rel=0.02)
