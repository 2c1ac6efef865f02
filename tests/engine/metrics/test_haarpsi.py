"""HaarPSI against the paper's formulas written with plain two-dimensional convolutions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d

from engine.core.errors import InputError
from engine.metrics.haarpsi import haarpsi


def matlab_same(image, kernel):
    """conv2(..., 'same') of MATLAB, whose centre lies one further for even kernels than SciPy's."""
    full = convolve2d(image, kernel)
    y, x = kernel.shape[0] // 2, kernel.shape[1] // 2
    return full[y : y + image.shape[0], x : x + image.shape[1]]


def wavelet(image, scale):
    size = 2**scale
    kernel = np.full((size, size), 2.0**-scale)
    kernel[: size // 2] *= -1
    return np.stack([matlab_same(image, kernel), matlab_same(image, kernel.T)])


def plain(estimate, reference, c=30.0, alpha=4.2):
    """Reisenhofer et al. 2018, eq. 8 to 12, for one pair of images of range 0 .. 255."""
    e, r = (matlab_same(image, np.full((2, 2), 0.25))[::2, ::2] for image in (estimate, reference))
    local = np.zeros((2, *r.shape))
    for scale in (1, 2):
        a, b = np.abs(wavelet(e, scale)), np.abs(wavelet(r, scale))
        local += 0.5 * (2 * a * b + c) / (a**2 + b**2 + c)
    weights = np.maximum(np.abs(wavelet(e, 3)), np.abs(wavelet(r, 3)))
    mean = (weights / (1 + np.exp(-alpha * local))).sum() / weights.sum()
    return (np.log(mean / (1 - mean)) / alpha) ** 2


@pytest.mark.parametrize("crop", [(37, 44), (36, 44), (37, 43), (9, 10)])
def test_value_is_that_of_the_formulas(pair, crop):
    estimate, reference = (np.ascontiguousarray(images[:, : crop[0], : crop[1]]) for images in pair)
    peak = float(reference.max())
    wanted = np.mean([plain(255.0 / peak * e, 255.0 / peak * r) for e, r in zip(estimate, reference, strict=True)])
    assert haarpsi(estimate, reference, None, peak) == pytest.approx(wanted, abs=2e-6)
    assert 0.1 < wanted < 0.95


def test_equal_images_give_one(pair):
    _, reference = pair
    assert haarpsi(reference, reference, None, float(reference.max())) == pytest.approx(1, abs=1e-5)


def test_region_is_refused(pair):
    with pytest.raises(InputError, match="HaarPSI is defined for whole images"):
        haarpsi(*pair, np.ones((37, 44), bool), 1.0)


def test_images_without_structure():
    black = np.zeros((1, 16, 16), np.float32)
    with pytest.raises(InputError, match="HaarPSI has no value for images without structure"):
        haarpsi(black, black, None, 1.0)
