"""Differences of k-space."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.losses.contract import LOSSES, Loss, LossInput
from engine.losses.parts import SMALLEST, modulus
from engine.physics.coils import expand
from engine.physics.fourier import fft2c


def predicted(data: LossInput) -> Tensor:
    """Return k-space of the predicted image at all places, complex (batch, frame, coil, ky, kx)."""
    return fft2c(expand(data.image, data.operator.maps))


def self_supervised(data: LossInput) -> Tensor:
    """Return the sum of the normalised L2 and L1 differences on the samples that were held back.

    Source: SSDU (Yaman et al., MRM 2020), eq. 7: ||k - k'||_2 / ||k||_2 + ||k - k'||_1 / ||k||_1.
    """
    places = torch.ones_like(data.full, dtype=torch.bool) if data.measured is None else data.measured.expand_as(data.full)
    truth = data.full[places]
    difference = predicted(data)[places] - truth
    two = torch.linalg.vector_norm(torch.view_as_real(difference)) / torch.linalg.vector_norm(truth).clamp_min(SMALLEST)
    one: Tensor = modulus(difference).sum() / truth.abs().sum().clamp_min(SMALLEST)
    total: Tensor = two + one
    return total


def absolute(data: LossInput) -> Tensor:
    """Return the normalised mean absolute error, sum |k - k'| / sum |k| over real and imaginary parts, in all places measured.

    Source: EGLAVarNet, eq. (13), L_kspace ("frequency-domain normalized absolute error"); the same in DIRECT, on which it is built:
    all of k-space is compared, not only what the mask showed.
    """
    return absolute_of(predicted(data), data.full, data.measured)


def absolute_of(estimate: Tensor, truth: Tensor, measured: Tensor | None = None) -> Tensor:
    """Return sum |k - k'| / sum |k| over real and imaginary parts where ``measured`` (everywhere when None)."""
    difference = torch.view_as_real(estimate - truth).abs()
    if measured is not None:
        difference = difference * measured[..., None]
    return difference.sum() / torch.view_as_real(truth).abs().sum().clamp_min(SMALLEST)


LOSSES.register(
    "kspace_l1_l2",
    Loss(
        "kspace_l1_l2",
        "Normalised L1 and L2 of k-space",
        self_supervised,
        needs_target=False,
        source="SSDU, eq. 7",
        needs_phase=True,
    ),
)
LOSSES.register(
    "kspace_nmae",
    Loss(
        "kspace_nmae",
        "Normalised mean absolute error of k-space",
        absolute,
        needs_target=False,
        source="EGLAVarNet, eq. 13; DIRECT",
        needs_phase=True,
    ),
)
