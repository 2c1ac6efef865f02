"""The gated linear attention unit against its equations, in all its forms."""

from __future__ import annotations

import pytest
import torch

from engine.models.parts import stripes
from engine.models.parts.forms import plain_forms
from engine.models.parts.gla import GLAUnit, describe
from tests.engine.models.gla_equations import equations
from tests.engine.models.varnet_problem import moved
from tests.engine.tensors import relative


def nothing():
    """Do not cancel."""


@pytest.mark.parametrize("pixels", [1 << 13, 40, 5])  # all at once, one image, one row
@pytest.mark.parametrize("form", ["gradients", "no gradients", "plain"])
def test_the_unit_is_its_equations_in_every_form(form, pixels, monkeypatch):
    monkeypatch.setattr(stripes, "STRIPE_PIXELS", pixels)
    unit = moved(GLAUnit(4), 0.3)
    g = torch.Generator().manual_seed(3)
    image = torch.randn(2, 2, 7, 5, dtype=torch.float64, generator=g)
    memory = torch.randn(2, 4, 4, dtype=torch.float64, generator=g)
    with plain_forms() if form == "plain" else torch.set_grad_enabled(form == "gradients"):
        residual, renewed = unit(image, memory, nothing)
    for index in range(2):
        expected, remembered = equations(unit, image[index], memory[index])
        torch.testing.assert_close(residual[index], expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(renewed[index], remembered, rtol=0, atol=1e-12)


def test_gradients_of_the_fast_form_are_those_of_the_plain_one():
    unit = moved(GLAUnit(4), 0.3)
    g = torch.Generator().manual_seed(3)
    image = torch.randn(1, 2, 6, 5, dtype=torch.float64, generator=g)
    memory = torch.randn(1, 4, 4, dtype=torch.float64, generator=g)
    gradients = []
    for plain in (False, True):
        x, m = image.clone().requires_grad_(), memory.clone().requires_grad_()
        with plain_forms() if plain else torch.enable_grad():
            residual, renewed = unit(x, m, nothing)
            (residual.square().sum() + renewed.square().sum()).backward()
        gradients.append([x.grad, m.grad, *(p.grad.clone() for p in unit.parameters())])
        unit.zero_grad()
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


def test_memory_stays_in_single_precision_under_autocast():
    unit = moved(GLAUnit(8), 0.05).float()
    image, memory = torch.randn(1, 2, 16, 12, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 8, 8)
    with torch.inference_mode():
        expected, _ = unit(image, memory, nothing)
        with torch.autocast("cpu", torch.bfloat16):
            found, renewed = unit(image, memory, nothing)
    assert renewed.dtype == torch.float32
    assert relative(found.float(), expected) < 0.02


def test_the_memory_does_not_grow_with_the_matrix():
    unit = moved(GLAUnit(6), 0.1)
    tile = torch.randn(1, 2, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    norms = []
    for size in (8, 32):
        _, memory = unit(tile.expand(1, 2, size, size), torch.zeros(1, 6, 6, dtype=torch.float64), nothing)
        norms.append(float(memory.detach().norm()))
    assert norms[0] == pytest.approx(norms[1], rel=1e-12)


def test_norm_and_rank_of_known_memories():
    memory = torch.stack((torch.diag(torch.tensor([3.0, 4.0, 0.03, 0.0])), torch.zeros(4, 4)))
    found = describe(memory)
    assert found["norm"].tolist() == pytest.approx([5.0001, 0.0], abs=1e-4)
    assert found["rank"].tolist() == [2.0, 0.0]
