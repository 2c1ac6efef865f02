"""1 - SSIM of magnitudes, image by image or over time as well."""

from __future__ import annotations

from torch import Tensor

from engine.losses.contract import LOSSES, Loss, LossInput
from engine.losses.parts import modulus, similarity


def compute(data: LossInput) -> Tensor:
    """Return 1 less the mean SSIM of the frames; data range is the largest magnitude of the target."""
    truth = modulus(data.truth)
    return 1 - similarity(modulus(data.image), truth, truth.amax().detach())


def volume(data: LossInput) -> Tensor:
    """Return 1 less the mean SSIM with a 7 x 7 x 7 window over frame, y, x; data range as in :func:`compute`."""
    truth = modulus(data.truth)
    return 1 - similarity(modulus(data.image), truth, truth.amax().detach(), axes=3)


LOSSES.register("ssim", Loss("ssim", "1 - SSIM", compute, source="EGLAVarNet, eq. 13; DIRECT: 7 x 7 flat, K1 .01, K2 .03"))
LOSSES.register("ssim3d", Loss("ssim3d", "1 - SSIM over time too", volume, source="vSHARP and CineVN: 7 x 7 x 7 flat"))
