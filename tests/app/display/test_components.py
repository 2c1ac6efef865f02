from __future__ import annotations

import numpy as np
import pytest

from app.display.components import component_of, decibels, kspace_magnitude, kspace_peak
from app.display.state import Component

IMAGE = np.array([[3 + 4j, -2j, -1.0]], np.complex64)


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (Component.MAGNITUDE, [5, 2, 1]),
        (Component.PHASE, [np.arctan2(4, 3), -np.pi / 2, np.pi]),
        (Component.REAL, [3, 0, -1]),
        (Component.IMAGINARY, [4, -2, 0]),
    ],
)
def test_parts(component, expected):
    part = component_of(IMAGE, component)
    assert part.dtype == np.float32
    np.testing.assert_allclose(part[0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 10), (7, 9), (5, 8)])
def test_kspace_is_centred_and_orthonormal(shape, rng):
    image = (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
    ky, kx = (np.arange(n) - n // 2 for n in shape)
    phase_y = np.exp(-2j * np.pi * np.outer(ky, ky) / shape[0])
    phase_x = np.exp(-2j * np.pi * np.outer(kx, kx) / shape[1])
    expected = np.abs(phase_y @ image @ phase_x.T) / np.sqrt(image.size)
    np.testing.assert_allclose(kspace_magnitude(image), expected, rtol=2e-5, atol=2e-6)


def test_kspace_in_decibels_of_the_peak():
    flat = np.ones((1, 6, 8), np.complex64)
    peak = kspace_peak(flat)
    assert peak == pytest.approx(np.sqrt(48))
    shown = component_of(flat[0] / 10, Component.KSPACE, peak)
    assert shown[3, 4] == pytest.approx(-20, abs=1e-4)
    assert np.delete(shown.ravel(), 3 * 8 + 4).max() == -120


def test_decibels_of_nothing_and_of_not_a_number():
    np.testing.assert_array_equal(decibels(np.array([0, np.nan], np.float32), 1.0), [-120, np.nan])
    assert kspace_peak(np.zeros((1, 4, 4), np.complex64)) == 1.0
