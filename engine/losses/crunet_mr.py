"""The loss of CRUNet-MR: k-space, image and structural similarity of real and imaginary part."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.losses.contract import LOSSES, Loss, LossInput
from engine.losses.parts import SMALLEST, similarity

KSPACE, IMAGE = 0.25, 0.5


def compute(data: LossInput) -> Tensor:
    """Return 0.25 MSE(k) + 0.5 (MSE(x) + L1(x)) + (L_SSIM(Re x) + L_SSIM(Im x)) / 2, means over real and imaginary parts.

    k is the orthonormal transform of the combined image, so that MSE(k) is MSE(x) (Parseval) and no transform is computed. For
    SSIM each part of prediction and target is divided by its own largest value, and the data range is 1, as in the authors'
    program.

    *Deviation*: a part without any positive value is divided by a small positive number; the authors' program changes its sign.
    """
    image, truth = torch.view_as_real(data.image), torch.view_as_real(data.truth)
    difference = image - truth
    squared = difference.square().mean()
    absolute = difference.abs().mean()
    structure = [1 - similarity(_own_range(image[..., part]), _own_range(truth[..., part]), 1.0) for part in range(2)]
    return KSPACE * squared + IMAGE * (squared + absolute) + 0.5 * (structure[0] + structure[1])


def _own_range(values: Tensor) -> Tensor:
    return values / values.amax().clamp_min(SMALLEST)


LOSSES.register(
    "crunet_mr",
    Loss("crunet_mr", "CRUNet-MR's loss", compute, source="CRUNet-MR, section 2.4, and its authors' program", needs_phase=True),
)
