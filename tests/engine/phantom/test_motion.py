"""The beat: sizes and times of a normal heart."""

from __future__ import annotations

import numpy as np
import pytest

from engine.phantom.motion import SYSTOLE, breathing, contraction, draw_heart, smooth_step

HEARTS = [draw_heart(np.random.default_rng(seed)) for seed in range(12)]


def test_contraction_begins_and_ends_relaxed():
    assert contraction(0.0) == 0.0
    assert contraction(1.0) == contraction(0.0)
    assert contraction(SYSTOLE) == pytest.approx(1.0)
    assert contraction(0.9999) == pytest.approx(0.0, abs=1e-6)


def test_contraction_is_smooth_with_one_peak():
    t = np.linspace(0.0, 1.0, 2001)
    c = np.array([contraction(float(v)) for v in t])
    assert c.min() >= 0.0
    assert c.max() <= 1.0
    rising = np.diff(c)
    assert np.all(rising[t[1:] <= SYSTOLE] >= 0)
    assert np.all(rising[t[1:] > SYSTOLE + 0.021] <= 1e-12)
    assert np.abs(np.diff(c, 2)).max() < 2e-4  # no kink: the derivative is continuous
    # diastasis: little filling between the early wave and the atrial kick
    assert c[(t > 0.66) & (t < 0.79)].std() < 0.01


def test_smooth_step():
    assert [smooth_step(t) for t in (-1.0, 0.0, 0.5, 1.0, 2.0)] == [0.0, 0.0, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("heart", HEARTS)
def test_radii_and_walls_are_those_of_an_adult(heart):
    relaxed, contracted = heart.at(0.0, 45.0), heart.at(SYSTOLE, 45.0)
    assert 21.0 < relaxed.endo_mm < 26.0
    assert 12.5 < contracted.endo_mm < 17.0
    wall_relaxed, wall_contracted = relaxed.epi_mm - relaxed.endo_mm, contracted.epi_mm - contracted.endo_mm
    assert 6.5 < wall_relaxed < 9.5
    assert 10.0 < wall_contracted < 14.5
    assert 1.40 < wall_contracted / wall_relaxed < 1.62


@pytest.mark.parametrize("heart", HEARTS)
def test_volumes_are_those_of_an_adult(heart):
    """The cavity from apex to valve, slice upon slice."""
    volumes = []
    for phase, length in ((0.0, heart.length_mm), (SYSTOLE, heart.length_mm - heart.shortening_mm)):
        z = (np.arange(200) + 0.5) * length / 200
        volumes.append(sum(np.pi * heart.at(phase, float(v)).endo_mm ** 2 for v in z) * length / 200 * 1e-3)
    assert 115 < volumes[0] < 155
    assert 0.64 < 1 - volumes[1] / volumes[0] < 0.70


@pytest.mark.parametrize("heart", HEARTS)
def test_apex_and_base_turn_against_each_other(heart):
    apex, base = heart.at(SYSTOLE, 4.0).twist, heart.at(SYSTOLE, 75.0).twist
    assert np.deg2rad(5) < apex < np.deg2rad(10)
    assert -np.deg2rad(6) < base < 0
    assert heart.at(0.0, 45.0).twist == 0.0


def test_the_ventricle_tapers_to_the_apex():
    z = np.linspace(-12.0, 60.0, 60)
    for phase in (0.0, SYSTOLE):
        states = [HEARTS[0].at(phase, float(v)) for v in z]
        endo, epi = np.array([s.endo_mm for s in states]), np.array([s.epi_mm for s in states])
        assert np.all(np.diff(endo) >= -1e-9)
        assert np.all(np.diff(epi) >= -1e-9)
        assert endo[0] == epi[0] == 0.0
        assert np.all(epi[epi > 0] > endo[epi > 0])
        assert np.abs(np.diff(epi)).max() < 9.0


def test_breathing_reaches_its_amplitude():
    for periodic in (True, False):
        drift = breathing(12, 2.5, np.random.default_rng(0), periodic)
        assert drift.shape == (12, 2)
        np.testing.assert_array_equal(drift[0], 0.0)
        assert np.hypot(*drift.T).max() == pytest.approx(2.5)
    assert not breathing(1, 2.5, np.random.default_rng(0), True).any()
    assert not breathing(9, 0.0, np.random.default_rng(0), False).any()


def test_periodic_breathing_closes_the_loop():
    drift = breathing(20, 2.0, np.random.default_rng(0), True)
    steps = np.hypot(*np.diff(drift, axis=0, append=drift[:1]).T)
    assert steps.max() < 0.4
