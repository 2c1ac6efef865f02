"""Terms that hold a series to the signal model of relaxation, by the mapping network M, which is frozen.

Source: Y. Zhao, Y. Zhang, Q. Tao, "Relaxometry Guided Quantitative Cardiac Magnetic Resonance Image Reconstruction", STACOM 2023,
eqs. (10) and (13).

*Deviation*: means are taken where there is tissue (the authors' program does so too): pixels whose largest magnitude over time is
5 % of the image's or more. In air the parameters mean nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.core.axes import COIL
from engine.core.errors import InputError
from engine.losses.contract import LOSSES, Loss, LossInput
from engine.losses.parts import modulus
from engine.models.parts.mapping import MAPPING, MappingNetwork
from engine.physics.fourier import fft2c
from engine.physics.scaling import scale_of

AIR = 0.05
MS = 1000.0


def tissue(magnitudes: Tensor) -> Tensor:
    """Return 1 where there is tissue and 0 in air, real (batch, 1, y, x), of magnitudes (batch, frame, y, x)."""
    highest = magnitudes.detach().amax(1, keepdim=True)
    return (highest >= AIR * highest.amax((-2, -1), keepdim=True)).to(magnitudes.dtype)


def in_tissue(difference: Tensor, where: Tensor) -> Tensor:
    """Return the mean of |difference| (batch, any, y, x) where ``where`` (batch, 1, y, x) is 1."""
    return (difference.abs() * where).sum() / (where.sum() * difference.shape[1]).clamp_min(1)


def mapping_scale(magnitudes: Tensor) -> float:
    """Return what magnitudes (batch, frame, y, x) are divided by before the mapping network sees them.

    The 99th percentile of their own k-space, as where maps are estimated (:mod:`engine.relaxometry.network`): training and use
    must agree, because the amplitude is not free of scale.
    """
    return scale_of(fft2c(magnitudes.detach().to(torch.complex64)).unsqueeze(COIL), None, MAPPING.normalise)


def signal(data: LossInput) -> Tensor:
    """Return the mean of |s(M(x), t) - x| in tissue, x the magnitudes of the prediction, eq. (10)."""
    network, times = _asked(data)
    magnitudes = modulus(data.image)
    reference = modulus(data.truth) if data.target is not None else magnitudes
    scaled = magnitudes / mapping_scale(reference)
    return in_tissue(network.signal(network(times, scaled), times) - scaled, tissue(reference))


def maps(data: LossInput) -> Tensor:
    """Return the mean of |M(x) - M(truth)| in tissue over all parameters, the last term of eq. (13)."""
    network, times = _asked(data)
    reference = modulus(data.truth)
    scale = mapping_scale(reference)
    with torch.no_grad():
        expected = network(times, reference / scale)
    return in_tissue(network(times, modulus(data.image) / scale) - expected, tissue(reference))


def l1_tissue(data: LossInput) -> Tensor:
    """Return the mean absolute error of magnitudes in tissue: what the mapping network itself is trained with, eq. (10)."""
    reference = modulus(data.truth)
    return in_tissue(modulus(data.image) - reference, tissue(reference))


def _asked(data: LossInput) -> tuple[MappingNetwork, Tensor]:
    if not isinstance(data.mapping, MappingNetwork):
        raise InputError(
            "the relaxometry terms of losses need model.mapping (expected weights of the mapping network / found none)",
            "Train one with model.network = mapping_network and name its weights.",
        )
    if data.times_ms is None:
        raise InputError(
            "the relaxometry terms of losses need the inversion or echo times (found none)",
            "Give series with times, or leave them out.",
        )
    return data.mapping, data.times_ms / MS


LOSSES.register(
    "relax_signal",
    Loss(
        "relax_signal",
        "Images follow the signal model",
        signal,
        needs_target=False,
        source="VN-UNet-relax, eq. 10",
        needs_mapping=True,
    ),
)
LOSSES.register(
    "relax_maps",
    Loss("relax_maps", "Maps as of the full sampling", maps, source="VN-UNet-relax, eq. 13", needs_mapping=True),
)
LOSSES.register("l1_tissue", Loss("l1_tissue", "Mean absolute error in tissue", l1_tissue, source="VN-UNet-relax, eq. 10"))
