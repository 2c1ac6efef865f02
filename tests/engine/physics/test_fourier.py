"""Centred transforms against the defining sum, at even and odd sizes."""

import numpy as np
import pytest
import torch

from engine.physics.fourier import centring_ramps, fft1c, fft2c, ifft1c, ifft2c

SIZES = [(8, 6), (7, 5), (9, 4), (1, 3)]


def dft_matrix(size):
    """Return the centred orthonormal transform as a matrix, straight from its definition."""
    index = np.arange(size) - size // 2
    return torch.from_numpy(np.exp(-2j * np.pi * np.outer(index, index) / size) / np.sqrt(size))


def field(rng, *shape):
    return torch.from_numpy(rng.normal(size=shape) + 1j * rng.normal(size=shape))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_fft2c_is_the_defining_sum(rng, height, width):
    x = field(rng, 2, height, width)
    expected = dft_matrix(height) @ x @ dft_matrix(width).T
    torch.testing.assert_close(fft2c(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_ifft2c_inverts_and_is_the_adjoint(rng, height, width):
    x, k = field(rng, height, width), field(rng, height, width)
    torch.testing.assert_close(ifft2c(fft2c(x)), x, rtol=0, atol=1e-12)
    left, right = torch.vdot(fft2c(x).flatten(), k.flatten()), torch.vdot(x.flatten(), ifft2c(k).flatten())
    assert abs(left - right) <= 1e-12 * abs(left)


@pytest.mark.parametrize("axis", [-3, -1])
def test_fft1c_transforms_one_axis(rng, axis):
    x = field(rng, 5, 4, 7)
    expected = torch.tensordot(dft_matrix(x.shape[axis]), x, dims=([1], [axis])).movedim(0, axis)
    torch.testing.assert_close(fft1c(x, axis), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(ifft1c(fft1c(x, axis), axis), x, rtol=0, atol=1e-12)


def test_a_centred_point_becomes_flat_and_a_constant_a_centred_point():
    point = torch.zeros(5, 8, dtype=torch.complex64)
    point[2, 4] = 1
    flat = torch.full((5, 8), 1 / np.sqrt(40), dtype=torch.complex64)
    torch.testing.assert_close(fft2c(point), flat)
    torch.testing.assert_close(ifft2c(flat), point, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 7, 8, 203, 204])
def test_ramps_do_what_the_shifts_do(rng, size):
    x = field(rng, size)
    before, after = centring_ramps(size, torch.complex128)
    torch.testing.assert_close(after * torch.fft.fft(before * x, norm="ortho"), fft1c(x, -1), rtol=0, atol=1e-11)
    torch.testing.assert_close(before.conj() * torch.fft.ifft(after.conj() * x, norm="ortho"), ifft1c(x, -1), rtol=0, atol=1e-11)
