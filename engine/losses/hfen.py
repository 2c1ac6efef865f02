"""High-frequency error norm of magnitudes, as a loss."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.losses.contract import LOSSES, Loss, LossInput
from engine.losses.parts import SMALLEST, laplacian_of_gaussian, modulus
from engine.metrics.hfen import SIGMA, SIZE


def kernel() -> Tensor:
    """Return DIRECT's 15 x 15 Laplacian of Gaussian of sigma 2.5, scaled to sum -1 (so that constants do not vanish)."""
    at = torch.arange(SIZE, dtype=torch.float64) - SIZE // 2
    squared = at[:, None].square() + at.square()
    taps = torch.exp(-0.5 * squared / SIGMA**2) * (squared - 2 * SIGMA**2)
    return -taps / taps.sum()


def error(estimate: Tensor, reference: Tensor, squared: bool = False, normalised: bool = True) -> Tensor:
    """Return the mean of |LoG(e - r)| (or its square) over real (..., y, x), divided by that of the unfiltered reference.

    *Deviation* from what HFEN is elsewhere: DIRECT, which EGLAVarNet is built on, divides by the norm of the reference itself, not
    of its filtered form; the values are its values.
    """
    difference = laplacian_of_gaussian(estimate - reference, kernel())
    found, scale = (difference.square(), reference.square()) if squared else (difference.abs(), reference.abs())
    return found.mean() / scale.mean().clamp_min(SMALLEST) if normalised else found.mean()


def compute(data: LossInput) -> Tensor:
    """Return the normalised L1 error of the filtered magnitudes."""
    return error(modulus(data.image), modulus(data.truth))


LOSSES.register("hfen", Loss("hfen", "High-frequency error", compute, source="EGLAVarNet, eq. 13; DIRECT: LoG 15 x 15, L1"))
