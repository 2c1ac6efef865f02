"""The trigonometric polynomial against kernels transformed to full size; eigenvectors; the phase of parallel transport."""

import pytest
import torch

from engine.physics.espirit import calibration_matrix, dominant, evaluate, polynomial, signal_projector, smooth_phase, unit
from engine.physics.fourier import ifft2c
from tests.engine.tensors import random

COILS, KERNEL = 3, (4, 3)


@pytest.fixture
def projector():
    return signal_projector(calibration_matrix(random(1, COILS, 9, 8), KERNEL), 0.3)


def test_columns_of_the_calibration_matrix_are_windows():
    block = random(2, COILS, 9, 8)
    windows = calibration_matrix(block, KERNEL)
    assert windows.shape == (COILS * 12, 2 * 6 * 6)
    torch.testing.assert_close(windows[:, 36 + 2 * 6 + 5], block[1, :, 2:6, 5:8].flatten())


@pytest.mark.parametrize("positions", [(9, 8), (6, 5)])
def test_projector_is_one_on_strong_windows_and_zero_on_the_rest(positions):
    # The second case has fewer windows than elements: the smaller eigenproblem must give the same projector.
    windows = calibration_matrix(random(1, COILS, *positions), KERNEL)
    left, values, right = torch.linalg.svd(windows, full_matrices=False)
    values[:4] *= 10
    windows = (left * values) @ right
    projector = signal_projector(windows, float(2 * values[4] / values[0]))
    torch.testing.assert_close(projector, left[:, :4] @ left[:, :4].mH, rtol=0, atol=1e-10)
    # Around the threshold it goes from one to zero with the logarithm of the energy, from twice the threshold's to half of it.
    share = (values[5:7].mean() / values[0]).item()
    weights = (0.5 + torch.log2(values / (share * values[0]))).clamp(0, 1)
    assert ((weights > 0) & (weights < 1)).sum() >= 2
    torch.testing.assert_close(signal_projector(windows, share), (left * weights) @ left.mH, rtol=0, atol=1e-10)


@pytest.mark.parametrize("windows", [200, 30])
def test_rounding_does_not_decide_about_a_direction(windows):
    values = torch.logspace(0, -3, 30, dtype=torch.float64)
    left, right = (torch.linalg.qr(random(n, 30, seed=n))[0] for n in (COILS * 12, windows))
    matrix = (left * values) @ right.mH
    at = float(values[12])
    jump = signal_projector(matrix, at * (1 + 1e-7)) - signal_projector(matrix, at * (1 - 1e-7))
    assert jump.abs().max() < 1e-6


def test_noise_tells_its_own_threshold():
    signal = random(COILS * 12, 3) @ random(3, 200, seed=1)
    noisy = signal + 0.05 * random(COILS * 12, 200, seed=2)
    assert torch.trace(signal_projector(noisy, None)).real.item() == pytest.approx(3)
    assert torch.trace(signal_projector(random(36, 200), None)).real.item() == pytest.approx(1)


@pytest.mark.parametrize("shape", [(12, 10), (13, 9)])
def test_polynomial_is_what_full_size_kernels_give(projector, shape):
    values, vectors = torch.linalg.eigh(projector)
    kernels = vectors * values.clamp_min(0).sqrt()
    expected = torch.zeros(*shape, COILS, COILS, dtype=torch.complex128)
    for kernel in kernels.T.reshape(-1, COILS, *KERNEL):
        padded = torch.zeros(COILS, *shape, dtype=torch.complex128)
        padded[:, : KERNEL[0], : KERNEL[1]] = kernel  # where it lies in k-space does not matter to v v^H
        images = ifft2c(padded).permute(1, 2, 0) * (shape[0] * shape[1]) ** 0.5
        expected += images.unsqueeze(-1) * images.conj().unsqueeze(-2) / (KERNEL[0] * KERNEL[1])
    at_y, at_x = torch.arange(shape[0]), torch.arange(shape[1])
    found = evaluate(polynomial(projector, COILS, KERNEL), at_y, at_x, shape, (KERNEL[0] - 1, KERNEL[1] - 1))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_evaluate_between_pixels_is_the_transform_of_a_shifted_image():
    coefficients = random(5, 5)
    padded = torch.zeros(16, 16, dtype=torch.complex128)
    padded[6:11, 6:11] = coefficients  # lag 0 at the centre
    image = evaluate(coefficients, torch.arange(16), torch.arange(16), (16, 16), (2, 2))
    torch.testing.assert_close(image / 16, ifft2c(padded), rtol=0, atol=1e-12)
    half = evaluate(coefficients, torch.arange(16) / 2, torch.arange(16) / 2, (8, 8), (2, 2))
    torch.testing.assert_close(half, image, rtol=0, atol=1e-12)  # half a pixel of 8 is a pixel of 16


