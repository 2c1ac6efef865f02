"""Mean squared errors of the image, and the peak signal-to-noise ratio that comes of them."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.losses.contract import LOSSES, Loss, LossInput
from engine.losses.parts import modulus


def compute(data: LossInput) -> Tensor:
    """Return the mean of |image - target|^2 over pixels and frames."""
    return (data.image - data.truth).abs().square().mean()


def magnitude(data: LossInput) -> Tensor:
    """Return the mean of (|image| - |target|)^2 over pixels and frames."""
    return (modulus(data.image) - modulus(data.truth)).square().mean()


def decibels(data: LossInput) -> Tensor:
    """Return the mean squared error in dB of the target's largest magnitude squared: minus the PSNR of the complex image.

    Its gradient is that of the mean squared error, divided by it: hard and easy examples (noise, R, anatomy) count alike,
    whereas a mean of squared or absolute errors is mostly that of the hardest.
    """
    error = (data.image - data.truth).abs().square().mean((1, 2, 3))
    peak = data.truth.detach().abs().amax((1, 2, 3)).square()
    tiny = torch.finfo(error.dtype).tiny
    return (10.0 * torch.log10((error / peak.clamp_min(tiny)).clamp_min(tiny))).mean()


LOSSES.register("mse", Loss("mse", "Mean squared error", compute, source="JotlasNet, section 3.2.4, one coil", needs_phase=True))
LOSSES.register(
    "mse_magnitude",
    Loss("mse_magnitude", "Mean squared error of magnitudes", magnitude, source="JotlasNet, section 4.1, several coils"),
)
LOSSES.register(
    "psnr",
    Loss("psnr", "Mean squared error in decibels (minus the PSNR)", decibels, source="This program's own", needs_phase=True),
)
