"""Conjugate gradients against a direct solve, power iteration against eigenvalues, gradients against differences."""

import pytest
import torch

from engine.core.errors import Cancelled, InputError
from engine.physics.solvers import conjugate_gradient, inner, linear, power_iteration, proximal


def problems(count=3, size=6):
    """Return Hermitian positive definite matrices of very different scales and right-hand sides (batch, frame, y, x)."""
    generator = torch.Generator().manual_seed(1)
    factors = torch.randn(count, size, size, dtype=torch.complex128, generator=generator)
    scales = 10.0 ** torch.arange(-3, count - 3, dtype=torch.float64)
    matrices = (factors @ factors.mH + 0.5 * torch.eye(size)) * scales[:, None, None]
    return matrices, torch.randn(1, count, 2, size // 2, dtype=torch.complex128, generator=generator)


def multiply(matrices):
    return lambda x: (matrices @ x.flatten(-2).unsqueeze(-1)).squeeze(-1).reshape(x.shape)


def test_inner_is_the_real_part_of_the_scalar_product():
    a, b = torch.tensor([[1 + 2j, 3j]]), torch.tensor([[2 - 1j, 1 + 1j]])
    assert inner(a, b).item() == torch.vdot(a.flatten(), b.flatten()).real.item()


def test_conjugate_gradient_solves_each_problem_on_its_own_scale():
    matrices, rhs = problems()
    x = conjugate_gradient(multiply(matrices), rhs, iterations=40, tolerance=1e-13)
    expected = torch.linalg.solve(matrices, rhs.flatten(-2).unsqueeze(-1)).squeeze(-1).reshape(rhs.shape)
    torch.testing.assert_close(x, expected, rtol=1e-9, atol=0)


def test_conjugate_gradient_from_the_solution_stops_at_once():
    matrices, rhs = problems()
    solution = conjugate_gradient(multiply(matrices), rhs, iterations=60, tolerance=1e-13)
    seen = []
    conjugate_gradient(multiply(matrices), rhs, solution, tolerance=1e-9, monitor=lambda _, r: seen.append(r))
    assert seen == []


def test_conjugate_gradient_reports_a_falling_residual_and_leaves_zero_problems_at_zero():
    matrices, rhs = problems()
    rhs[:, 1] = 0
    seen = []
    x = conjugate_gradient(multiply(matrices), rhs, iterations=12, tolerance=0.0, monitor=lambda _, r: seen.append(r))
    assert seen[-1] < 1e-6 < seen[0]
    assert torch.count_nonzero(x[:, 1]) == 0
    assert torch.isfinite(torch.view_as_real(x)).all()


def test_conjugate_gradient_asks_whether_to_go_on():
    matrices, rhs = problems()

    def check():
        raise Cancelled

    with pytest.raises(Cancelled):
        conjugate_gradient(multiply(matrices), rhs, check=check)


@pytest.mark.parametrize(("iterations", "tolerance"), [(-1, 0.1), (3, 1.0), (3, -0.1), (3, float("nan"))])
def test_conjugate_gradient_refuses_impossible_settings(iterations, tolerance):
    with pytest.raises(InputError, match="conjugate gradients need"):
        conjugate_gradient(lambda x: x, torch.ones(1, 1, 2, 2, dtype=torch.complex64), None, iterations, tolerance)


def test_power_iteration_finds_the_largest_eigenvalue_of_all_problems():
    matrices, rhs = problems()
    expected = torch.linalg.eigvalsh(matrices).max().item()
    assert power_iteration(multiply(matrices), rhs, 300) == pytest.approx(expected, rel=1e-6)
    assert power_iteration(multiply(matrices), rhs, 5, seed=3) == power_iteration(multiply(matrices), rhs, 5, seed=3)
    assert power_iteration(lambda x: 0 * x, rhs, 3) == 0.0


def test_power_iteration_needs_an_iteration():
    with pytest.raises(InputError, match="at least one iteration"):
        power_iteration(lambda x: x, torch.ones(1, 1, 2, 2, dtype=torch.complex64), 0)


def test_gradients_of_linear_and_proximal_pass_gradcheck():
    matrices, rhs = problems(size=4)
    matrices = matrices / matrices[:, :1, :1].abs()
    apply = multiply(matrices)
    rhs.requires_grad_()
    weight = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    eye = torch.eye(4, dtype=torch.float64)

    def solve(b, w):
        return torch.linalg.solve(matrices + w * eye, b.flatten(-2).unsqueeze(-1)).squeeze(-1).reshape(b.shape)

    assert torch.autograd.gradcheck(lambda x: linear(x, apply, apply), (rhs,))
    assert torch.autograd.gradcheck(lambda b, w: proximal(b, w, solve), (rhs, weight))
    assert torch.autograd.gradcheck(lambda w: proximal(rhs.detach(), w, solve), (weight,))


def test_gradient_is_a_number_where_a_problem_is_solved_early():
    """Two eigenvalues take two steps; the third, by a residual of zero, must not spoil the gradient."""
    diagonal = torch.tensor([1.0, 2.0, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    rhs = torch.ones(1, 1, 1, 4, dtype=torch.complex128)
    x = conjugate_gradient(lambda v: diagonal * v, rhs, iterations=6, tolerance=0.0)
    x.real.sum().backward()
    assert torch.allclose(diagonal.grad, -1 / diagonal.detach().square(), atol=1e-9)
