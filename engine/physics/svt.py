"""Singular-value thresholding with a gradient that stays finite where singular values repeat or vanish.

The thresholded matrix is a function of ``A = X X^H`` alone: ``Y = f(A) X`` with ``f(s^2) = max(0, 1 - t / s)``. So only the
smaller Gram matrix is decomposed, and its eigenvectors never have to be told apart: the derivative needs the divided
differences of ``f``, and these have closed forms without a subtraction of neighbouring singular values.

Source: singular-value thresholding, Cai, Candes and Shen, SIAM J. Optim. 20 (2010), eq. (2.2); derivative of a matrix function
by divided differences, Daleckii and Krein (1965). Frontal slices: JotlasNet, eq. (17).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from engine.core.errors import InputError
from engine.physics.eigen import LinAlgError, eigh

# Singular values closer than this (relative) to the largest count as equal to it in its derivative.
TIE = {torch.float64: 1e-10, torch.float32: 1e-6}
# From this share of the largest singular value on, a Gram matrix in single precision loses nothing that an SVD in single
# precision would keep.
SINGLE_FROM = 0.05


def singular_value_threshold(matrices: Tensor, threshold: Tensor | float, check: Callable[[], None] | None = None) -> Tensor:
    """Lower all singular values by ``threshold`` and cut them at zero.

    Parameters
    ----------
    matrices
        Real or complex (..., row, column).
    threshold
        Not negative (negative counts as zero), in the unit of ``matrices``; any shape that broadcasts to the leading axes.
    check
        Called before each matrix is decomposed on a CPU; raises to cancel.

    Returns
    -------
    Tensor
        Same shape and type. Differentiable once in both arguments; at a singular value that equals the threshold the
        derivative is that of the cut side.

    Raises
    ------
    InputError
        When a matrix holds NaN or infinity.
    """
    return _apply(matrices, threshold, False, check)


def relative_threshold(matrices: Tensor, fraction: Tensor | float, check: Callable[[], None] | None = None) -> Tensor:
    """Lower the singular values of each matrix by ``fraction`` of its largest one and cut them at zero.

    Parameters and errors as in :func:`singular_value_threshold`. The threshold's own dependence on the matrix is part of the
    gradient. Where the largest singular value is repeated it has no derivative; the mean of its subgradients over the equal
    directions is taken, which does not depend on how the decomposition happened to turn them.

    Source: JotlasNet, eq. (17).
    """
    return _apply(matrices, fraction, True, check)


def casorati_threshold(images: Tensor, fraction: Tensor | float, check: Callable[[], None] | None = None) -> Tensor:
    """Lower the singular values of each series' Casorati matrix (frame, y x) by ``fraction`` of the largest, cut at zero.

    ``images`` is (..., frame, y, x); the other parameters, errors and the gradient are those of :func:`relative_threshold`. Only
    a matrix of frame x frame is decomposed.

    Source: Liang, ISBI 2007 (the matrix of a series); Otazo et al., MRM 2015 (its thresholding).
    """
    return relative_threshold(images.flatten(-2), fraction, check).reshape(images.shape)


def _apply(matrices: Tensor, amount: Tensor | float, relative: bool, check: Callable[[], None] | None) -> Tensor:
    if matrices.device.type == "mps":  # has no double precision
        there = amount.cpu() if isinstance(amount, Tensor) else amount
        return _apply(matrices.cpu(), there, relative, check).to(matrices.device)
    real = matrices.real if matrices.is_complex() else matrices
    amounts = torch.as_tensor(amount, dtype=real.dtype, device=matrices.device).clamp(min=0.0)
    lead = matrices.shape[:-2]
    flat = matrices.reshape(-1, *matrices.shape[-2:])
    tall = flat.shape[-2] > flat.shape[-1]
    if tall:
        flat = flat.mH
    result: Tensor = _Threshold.apply(flat, amounts.expand(lead).reshape(-1), relative, check)  # type: ignore[no-untyped-call]  # torch leaves apply untyped
    return (result.mH if tall else result).reshape(matrices.shape)


def _decompose(wide: Tensor, single: bool, check: Callable[[], None] | None) -> tuple[Tensor, Tensor]:
    """Return left singular vectors (n, m, m) and ascending singular values (n, m), in the type of ``wide``.

    A Gram matrix squares the condition number. In single precision the result is wrong by about 1e-7 over the share that the
    threshold has in the largest singular value: by 1e-6 at a twentieth, like an SVD, but by 2e-4 at a five-hundredth. So
    smaller and unknown shares are decomposed in double precision, where the error stays below 1e-6; that takes twice as long.
    """
    double = torch.complex128 if wide.is_complex() else torch.float64
    dtype = wide.dtype if single else double
    try:
        if wide.device.type != "cpu":
            x = wide.to(dtype)
            values, vectors = eigh(x @ x.mH)
        else:
            # LAPACK takes one matrix after the other anyway: between two of them a cancelled job can leave.
            pairs = []
            for matrix in wide:
                if check is not None:
                    check()
                x = matrix.to(dtype)
                pairs.append(eigh(x @ x.mH))
            values, vectors = (torch.stack(parts) for parts in zip(*pairs, strict=True))
    except LinAlgError as error:
        raise InputError(
            "singular values cannot be found (expected finite numbers / found NaN or infinity)",
            "The network diverged or its input is damaged; check the data and the weights.",
        ) from error
    singular = values.clamp(min=0.0).sqrt()
    return vectors.to(wide.dtype), singular.to(wide.real.dtype if wide.is_complex() else wide.dtype)


def _kept(s: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Return which singular values (n, m) survive the thresholds ``t`` (n, 1), and ``s`` made safe to divide by."""
    return (s > t) | (t == 0), torch.where(s > 0, s, 1.0)


