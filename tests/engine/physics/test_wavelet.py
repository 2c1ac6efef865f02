"""Daubechies filters against PyWavelets; the transform is orthonormal for every size and shift."""

import itertools

import numpy as np
import pytest
import pywt
import torch

from engine.core.errors import InputError, ShapeError
from engine.physics.wavelet import WaveletTransform, daubechies, shrink


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("order", range(1, 11))
def test_filter_is_that_of_pywavelets(order):
    np.testing.assert_allclose(daubechies(order), pywt.Wavelet(f"db{order}").rec_lo, rtol=0, atol=1e-11)


@pytest.mark.parametrize("order", range(1, 11))
def test_filter_is_orthonormal_and_its_high_pass_has_vanishing_moments(order):
    low = np.array(daubechies(order))
    for k in range(order):
        assert low[: low.size - 2 * k] @ low[2 * k :] == pytest.approx(float(k == 0), abs=1e-13)
    position = np.arange(low.size) / low.size
    high = (-1.0) ** np.arange(low.size) * low[::-1]
    for moment in range(order):
        assert high @ position**moment == pytest.approx(0.0, abs=1e-13)


@pytest.mark.parametrize("order", [0, 11])
def test_other_orders_are_refused(order):
    with pytest.raises(InputError, match=f"no Daubechies wavelet of order {order}"):
        daubechies(order)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_one_level_is_that_of_pywavelets_on_even_sizes(order):
    values = random(32, 24, 1)
    # PyWavelets starts elsewhere on the ring: its coefficients are those of a shift, rolled.
    begin = (order - 1) % 2
    found = WaveletTransform((32, 24), order, 1).forward(values, (begin, begin))
    coarse, details = pywt.dwt2(values[..., 0].numpy(), f"db{order}", mode="periodization")
    assert same_up_to_roll(found.coarse[..., 0].numpy(), coarse)
    assert all(same_up_to_roll(band[..., 0].numpy(), other) for band, other in zip(found.details[0], match(details), strict=True))


def match(details):
    """Return PyWavelets' bands in our order: (low rows, high columns), (high rows, low columns), (high, high)."""
    high_rows, high_columns, both = details
    return high_columns, high_rows, both


def same_up_to_roll(found, expected):
    """Whether one is the other, rolled by some samples on the ring and up to its sign."""
    for shift in itertools.product(range(-6, 7), repeat=2):
        rolled = np.roll(expected, shift, (0, 1))
        if min(np.abs(found - rolled).max(), np.abs(found + rolled).max()) < 1e-10:
            return True
    return False


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (51, 64), (5, 9), (1, 40), (4, 4), (2, 3), (1, 1), (102, 31)])
@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (6, 11), (15, 7)])
def test_transform_is_an_isometry_with_perfect_reconstruction(shape, order, shift):
    transform = WaveletTransform(shape, order, 4)
    values = random(2, *shape, 3)
    coefficients = transform.forward(values, shift)
    energy = coefficients.coarse.square().sum() + sum(band.square().sum() for _, band in coefficients.bands())
    assert float(energy) == pytest.approx(float(values.square().sum()), rel=1e-12)
    assert (transform.inverse(coefficients) - values).abs().max() < 1e-12
    count = coefficients.coarse.numel() + sum(band.numel() for _, band in coefficients.bands())
    assert count == values.numel()


def test_inverse_is_the_adjoint():
    transform = WaveletTransform((21, 34), 3, 3)
    values = random(21, 34, 2)
    one, other = transform.forward(values, (3, 6)), transform.forward(random(21, 34, 2, seed=1), (3, 6))
    left = (one.coarse * other.coarse).sum() + sum((a * b).sum() for (_, a), (_, b) in zip(one.bands(), other.bands(), strict=True))
    assert float(left) == pytest.approx(float((values * transform.inverse(other)).sum()), rel=1e-12)


def test_a_shift_of_the_transform_is_a_shift_of_the_image():
    transform = WaveletTransform((32, 48), 2, 3)
    values = random(32, 48, 1)
    shifted = transform.forward(values, (5, 2))
    rolled = transform.forward(values.roll((-5, -2), (0, 1)), (0, 0))
    torch.testing.assert_close(shifted.details[0][0].abs().sum(), rolled.details[0][0].abs().sum(), rtol=1e-12, atol=0)
    torch.testing.assert_close(shifted.details[2][2].square().sum(), rolled.details[2][2].square().sum(), rtol=1e-12, atol=0)
    plain = transform.forward(values, (0, 0))
    assert abs(float(plain.details[0][0].abs().sum() - shifted.details[0][0].abs().sum())) > 1e-3


def test_polynomials_leave_no_detail_inside():
    transform = WaveletTransform((32, 64), 3, 1)
    x = torch.arange(64, dtype=torch.float64) / 64
    detail = transform.forward((1 + x - 3 * x**2).expand(32, 64).unsqueeze(-1)).details[0][0]
    assert detail[:, :-3].abs().max() < 1e-12  # the last ones see the jump from the end to the beginning
    assert detail.abs().max() > 1e-2


def test_impossible_questions_are_refused():
    with pytest.raises(InputError, match="cannot have -1 levels"):
        WaveletTransform((8, 8), 1, -1)
    with pytest.raises(ShapeError, match="values do not fit the wavelet transform"):
        WaveletTransform((8, 8), 1, 1).forward(torch.zeros(8, 9, 1))
    with pytest.raises(ShapeError, match="values do not fit the wavelet transform"):
        WaveletTransform((8, 8), 1, 1).forward(torch.zeros(8, 8, 1, dtype=torch.complex64))


@pytest.mark.parametrize("as_tensor", [False, True])
def test_shrink_lowers_magnitudes_and_keeps_phases(as_tensor):
    values = torch.polar(torch.tensor([0.0, 0.5, 1.0, 3.0], dtype=torch.float64), torch.tensor([0.0, 1.0, 2.0, -3.0]).double())
    found = values.clone()
    shrink(found, torch.tensor([1.0], dtype=torch.float64) if as_tensor else 1.0)
    expected = torch.polar(torch.tensor([0.0, 0.0, 0.0, 2.0], dtype=torch.float64), values.angle())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("threshold", [0.0, torch.zeros(1)])
def test_shrink_by_nothing_changes_nothing(threshold):
    values = torch.tensor([0.0, 1e-30, 2.0 - 1.0j], dtype=torch.complex64)
    found = values.clone()
    shrink(found, threshold)
    assert torch.equal(found, values)
