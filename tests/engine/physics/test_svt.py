"""Singular-value thresholding against torch.linalg.svd, its optimality conditions, and numerical derivatives."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import Cancelled, InputError
from engine.physics.svt import SINGLE_FROM, casorati_threshold, relative_threshold, singular_value_threshold
from tests.engine.tensors import random

SHAPES = [(5, 5), (4, 7), (7, 4), (1, 6), (6, 1), (3, 2, 5, 4)]
DTYPES = [torch.float64, torch.complex128]


def by_svd(x, threshold):
    u, s, v = torch.linalg.svd(x, full_matrices=False)
    return (u * torch.relu(s - threshold).unsqueeze(-2)) @ v


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_threshold_agrees_with_svd(shape, dtype):
    x = random(*shape, dtype=dtype)
    assert torch.allclose(singular_value_threshold(x, 0.7), by_svd(x, 0.7), rtol=0, atol=1e-12)
    top = torch.linalg.svdvals(x)[..., :1]
    assert torch.allclose(relative_threshold(x, 0.2), by_svd(x, 0.2 * top), rtol=0, atol=1e-12)


def test_threshold_is_the_proximal_operator_of_the_nuclear_norm():
    # Y minimises |Y - X|^2 / 2 + t |Y|_*  <=>  |X - Y|_spectral <= t and <X - Y, Y> = t |Y|_*.
    x, t = random(6, 9), 1.5
    y = singular_value_threshold(x, t)
    assert torch.linalg.matrix_norm(x - y, 2) <= t * (1 + 1e-12)
    assert torch.isclose((x - y).conj().mul(y).sum().real, t * torch.linalg.matrix_norm(y, "nuc"), rtol=1e-12, atol=0)


@pytest.mark.parametrize("fraction", [1e-3, 1e-2, 0.1])
def test_single_precision_is_as_good_as_an_svd_even_at_small_thresholds(fraction):
    u, _, v = torch.linalg.svd(random(3, 64, 96), full_matrices=False)
    s = (1.0 / (1.0 + torch.arange(64)) ** 1.5).to(torch.float64)
    x = (u * s) @ v
    exact = by_svd(x, fraction)
    found = relative_threshold(x.to(torch.complex64), fraction)
    assert found.dtype == torch.complex64
    # A complex64 Gram matrix is wrong by 5e-4 here.
    assert (found - exact).abs().max() < 2e-6 * exact.abs().max()


@pytest.mark.parametrize("fraction", [SINGLE_FROM, 0.2])
def test_a_single_precision_gram_matrix_loses_no_more_than_an_svd(fraction):
    u, _, v = torch.linalg.svd(random(2, 96, 160), full_matrices=False)
    s = (1.0 / (1.0 + torch.arange(96))).to(torch.float64)
    x = (u * s) @ v
    exact = by_svd(x, fraction)
    single = x.to(torch.complex64)
    error = (relative_threshold(single, fraction) - exact).abs().max()
    assert error < max(2 * (by_svd(single, fraction) - exact).abs().max(), 2e-6 * exact.abs().max())


@pytest.mark.parametrize("fraction", [0.01, 0.2])
def test_gradients_in_single_precision_are_those_in_double(fraction):
    gradients = []
    for dtype in (torch.complex64, torch.complex128):
        x = random(2, 24, 40).to(dtype).requires_grad_()
        f = torch.tensor(fraction, dtype=x.real.dtype, requires_grad=True)
        torch.view_as_real(relative_threshold(x, f) * random(2, 24, 40, seed=1).to(dtype)).sum().backward()
        gradients.append((x.grad, f.grad))
    assert (gradients[0][0] - gradients[1][0]).abs().max() < 2e-5 * gradients[1][0].abs().max()
    assert abs(gradients[0][1] - gradients[1][1]) < 1e-5 * abs(gradients[1][1])


def test_casorati_matrices_have_frames_as_rows():
    x = random(2, 5, 6, 7)
    expected = by_svd(x.flatten(2), 0.2 * torch.linalg.svdvals(x.flatten(2))[..., :1]).reshape(x.shape)
    assert torch.allclose(casorati_threshold(x, 0.2), expected, rtol=0, atol=1e-12)
    fraction = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(casorati_threshold, (x[:, :, :2, :3].clone().requires_grad_(), fraction))


def test_each_matrix_may_have_its_own_threshold():
    x = random(3, 4, 5)
    t = torch.tensor([0.1, 1.0, 2.0], dtype=torch.float64)
    assert torch.allclose(singular_value_threshold(x, t), by_svd(x, t[:, None]), rtol=0, atol=1e-12)


SPECIAL = {
    "random": random(4, 6),
    "tall": random(6, 3, seed=1),
    "real": random(4, 5, dtype=torch.float64),
    "repeated": 2.0 * torch.eye(4, dtype=torch.complex128),
    "repeated and wide": torch.cat((2.0 * torch.eye(3), torch.zeros(3, 2)), 1).to(torch.complex128),
    "zeros": torch.zeros(3, 4, dtype=torch.complex128),
    "rank one": torch.outer(random(4), random(5, seed=2)),
    "ones": torch.ones(3, 3, dtype=torch.complex128),
    "repeated beside zero": torch.diag(torch.tensor([2.0, 2.0, 0.0, 1.0])).to(torch.complex128),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_gradient_at_a_fixed_threshold(name):
    x = SPECIAL[name].clone().requires_grad_()
    t = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(singular_value_threshold, (x, t))


# Where the largest singular value is simple, so that it has a derivative. 2 I of size 2 is not simple, but central differences
# along single entries give the mean subgradient there.
@pytest.mark.parametrize(
    "x",
    [
        SPECIAL["random"],
        SPECIAL["tall"],
        SPECIAL["real"],
        SPECIAL["rank one"],
        SPECIAL["ones"],
        2.0 * torch.eye(2, dtype=torch.complex128),
    ],
)
def test_gradient_through_the_largest_singular_value(x):
    fraction = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(relative_threshold, (x.clone().requires_grad_(), fraction))


def test_gradient_of_a_relative_threshold_at_repeated_values_does_not_depend_on_the_basis():
    x, seed = 2.0 * torch.eye(5, dtype=torch.complex128), random(5, 5, seed=3)
    turn = torch.linalg.qr(random(5, 5, seed=4))[0]

    def gradient(matrix, outer):
        matrix = matrix.clone().requires_grad_()
        relative_threshold(matrix, 0.3).backward(outer)
        return matrix.grad

    assert torch.allclose(gradient(turn @ x, turn @ seed), turn @ gradient(x, seed), atol=1e-12)
    # Scaling keeps the values equal, so along X itself the function is smooth: Y(a X) = a Y(X).
    along = (gradient(x, seed).conj() * x).sum().real
    assert torch.isclose(along, (seed.conj() * relative_threshold(x, 0.3)).sum().real, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", SPECIAL)
def test_gradient_is_finite_in_single_precision(name):
    dtype = torch.complex64 if SPECIAL[name].is_complex() else torch.float32
    x = SPECIAL[name].to(dtype).requires_grad_()
    fraction = torch.tensor(0.1, requires_grad=True)
    relative_threshold(x, fraction).abs().square().sum().backward()
    assert x.grad.dtype == dtype
    assert torch.isfinite(torch.view_as_real(x.grad) if x.is_complex() else x.grad).all()
    assert torch.isfinite(fraction.grad)


def test_no_threshold_is_the_identity_and_a_large_one_gives_zero():
    x = torch.outer(random(4), random(5, seed=2)).requires_grad_()
    y = singular_value_threshold(x, 0.0)
    y.backward(torch.ones_like(y))
    assert torch.allclose(y, x, atol=1e-12)
    assert torch.allclose(x.grad, torch.ones_like(x), atol=1e-12)
    assert torch.count_nonzero(singular_value_threshold(x, 1e3)) == 0
    assert torch.count_nonzero(relative_threshold(x, 1.0).abs() > 1e-12) == 0


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="singular values cannot be found") as caught:
        singular_value_threshold(torch.full((3, 3), float("nan"), dtype=torch.complex64), 0.1)
    assert caught.value.hint


def test_cancelling_leaves_between_two_matrices():
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        relative_threshold(random(9, 4, 4), 0.1, check)
    assert len(calls) == 3


@pytest.mark.parametrize("dtype", [torch.complex64, torch.float32])
def test_rows_that_fade_away_are_thresholded_too(dtype):
    """The library's eigenvalues in single precision are NaN for one in ten of these, or are not found."""
    for seed in range(60):
        g = torch.Generator().manual_seed(seed)
        fading = (10 ** (-40 * torch.rand(24, 1, generator=g))) * torch.randn(24, 30, dtype=dtype, generator=g)
        fading[12:18] = 0
        double = fading.to(torch.complex128 if fading.is_complex() else torch.float64)
        expected = relative_threshold(double, 0.1)
        assert (relative_threshold(fading, 0.1) - expected).abs().max() < 1e-5 * expected.abs().max()
