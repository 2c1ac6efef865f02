from __future__ import annotations

import numpy as np
import pytest

from app.display.profile import clipped, default_line, positions, sample
from app.display.state import Component


def ramp(frames=3, height=9, width=12):
    t, y, x = np.mgrid[:frames, :height, :width]
    return (100 * t + 10 * y + x).astype(np.complex64)


def test_whole_row():
    series = ramp()
    shown = sample(series, (0, 4, 11, 4), Component.MAGNITUDE)
    np.testing.assert_array_equal(shown, np.abs(series[:, 4, :]))


def test_column_backwards():
    shown = sample(ramp(), (5, 8, 5, 0), Component.MAGNITUDE)
    np.testing.assert_array_equal(shown, np.abs(ramp()[:, ::-1, 5]))


def test_oblique_line_is_exact_on_a_plane():
    line = (1.25, 0.5, 10.5, 7.75)
    x, y = positions(line)
    shown = sample(ramp(), line, Component.REAL)
    np.testing.assert_allclose(shown, 100 * np.arange(3)[:, None] + 10 * y + x, rtol=1e-6)
    assert x.size == round(np.hypot(9.25, 7.25)) + 1


def test_phase_is_that_of_the_nearest_pixel():
    series = np.array([[[np.exp(3.1j), np.exp(-3.1j)]]], np.complex64)
    shown = sample(series, (0, 0, 1, 0), Component.PHASE)
    np.testing.assert_allclose(shown, [[3.1, -3.1]], rtol=1e-6)
    between = sample(series, (0.3, 0, 0.4, 0), Component.PHASE)
    np.testing.assert_allclose(between, [[3.1, 3.1]], rtol=1e-6)


def test_not_a_number_stays_where_it_is():
    series = ramp()
    series[1, 4, 6] = np.nan
    bad = ~np.isfinite(sample(series, (0, 4, 11, 4), Component.MAGNITUDE))
    assert np.argwhere(bad).tolist() == [[1, 6]]


def test_kspace_shows_the_magnitude_profile():
    np.testing.assert_array_equal(
        sample(ramp(), (0, 4, 11, 4), Component.KSPACE), sample(ramp(), (0, 4, 11, 4), Component.MAGNITUDE)
    )


def test_lines_are_moved_into_the_image():
    assert clipped((-3, 2, 40, 90), 9, 12) == (0, 2, 11, 8)
    assert default_line(9, 12) == (0, 4, 11, 4)
    point = sample(ramp(), (3, 3, 3, 3), Component.MAGNITUDE)
    assert point.shape == (3, 2)
    assert point[0, 0] == pytest.approx(33)
