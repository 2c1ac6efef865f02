"""Mean absolute error of the complex image."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.losses.contract import LOSSES, Loss, LossInput

SMALLEST = 1e-12  # under the root: |z| has no gradient at 0


def compute(data: LossInput) -> Tensor:
    """Return the mean of |image - target| over pixels and frames."""
    difference = data.image - data.truth
    return torch.sqrt(difference.real.square() + difference.imag.square() + SMALLEST).mean()


LOSSES.register("l1", Loss("l1", "Mean absolute error", compute, source="IMA, eq. 25"))
