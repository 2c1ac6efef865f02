"""Mean squared errors of the image."""

from __future__ import annotations

from torch import Tensor

from engine.losses.contract import LOSSES, Loss, LossInput
from engine.losses.parts import modulus


def compute(data: LossInput) -> Tensor:
    """Return the mean of |image - target|^2 over pixels and frames."""
    return (data.image - data.truth).abs().square().mean()


def magnitude(data: LossInput) -> Tensor:
    """Return the mean of (|image| - |target|)^2 over pixels and frames."""
    return (modulus(data.image) - modulus(data.truth)).square().mean()


LOSSES.register("mse", Loss("mse", "Mean squared error", compute, source="JotlasNet, section 3.2.4, one coil", needs_phase=True))
LOSSES.register(
    "mse_magnitude",
    Loss("mse_magnitude", "Mean squared error of magnitudes", magnitude, source="JotlasNet, section 4.1, several coils"),
)
