"""A pair of series that are alike but not equal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter


@pytest.fixture
def pair(rng):
    """Return estimate and reference, float32 (frame 3, y 37, x 44), with structure at several scales, on an odd scale."""
    reference = gaussian_filter(rng.standard_normal((3, 37, 44)), (0.5, 2, 2)) + 0.2 * gaussian_filter(
        rng.standard_normal((3, 37, 44)), (0, 0.7, 0.7)
    )
    reference = (2.7e-3 * np.abs(reference) / np.abs(reference).max()).astype(np.float32)
    estimate = np.abs(reference + 1e-4 * rng.standard_normal(reference.shape)).astype(np.float32)
    return estimate, reference