def _gain(s: Tensor, t: Tensor) -> Tensor:
    """Return f = max(0, 1 - t / s)."""
    kept, safe = _kept(s, t)
    return torch.where(kept, 1.0 - t / safe, 0.0)


def _divided_differences(s: Tensor, t: Tensor) -> Tensor:
    """Return (f_i - f_j) / (s_i^2 - s_j^2), (n, m, m), with its limit where both are equal.

    Both kept: t / (s_i s_j (s_i + s_j)); both cut: 0; one of each: f_kept / (s_kept^2 - s_cut^2), whose difference is never
    smaller than what the kept one has above the threshold.
    """
    kept, safe = _kept(s, t)
    a, b = safe.unsqueeze(-1), safe.unsqueeze(-2)
    ka, kb = kept.unsqueeze(-1), kept.unsqueeze(-2)
    level = t.unsqueeze(-1)
    both = level / (a * b * (a + b))
    zero_a, zero_b = s.unsqueeze(-1), s.unsqueeze(-2)
    high, low = torch.maximum(zero_a, zero_b), torch.minimum(zero_a, zero_b)
    mixed = ka ^ kb
    gap = torch.where(mixed, high * (high - low) * (high + low), 1.0)
    return torch.where(ka & kb, both, torch.where(mixed, (high - level) / gap, 0.0))


class _Threshold(torch.autograd.Function):
    """Thresholding of wide matrices (n, m, k), m <= k, by ``amounts`` (n): absolute, or shares of the largest value."""

    @staticmethod
    def forward(ctx: Any, wide: Tensor, amounts: Tensor, relative: bool, check: Callable[[], None] | None) -> Tensor:
        u, s = _decompose(wide, relative and float(amounts.min()) >= SINGLE_FROM, check)
        t = amounts.unsqueeze(-1)
        if relative:
            t = t * s[:, -1:]
        ctx.relative = relative
        ctx.save_for_backward(wide, amounts, u, s, t)
        result: Tensor = ((u * _gain(s, t).unsqueeze(-2)) @ u.mH) @ wide
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, amounts, u, s, t = ctx.saved_tensors
        g = grad
        kept, safe = _kept(s, t)
        inner = u.mH @ (g @ x.mH) @ u
        middle = _divided_differences(s, t) * inner
        middle = middle + middle.mH
        # dY/dt = -(sum over kept of u v^H), and v^H = u^H X / s.
        diagonal = inner.diagonal(dim1=-2, dim2=-1)
        slope = diagonal.real if diagonal.is_complex() else diagonal
        by_threshold = -torch.where(kept & (s > 0), slope / safe, 0.0).sum(-1)
        by_amount = by_threshold
        if ctx.relative:
            top = s[:, -1:]
            equal = ((s >= top * (1.0 - TIE[s.dtype])) & (top > 0)).to(s.dtype)
            share = equal / equal.sum(-1, keepdim=True).clamp(min=1)
            weight = amounts.unsqueeze(-1) * by_threshold.unsqueeze(-1) * share / safe
            middle = middle + torch.diag_embed(weight.to(middle.dtype))
            by_amount = by_threshold * top.squeeze(-1)
        by_matrix = u @ (middle @ (u.mH @ x) + _gain(s, t).unsqueeze(-1) * (u.mH @ g))
        return by_matrix, by_amount, None, None
