"""The optimised gradient method on a problem whose solution is known in closed form."""

import torch

from engine.physics.proximal_gradient import optimised_gradient


def lasso(z, step, iteration):
    return z * (1 - 0.1 * step / z.abs().clamp(min=1e-30)).clamp(min=0)


def test_it_finds_the_minimum_of_a_diagonal_lasso_and_faster_than_plain_steps():
    generator = torch.Generator().manual_seed(0)
    diagonal = torch.linspace(0.02, 1.0, 50, dtype=torch.float64)
    rhs = torch.randn(50, dtype=torch.complex128, generator=generator)
    exact = rhs / diagonal * (1 - 0.1 / rhs.abs()).clamp(min=0)
    found = optimised_gradient(lambda x: diagonal * x, rhs, lasso, torch.zeros_like(rhs), 400, lambda *_: None)
    assert float((found - exact).norm()) < 1e-3 * float(exact.norm())
    plain = torch.zeros_like(rhs)
    for _ in range(40):
        plain = lasso(plain - (diagonal * plain - rhs), 1.0, 0)
    quick = optimised_gradient(lambda x: diagonal * x, rhs, lasso, torch.zeros_like(rhs), 40, lambda *_: None)
    assert float((quick - exact).norm()) < 0.5 * float((plain - exact).norm())
