"""Slowly varying phase."""

from __future__ import annotations

import numpy as np
import pytest

from engine.phantom.phase import smooth_phase


@pytest.mark.parametrize("shape", [(128, 128), (97, 160)])
def test_phase_is_smooth_and_unimodular(shape):
    for seed in range(5):
        phase = smooth_phase(shape, np.random.default_rng(seed))
        assert phase.dtype == np.complex64
        np.testing.assert_allclose(np.abs(phase), 1.0, atol=1e-6)
        for axis in (0, 1):
            step = np.angle(np.delete(phase, 0, axis) * np.conj(np.delete(phase, -1, axis)))
            assert np.abs(step).max() < 0.2
            assert np.ptp(step) > 0.01  # bent, not a plane
        assert 1.0 < np.ptp(np.unwrap(np.unwrap(np.angle(phase), axis=0), axis=1)) < 11.0
