"""Mean squared error of the complex image."""

from __future__ import annotations

from torch import Tensor

from engine.losses.contract import LOSSES, Loss, LossInput


def compute(data: LossInput) -> Tensor:
    """Return the mean of |image - target|^2 over pixels and frames."""
    return (data.image - data.truth).abs().square().mean()


LOSSES.register("mse", Loss("mse", "Mean squared error", compute, source="JotlasNet, section 4.2"))
