"""The symmetry constraint of networks whose learned transform has a learned inverse (ISTA-Net, SLR-Net)."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.losses.contract import LOSSES, Loss, LossInput

STAGE = "symmetry"


def compute(data: LossInput) -> Tensor:
    """Return the sum over cells of the mean squared residual that they report as ``"symmetry"``.

    Networks report it while they train only; from others, and in validation, the term is zero. Published weight: 0.01.
    """
    residuals = data.stages.get(STAGE, ())
    if not residuals:
        return data.image.real.new_zeros(())
    return torch.stack([residual.square().mean() for residual in residuals]).sum()


LOSSES.register(
    STAGE,
    Loss(
        STAGE,
        "Transform and its inverse cancel",
        compute,
        needs_target=False,
        source="JotlasNet, eq. (20), after ISTA-Net (Zhang and Ghanem, CVPR 2018)",
        of_image=False,
        networks=("ista_net", "slr_net"),
    ),
)
