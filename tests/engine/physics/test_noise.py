"""The noise level is found under a signal, whatever was measured."""

import math

import pytest
import torch

from engine.physics.fourier import fft2c
from engine.physics.noise import noise_level


@pytest.fixture
def kspace():
    g = torch.Generator().manual_seed(3)
    image = torch.zeros(4, 3, 96, 80, dtype=torch.complex64)
    image[..., 30:60, 20:50] = 5.0
    noise = 0.2 * torch.randn(image.shape, dtype=torch.complex64, generator=g)
    return fft2c(image) + noise


@pytest.mark.parametrize("step", [1, 4])
def test_level_is_that_of_the_noise(kspace, step):
    mask = torch.zeros(1, 1, 96, 1, dtype=torch.bool)
    mask[..., ::step, :] = True
    assert noise_level(kspace * mask, mask) == pytest.approx(0.2, rel=0.1)


def test_samples_that_were_not_measured_do_not_count(kspace):
    mask = torch.rand(4, 1, 96, 80, generator=torch.Generator().manual_seed(0)) < 0.2
    assert noise_level(kspace * mask, mask) == pytest.approx(0.2, rel=0.15)


def test_level_follows_the_scale(kspace):
    mask = torch.ones(1, 1, 96, 1, dtype=torch.bool)
    assert noise_level(1e-6 * kspace, mask) == pytest.approx(1e-6 * noise_level(kspace, mask), rel=1e-4)


def test_the_ends_of_the_readout_serve_when_the_rim_was_not_measured(kspace):
    mask = torch.zeros(1, 1, 96, 1, dtype=torch.bool)
    mask[..., 20:76, :] = True
    assert noise_level(kspace * mask, mask) == pytest.approx(0.2, rel=0.3)


def test_nothing_at_the_ends_of_k_space_is_no_noise(kspace):
    mask = torch.zeros(1, 1, 96, 80, dtype=torch.bool)
    mask[..., 40:56, 30:50] = True
    level = noise_level(kspace * mask, mask)
    assert level == 0.0
    assert math.isfinite(level)
