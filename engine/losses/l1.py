"""Mean absolute errors of the image."""

from __future__ import annotations

from torch import Tensor

from engine.losses.contract import LOSSES, Loss, LossInput
from engine.losses.parts import modulus


def compute(data: LossInput) -> Tensor:
    """Return the mean of |image - target| over pixels and frames."""
    return modulus(data.image - data.truth).mean()


def magnitude(data: LossInput) -> Tensor:
    """Return the mean of ||image| - |target|| over pixels and frames.

    With coil maps of unit sum of squares |image| is the root sum of squares of the coil images, which DIRECT's L1 compares.
    """
    return (modulus(data.image) - modulus(data.truth)).abs().mean()


LOSSES.register("l1", Loss("l1", "Mean absolute error", compute, source="IMA, eq. 25", needs_phase=True))
LOSSES.register(
    "l1_magnitude",
    Loss("l1_magnitude", "Mean absolute error of magnitudes", magnitude, source="EGLAVarNet, eq. 13; VN-UNet-relax, eq. 9"),
)
