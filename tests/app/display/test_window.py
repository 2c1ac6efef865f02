from __future__ import annotations

import math

import numpy as np
import pytest

from app.display.window import auto_window, dragged, safe_levels


def test_percentile_of_tissue_only():
    series = np.full((1, 100, 100), 1e-5, np.float32)  # air
    tissue = np.linspace(1, 2, 1000, dtype=np.float32)
    series[0, :10] = tissue.reshape(10, 100)
    low, high = auto_window(series)
    assert low == 0
    assert high == pytest.approx(np.percentile(tissue, 99.7), rel=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1.0, 1e9, 1e30])
def test_window_scales_with_the_data(scale):
    base = np.random.default_rng(0).uniform(0, 1, (3, 20, 20)).astype(np.float32)
    assert auto_window(base * np.float32(scale))[1] == pytest.approx(auto_window(base)[1] * scale, rel=1e-4)


def test_not_a_number_does_not_count():
    base = np.random.default_rng(0).uniform(0.5, 1, (1, 20, 20)).astype(np.float32)
    spoilt = np.concatenate([base, np.full_like(base, np.nan), np.full_like(base, np.inf)])
    assert auto_window(spoilt) == auto_window(base)
    assert auto_window(np.full((1, 3, 3), np.nan, np.float32)) == (0.0, 1.0)


def test_large_series_are_sampled_evenly():
    series = np.random.default_rng(0).uniform(0, 1, (30, 200, 200)).astype(np.float32)
    exact = np.percentile(series[series > 0.02 * np.percentile(series, 99.9)], 99.7)
    assert auto_window(series)[1] == pytest.approx(exact, rel=2e-3)


@pytest.mark.parametrize("value", [0.0, 1e-40])
def test_empty_images_get_zero_to_one(value):
    assert auto_window(np.full((2, 4, 4), value, np.float32)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("low", "high"), [(3.0, 3.0), (-2.0, -2.0), (1e9, 1e9), (1e-9, 1e-9), (5.0, 2.0), (0.0, math.nan), (math.nan, 2)]
)
def test_levels_are_finite_and_apart(low, high):
    a, b = safe_levels(low, high)
    assert math.isfinite(a)
    assert math.isfinite(b)
    assert b > a
    assert math.isfinite(254.0 / (b - a))


def test_drag():
    assert dragged((0.0, 2.0), 2.0, 0.0) == (-1.0, 3.0)
    assert dragged((0.0, 2.0), 1.0, 0.5) == (1.0, 3.0)
