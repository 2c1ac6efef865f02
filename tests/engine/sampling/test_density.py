"""Lines drawn from a density really follow it."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.requests import MaskRequest
from engine.sampling import draw, make_mask


def frequency(pattern, ky=60, acceleration=6.0, acs=0, frames=4000, **options):
    return make_mask(MaskRequest(pattern, acceleration, acs, 3, True, options), frames, ky, 1).lines[..., 0].mean(axis=0)


def test_random_is_uniform():
    found = frequency("random")
    # 4000 frames at 1 / 6: standard deviation 0.0059.
    assert np.abs(found - 1 / 6).max() < 4.5 * 0.0059


def test_gaussian_follows_its_density():
    found = frequency("gaussian", sigma=0.2, floor=0.05)
    z = (np.arange(60) - 30) / 12
    density = np.exp(-0.5 * z**2) + 0.05
    assert np.abs(found - 10 * density / density.sum()).max() < 0.035
    assert found[30] > 6 * found[0] > 0


def test_variable_density_follows_its_density():
    found = frequency("variable_density", acceleration=10.0, power=2.0, floor=0.1)
    density = (1 - np.abs(np.arange(60) - 30) / 30) ** 2 + 0.1
    assert np.abs(found - 6 * density / density.sum()).max() < 0.03


def test_kt_gaussian_has_its_count_and_its_peak():
    lines = make_mask(MaskRequest("kt_gaussian", 4.0, 0, 3), 500, 61, 1).lines[..., 0]
    assert (lines.sum(axis=1) == 15).all()
    share = lines.mean(axis=0)
    centre, border = share[25:36].mean(), np.r_[share[:5], share[-5:]].mean()
    # The wanted ratio is 3.5 (0.1 + 0.25 against 0.1); displaced repetitions flatten it.
    assert 2.0 < centre / border < 3.5


@pytest.mark.parametrize("count", [1, 7, 19, 20])
def test_weighted_draws_the_wanted_number_of_distinct_positions(count):
    rng = np.random.Generator(np.random.PCG64(1))
    weights = draw.quantised(np.linspace(0, 1, 21))
    chosen = draw.weighted(rng, weights, count)
    assert chosen.size == count == np.unique(chosen).size
    assert 0 not in chosen


def test_weighted_takes_what_must_be_taken():
    weights = draw.quantised(np.array([1.0, 1e-4, 1e-4, 1e-4, 1e-4]))
    rng = np.random.Generator(np.random.PCG64(1))
    assert all(0 in draw.weighted(rng, weights, 2) for _ in range(100))


def test_weighted_shares_what_certain_positions_leave():
    # Four of six: 20, 20 and then 4 are certain (4 x 2 of 8 is all of one); 2, 1, 1 share the last place.
    weights = np.array([20, 20, 4, 2, 1, 1])
    rng = np.random.Generator(np.random.PCG64(4))
    share = np.bincount(np.concatenate([draw.weighted(rng, weights, 4) for _ in range(4000)]), minlength=6) / 4000
    assert share[:3].tolist() == [1, 1, 1]
    # Pareto sampling of one place departs from the wanted shares by a few percent.
    assert share[3:] == pytest.approx([0.5, 0.25, 0.25], abs=0.06)


def test_raw_words_are_those_of_pcg64():
    # The first words of PCG64 seeded with 0 by NumPy's SeedSequence.
    rng = np.random.Generator(np.random.PCG64(0))
    assert draw.raw(rng, 2).tolist() == [11749869230777074271, 4976686463289251617]


def test_units_lie_in_the_half_open_interval():
    u = draw.units(np.random.Generator(np.random.PCG64(2)), 10000)
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < 0.02


def test_below_reaches_every_integer():
    rng = np.random.Generator(np.random.PCG64(2))
    assert {draw.below(rng, 5) for _ in range(200)} == {0, 1, 2, 3, 4}