def test_dominant_agrees_with_eigh_and_replaces_zeros():
    vectors = random(6, 5, 4)
    matrices = vectors.unsqueeze(-1) * vectors.conj().unsqueeze(-2)
    matrices = matrices + 0.3 * torch.eye(4, dtype=torch.float64) * torch.linalg.vector_norm(vectors, dim=-1)[..., None, None] ** 2
    matrices[2, 3] = 0
    fallback = unit(random(4, seed=5), torch.zeros(4, dtype=torch.complex128))
    found, values = dominant(matrices, matrices, fallback)
    expected_values, expected = torch.linalg.eigh(matrices)
    overlap = (found.conj() * expected[..., -1]).sum(-1).abs()
    overlap[2, 3] = 1
    torch.testing.assert_close(overlap, torch.ones_like(overlap), rtol=0, atol=1e-10)
    torch.testing.assert_close(values, expected_values[..., -1], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found[2, 3], fallback)


def test_dominant_takes_the_direction_that_holds_the_signal_where_eigenvalues_are_equal():
    plane = torch.linalg.qr(random(3, 5, 2))[0]
    matrices = plane @ plane.mH  # two eigenvalues of one, three of zero
    signal = plane @ random(3, 2, 1, seed=4)
    other = random(3, 5, 1, seed=6)
    other = other - matrices @ other  # strong, but outside what the matrices allow
    covariance = signal @ signal.mH + 9 * other @ other.mH
    found, values = dominant(matrices, covariance, unit(random(5), torch.zeros(5, dtype=torch.complex128)))
    overlap = (found.unsqueeze(-1).mH @ signal).squeeze().abs() / torch.linalg.vector_norm(signal, dim=(-2, -1))
    torch.testing.assert_close(overlap, torch.ones_like(overlap), rtol=0, atol=1e-10)
    torch.testing.assert_close(values, torch.ones_like(values), rtol=0, atol=1e-10)


def coil_vectors(height, width):
    """Return unit vectors of three line currents around the field, with a random phase at each point."""
    y, x = torch.meshgrid(torch.linspace(-0.4, 0.4, height).double(), torch.linspace(-0.4, 0.4, width).double(), indexing="ij")
    z = torch.complex(x, y)
    fields = torch.stack([1 / (z - p) for p in (0.7, -0.5 + 0.6j, -0.5 - 0.6j)], dim=-1)
    vectors = fields / torch.linalg.vector_norm(fields, dim=-1, keepdim=True)
    return vectors * torch.polar(torch.ones(height, width).double(), random(height, width).real * 3).unsqueeze(-1)


def test_parallel_transport_removes_any_phase_and_leaves_no_vortex():
    vectors = coil_vectors(24, 31)
    # This combination sees nothing at one point inside: the phase it would give winds around there.
    reference = torch.linalg.svd(vectors[5:7, 9].T)[0][:, -1]
    assert (vectors @ reference.conj()).abs().min() < 0.02
    smooth = smooth_phase(vectors, reference)
    torch.testing.assert_close((smooth.conj() * vectors).sum(-1).abs(), torch.ones(24, 31).double())
    down, across = (smooth[1:].conj() * smooth[:-1]).sum(-1), (smooth[:, 1:].conj() * smooth[:, :-1]).sum(-1)
    assert down.angle().abs().max() < 1e-12
    assert across[12].angle().abs().max() < 1e-12
    assert across.angle().abs().max() < 0.1
    product = smooth[12, 15] @ reference.conj()
    assert abs(product.angle()) < 1e-12
    again = smooth_phase(vectors * torch.polar(torch.ones(24, 31).double(), random(24, 31, seed=9).real).unsqueeze(-1), reference)
    torch.testing.assert_close(again, smooth, rtol=0, atol=1e-10)
