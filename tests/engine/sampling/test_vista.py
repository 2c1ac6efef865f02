"""VISTA: budget, density, distance."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.requests import MaskRequest
from engine.sampling import make_mask


def lines(frames=12, ky=204, acceleration=8.0, seed=0, **options):
    return make_mask(MaskRequest("vista", acceleration, 0, seed, None, options), frames, ky, 1).lines[..., 0]


@pytest.mark.parametrize(("frames", "ky", "acceleration"), [(18, 192, 8), (12, 204, 8), (25, 204, 12), (7, 51, 4.5), (1, 64, 4)])
def test_budget_is_exact_over_the_series_and_even_over_frames(frames, ky, acceleration):
    count = lines(frames, ky, acceleration).sum(axis=1)
    assert count.sum() == int(frames * ky / acceleration + 0.5)
    assert np.ptp(count) <= 1


def test_no_line_is_measured_in_every_frame_nor_twice_in_a_row():
    found = lines()
    assert found.sum(axis=0).max() < 12
    assert not (found & np.roll(found, 1, axis=0)).any()


def test_centre_is_covered_over_time_and_denser():
    found = lines().sum(axis=0)
    assert found[90:114].min() >= 1
    assert found[92:112].mean() > 2.5 * np.r_[found[:30], found[-30:]].mean()


def test_uniform_density_covers_every_line_equally():
    found = lines(frames=16, ky=64, acceleration=8, alpha=0.0).sum(axis=0)
    assert found.min() >= 1
    assert found.max() <= 3


def energy(found, power=1.4):
    """Riesz energy on the plain grid, cyclic, in double precision: written out independently."""
    frames, ky = found.shape
    t, y = np.nonzero(found)
    dt = np.abs(t[:, None] - t)
    dy = np.abs(y[:, None] - y)
    squared = np.minimum(dt, frames - dt) ** 2 + np.minimum(dy, ky - dy) ** 2
    return (squared[~np.eye(t.size, dtype=bool)] ** (-power / 2.0)).sum()


def test_samples_repel_each_other():
    relaxed = lines(10, 60, 6, alpha=0.0)
    start = lines(10, 60, 6, alpha=0.0, sweeps=0)
    random = make_mask(MaskRequest("random", 6, 0, 1, True), 10, 60, 1).lines[..., 0]
    assert relaxed.sum() == random.sum()
    assert energy(relaxed) < energy(start)
    assert energy(relaxed) < 0.97 * energy(random)


def test_relaxed_samples_have_no_better_place():
    found = lines(10, 60, 6, alpha=0.0)
    best = energy(found)
    for frame in range(10):
        line = int(np.flatnonzero(found[frame])[3])
        for other in np.flatnonzero(~found[frame]):
            moved = found.copy()
            moved[frame, [line, other]] = False, True
            assert energy(moved) >= best * (1 - 1e-7)


def test_noise_next_to_the_image_is_lower_than_at_random():
    # What VISTA is for: little aliasing at low temporal frequencies.
    def low_frequency_aliasing(found):
        spread = np.abs(np.fft.fft2(found)) / found.sum()
        spread[:, :4] = spread[:, -3:] = 0
        return np.sqrt((spread[[0, 1, 2, -1, -2]] ** 2).sum())

    ours = np.mean([low_frequency_aliasing(lines(seed=s)) for s in range(3)])
    random = np.mean(
        [
            low_frequency_aliasing(make_mask(MaskRequest("kt_gaussian", 8, 0, s, None, {"alpha": 0.28}), 12, 204, 1).lines[..., 0])
            for s in range(3)
        ]
    )
    assert ours < 0.85 * random
