"""The data-consistency family against its definition, sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.core.errors import InputError
from engine.models import ReconInput
from engine.models.parts.consistency import DataTerm
from engine.models.parts.forms import plain_forms
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator

MASKS = ("lines", "moving lines", "points")


def problem(pattern="lines", coils=3, batch=2, frames=5, ky=13, kx=10, inside=True):
    g = torch.Generator().manual_seed(5)
    maps = torch.randn(batch, 1, coils, ky, kx, dtype=torch.complex128, generator=g)
    maps = maps / maps.abs().square().sum(2, keepdim=True).sqrt()
    if not inside:
        maps[..., :3, :] = 0  # outside the object
    shape = {"lines": (1, 1, 1, ky, 1), "moving lines": (batch, frames, 1, ky, 1), "points": (1, frames, 1, ky, kx)}[pattern]
    mask = torch.rand(shape, generator=g) < 0.5
    operator = SenseOperator(mask, maps)
    kspace = torch.randn(batch, frames, coils, ky, kx, dtype=torch.complex128, generator=g) * mask
    x = torch.randn(batch, frames, ky, kx, dtype=torch.complex128, generator=g)
    return ReconInput(kspace, operator), x


def close(found, expected):
    return float((found - expected).abs().max()) < 1e-12 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("coils", [1, 3])
@pytest.mark.parametrize("pattern", MASKS)
@pytest.mark.parametrize("plain", [False, True])
def test_every_member_is_its_definition(pattern, coils, inside, plain):
    data, x = problem(pattern, coils, inside=inside)
    maps, mask = data.operator.maps, data.operator.mask
    with plain_forms() if plain else torch.no_grad():
        term = DataTerm(data)
        spectrum = fft2c(expand(x, maps))
        assert close(term.image, combine(ifft2c(data.kspace), maps))
        hard = torch.where(mask, data.kspace, spectrum)
        assert close(term.fill(x), hard)
        assert close(term.hard(x), combine(ifft2c(hard), maps))
        soft = torch.where(mask, (spectrum + 0.7 * data.kspace) / 1.7, spectrum)
        assert close(term.soft(x, 0.7), combine(ifft2c(soft), maps))
        assert close(term.gradient(x), combine(ifft2c(torch.where(mask, spectrum - data.kspace, 0)), maps))
        near = term.proximal(x, 0.3, iterations=200, tolerance=1e-14)
        assert float((term.gradient(near) + 0.3 * (near - x)).abs().max()) < 1e-10


def test_measured_samples_are_returned_unchanged():
    data, x = problem("moving lines")
    filled = DataTerm(data).fill(x)
    measured = data.operator.mask.expand(filled.shape)
    assert torch.equal(filled[measured], data.kspace[measured])


def test_one_coil_gives_back_exactly_what_was_measured():
    data, x = problem("points", coils=1)
    assert close(data.operator.forward(DataTerm(data).hard(x)), data.kspace)


def test_soft_has_its_limits():
    data, x = problem()
    term = DataTerm(data)
    assert close(term.soft(x, 0.0), x)
    assert float((term.soft(x, 1e12) - term.hard(x)).abs().max()) < 1e-10


def test_consistency_passes_a_global_phase_and_scale():
    data, x = problem()
    factor = 3.0 * np.exp(1.1j)
    turned = DataTerm(ReconInput(factor * data.kspace, data.operator))
    term = DataTerm(data)
    for member in ("hard", "gradient"):
        assert close(getattr(turned, member)(factor * x), factor * getattr(term, member)(x))
    assert float((turned.proximal(factor * x, 0.2) - factor * term.proximal(x, 0.2)).abs().max()) < 1e-5


@pytest.mark.parametrize("member", ["hard", "soft", "gradient", "proximal"])
def test_gradients_pass_through_every_member(member):
    data, x = problem(batch=1, frames=2, ky=6, kx=4)
    term = DataTerm(data)
    weight = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    arguments = (x[:1].requires_grad_(),)
    if member in ("soft", "proximal"):
        arguments += (weight,)
    assert torch.autograd.gradcheck(getattr(term, member), arguments)


@pytest.mark.parametrize("member", ["hard", "soft", "fill"])
def test_replacing_needs_a_mask_of_zeros_and_ones(member):
    data, x = problem()
    term = DataTerm(ReconInput(data.kspace, SenseOperator(0.5 * data.operator.mask, data.operator.maps)))
    with pytest.raises(InputError, match="mask of zeros and ones"):
        getattr(term, member)(*((x, 0.5) if member == "soft" else (x,)))
    assert term.gradient(x).shape == x.shape
