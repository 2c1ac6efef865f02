"""The k-space iteration kept as two images, against the iteration written out; in double precision."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import Cancelled
from engine.models.parts.forms import plain_forms
from engine.models.parts.iterate import CombinedIterate, ExplicitIterate, KSpaceIterate
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator
from tests.engine.tensors import random

MASKS = ["lines", "lines per frame", "plane per frame"]


def problem(kind="lines", coils=3, batch=2, frames=3, height=9, width=7):
    shape = {"lines": (1, 1, 1, height, 1), "lines per frame": (1, frames, 1, height, 1)}.get(kind, (1, frames, 1, height, width))
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(3)) < 0.5
    maps = random(1, 1, coils, height, width, seed=1)  # S^H S is far from 1
    kspace = mask * random(batch, frames, coils, height, width, seed=2)
    return kspace, mask, maps


def written_out(kspace, mask, maps, etas, residuals):
    """Return k after each step, and its images, by the definition."""
    k, ks, images = kspace, [], [combine(ifft2c(kspace), maps)]
    for eta, residual in zip(etas, residuals, strict=True):
        k = k - eta * (mask * (k - kspace)) + fft2c(expand(residual, maps))
        ks.append(k)
        images.append(combine(ifft2c(k), maps))
    return ks, images


ETAS = (0.7, 1.3, -0.4, 0.9)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("kind", MASKS)
def test_every_iterate_is_the_one_of_the_definition(kind, plain):
    kspace, mask, maps = problem(kind)
    residuals = [random(2, 3, 9, 7, seed=10 + i) for i in range(len(ETAS))]
    ks, images = written_out(kspace, mask, maps, ETAS, residuals)
    with plain_forms() if plain else torch.no_grad():
        iterate = KSpaceIterate.start(kspace, SenseOperator(mask, maps))
        assert isinstance(iterate, ExplicitIterate if plain else CombinedIterate)
        torch.testing.assert_close(iterate.image(), images[0], rtol=0, atol=1e-12)
        assert torch.equal(iterate.kspace(), kspace)
        for index, (eta, residual) in enumerate(zip(ETAS, residuals, strict=True)):
            iterate.update(eta, residual)
            torch.testing.assert_close(iterate.image(), images[index + 1], rtol=0, atol=1e-11)
            torch.testing.assert_close(iterate.kspace(), ks[index], rtol=0, atol=1e-11)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("kind", MASKS)
def test_an_image_to_begin_with_fills_what_was_not_measured(kind, plain):
    kspace, mask, maps = problem(kind)
    first = random(2, 3, 9, 7, seed=4)
    residuals = [random(2, 3, 9, 7, seed=10 + i) for i in range(len(ETAS))]
    k = kspace + ~mask * fft2c(expand(first, maps))
    with plain_forms() if plain else torch.no_grad():
        iterate = KSpaceIterate.start(kspace, SenseOperator(mask, maps), first=first)
        torch.testing.assert_close(iterate.kspace(), k, rtol=0, atol=1e-12)
        for eta, residual in zip(ETAS, residuals, strict=True):
            iterate.update(eta, residual)
            k = k - eta * (mask * (k - kspace)) + fft2c(expand(residual, maps))
            torch.testing.assert_close(iterate.image(), combine(ifft2c(k), maps), rtol=0, atol=1e-11)
            torch.testing.assert_close(iterate.kspace(), k, rtol=0, atol=1e-11)


def test_gradients_are_those_of_the_definition():
    kspace, mask, maps = problem()
    gradients = []
    for plain in (False, True):
        etas = torch.tensor(ETAS, dtype=torch.float64, requires_grad=True)
        residuals = random(4, 2, 3, 9, 7, seed=5).requires_grad_()
        if plain:
            image = written_out(kspace, mask, maps, etas, residuals)[1][-1]
        else:
            iterate = KSpaceIterate.start(kspace, SenseOperator(mask, maps))
            for eta, residual in zip(etas, residuals, strict=True):
                iterate.update(eta, residual * (1 + 0.1 * iterate.image()))
            image = iterate.image()
        if plain:  # the same network written out
            k, k0 = kspace, kspace
            for eta, residual in zip(etas, residuals, strict=True):
                term = residual * (1 + 0.1 * combine(ifft2c(k), maps))
                k = k - eta * (mask * (k - k0)) + fft2c(expand(term, maps))
            image = combine(ifft2c(k), maps)
        loss = (image * random(2, 3, 9, 7, seed=9)).real.sum()
        gradients.append(torch.autograd.grad(loss, (etas, residuals)))
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-9 * float(expected.abs().max()))
    assert gradients[0][0][0] == 0  # k begins as the measurement: the first step size changes nothing
    assert (gradients[0][0][1:] != 0).all()


def test_gradients_reach_maps_that_are_learned():
    kspace, mask, maps = problem()
    residual = random(2, 3, 9, 7, seed=4)

    def loss(maps):
        iterate = KSpaceIterate.start(kspace, SenseOperator(mask, maps))
        assert isinstance(iterate, ExplicitIterate)
        iterate.update(0.5, residual)
        iterate.update(0.5, residual * iterate.image())
        return iterate.image().abs().square().sum()

    maps = maps.requires_grad_()
    (found,) = torch.autograd.grad(loss(maps), maps)
    direction, step = random(*maps.shape, seed=8), 1e-6
    with torch.no_grad():
        above, below = ((maps + sign * step * direction).requires_grad_() for sign in (1, -1))
    numeric = (loss(above) - loss(below)).detach() / (2 * step)
    assert float(numeric) == pytest.approx(float((found.conj() * direction).real.sum()), rel=1e-6)


def test_a_mask_with_other_weights_takes_the_definition():
    kspace, mask, maps = problem()
    weights = mask * 0.5
    residuals = [random(2, 3, 9, 7, seed=10 + i) for i in range(len(ETAS))]
    iterate = KSpaceIterate.start(kspace, SenseOperator(weights, maps))
    for eta, residual in zip(ETAS, residuals, strict=True):
        iterate.update(eta, residual)
    expected = written_out(kspace, weights, maps, ETAS, residuals)[1][-1]
    torch.testing.assert_close(iterate.image(), expected, rtol=0, atol=1e-12)


def test_a_mask_of_zeros_and_ones_in_numbers_is_a_mask():
    kspace, mask, maps = problem()
    assert isinstance(KSpaceIterate.start(kspace, SenseOperator(mask.double(), maps)), CombinedIterate)


def test_no_coil_is_transformed_where_there_are_gram_matrices(monkeypatch):
    kspace, mask, maps = problem("lines")
    operator = SenseOperator(mask, maps)
    iterate = KSpaceIterate.start(kspace, operator)
    for name in ("fft2", "ifft2", "fftn", "ifftn", "fft", "ifft"):
        monkeypatch.setattr(torch.fft, name, lambda *_, **__: pytest.fail("a Fourier transform"))
    with torch.no_grad():
        for eta in ETAS:
            iterate.update(eta, iterate.image())
        iterate.image()


def test_making_gram_matrices_can_be_cancelled():
    kspace, mask, maps = problem("lines")

    def cancel():
        raise Cancelled

    with pytest.raises(Cancelled, match="cancelled"):
        KSpaceIterate.start(kspace, SenseOperator(mask, maps), cancel)
