"""Iterative solvers for many independent complex problems at once, and derivatives through linear operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.core.axes import X, Y
from engine.core.errors import InputError

LinearMap = Callable[[Tensor], Tensor]


def inner(a: Tensor, b: Tensor, dims: Sequence[int] = (Y, X)) -> Tensor:
    """Return the real part of ``<a, b>`` over ``dims`` (kept as length-1 axes)."""
    real_a, real_b = torch.view_as_real(a.resolve_conj()), torch.view_as_real(b.resolve_conj())
    summed = [d - 1 if d < 0 else d for d in dims]  # the last axis of the real view is (real, imaginary)
    return (real_a * real_b).sum(dim=[*summed, -1], keepdim=True).squeeze(-1)


def conjugate_gradient(
    normal: LinearMap,
    rhs: Tensor,
    x0: Tensor | None = None,
    iterations: int = 30,
    tolerance: float = 1e-6,
    check: Callable[[], None] | None = None,
    dims: Sequence[int] = (Y, X),
    monitor: Callable[[int, float], None] | None = None,
) -> Tensor:
    """Solve ``normal(x) = rhs`` for a Hermitian positive definite ``normal``, each problem with its own step size.

    Source: Hestenes and Stiefel, 1952; in SENSE: Pruessmann et al., MRM 2001.

    Parameters
    ----------
    normal
        The operator; acts on all problems at once and mixes none of them.
    rhs
        Complex (batch, frame, y, x): by default each frame is a problem of its own.
    x0
        Where to start; zero when None.
    iterations
        Most iterations to take.
    tolerance
        A problem is finished when its residual norm falls below ``tolerance`` (at least the type's rounding) times the norm of its
        right-hand side.
    check
        Called once per iteration; raises to stop (cancellation).
    dims
        Axes that make up one problem; the others number the problems.
    monitor
        Called after each iteration with its number and the largest relative residual among all problems.

    Returns
    -------
    Tensor
        The solution, shaped as ``rhs``.

    Raises
    ------
    InputError
        When ``iterations`` is negative or ``tolerance`` is not a number from 0 to 1.
    """
    if iterations < 0 or not 0.0 <= tolerance < 1.0:
        raise InputError(
            f"conjugate gradients need iterations >= 0 and 0 <= tolerance < 1 (found {iterations} and {tolerance})",
            "A tolerance of 1e-6 is a good start.",
        )
    x = torch.zeros_like(rhs) if x0 is None else x0.clone()
    residual = rhs.clone() if x0 is None else rhs - normal(x)
    direction = residual.clone()
    energy = inner(residual, residual, dims)
    # Below the rounding of the right-hand side steps are quotients of noise, and their gradients anything.
    target = max(tolerance, torch.finfo(rhs.dtype).eps) ** 2 * inner(rhs, rhs, dims)
    for iteration in range(iterations):
        if check is not None:
            check()
        active = energy > target
        if not bool(active.any()):
            break
        image = normal(direction)
        curvature = inner(direction, image, dims)
        # A finished problem, or one whose direction vanished, stands still while the others go on.
        # Divided where it is used only: the gradient of a quotient by zero is not a number, used or not.
        moves = active & (curvature > 0)
        step = torch.where(moves, energy / torch.where(moves, curvature, 1.0), 0.0)
        x = torch.addcmul(x, step.to(x.dtype), direction)
        residual = torch.addcmul(residual, step.to(x.dtype), image, value=-1)
        renewed = inner(residual, residual, dims)
        ratio = torch.where(active, renewed / torch.where(active, energy, 1.0), 0.0)
        direction = torch.addcmul(residual, ratio.to(x.dtype), direction)
        energy = renewed
        if monitor is not None:
            scale = inner(rhs, rhs, dims)
            monitor(iteration, float(torch.where(scale > 0, energy / scale, 0.0).max().sqrt()))
    return x


def power_iteration(normal: LinearMap, like: Tensor, iterations: int = 30, seed: int = 0, dims: Sequence[int] = (Y, X)) -> float:
    """Return the largest eigenvalue of a Hermitian positive semi-definite ``normal``, over all problems.

    Parameters
    ----------
    normal
        The operator, as for :func:`conjugate_gradient`.
    like
        A tensor with the shape, dtype and device of the operator's input.
    iterations
        Number of multiplications. The estimate (a Rayleigh quotient) grows towards the eigenvalue from below.
    seed
        Seed of the first vector; the global generator is left alone.
    dims
        Axes that make up one problem.

    Raises
    ------
    InputError
        When ``iterations`` is less than 1.
    """
    if iterations < 1:
        raise InputError(f"power iteration needs at least one iteration (found {iterations})", "Use about 30.")
    generator = torch.Generator().manual_seed(seed)
    # Made on the CPU: the same first vector on every device.
    vector = torch.randn(like.shape, dtype=like.dtype, generator=generator).to(like.device)
    value = torch.zeros(())
    for _ in range(iterations):
        norm = inner(vector, vector, dims).sqrt()
        vector = vector / torch.where(norm > 0, norm, 1.0).to(vector.dtype)
        image = normal(vector)
        value = inner(vector, image, dims).max()
        vector = image
    return float(value)


class _Linear(torch.autograd.Function):
    """A linear map whose backward pass is its adjoint, so that the map itself may work in place and frame by frame."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, apply: LinearMap, adjoint: LinearMap) -> Tensor:
        ctx.maps = (apply, adjoint)
        return apply(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        apply, adjoint = ctx.maps
        return linear(gradients[0].resolve_conj(), adjoint, apply), None, None


def linear(x: Tensor, apply: LinearMap, adjoint: LinearMap) -> Tensor:
    """Return ``apply(x)`` with the gradient ``adjoint(gradient)``; nothing is kept for the backward pass."""
    if torch.is_grad_enabled() and x.requires_grad:
        result: Tensor = _Linear.apply(x, apply, adjoint)  # type: ignore[no-untyped-call]  # torch leaves apply untyped
        return result
    return apply(x)


class _Proximal(torch.autograd.Function):
    """``x = (A^H A + w I)^-1 b`` with gradients by the implicit function theorem, for any solver of that equation."""

    @staticmethod
    def forward(ctx: Any, rhs: Tensor, weight: Tensor, solve: Callable[[Tensor, float], Tensor]) -> Tensor:
        solution = solve(rhs, number(weight))
        ctx.solve = solve
        ctx.save_for_backward(weight, solution)
        return solution

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None]:
        weight, solution = ctx.saved_tensors
        back = proximal(gradients[0].resolve_conj().contiguous(), weight, ctx.solve)
        towards_weight = None
        if ctx.needs_input_grad[1]:
            towards_weight = -(back * solution.conj()).real.sum().to(weight.dtype).reshape(weight.shape)
        return back, towards_weight, None


def number(value: float | Tensor) -> float:
    """Return the value of a float or of a one-element tensor, whether or not it is being learned."""
    return float(value.detach()) if isinstance(value, Tensor) else float(value)


def proximal(rhs: Tensor, weight: float | Tensor, solve: Callable[[Tensor, float], Tensor]) -> Tensor:
    """Return ``solve(rhs, weight)``, differentiable with respect to ``rhs`` and to a one-element tensor ``weight``.

    ``solve(b, w)`` must return ``(H + w I)^-1 b`` for a fixed Hermitian H. The gradients are
    ``(H + w I)^-1 g`` and ``-Re <(H + w I)^-1 g, x>``: one more solve, nothing unrolled.
    """
    learned = isinstance(weight, Tensor) and weight.requires_grad
    if torch.is_grad_enabled() and (rhs.requires_grad or learned):
        tensor = weight if isinstance(weight, Tensor) else torch.tensor(number(weight), device=rhs.device)
        result: Tensor = _Proximal.apply(rhs, tensor, solve)  # type: ignore[no-untyped-call]  # torch leaves apply untyped
        return result
    return solve(rhs, number(weight))
