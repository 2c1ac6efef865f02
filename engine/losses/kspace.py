"""Differences of k-space."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.losses.contract import LOSSES, Loss, LossInput
from engine.physics.coils import expand
from engine.physics.fourier import fft2c

SMALLEST = 1e-12


def predicted(data: LossInput) -> Tensor:
    """Return k-space of the predicted image at all places, complex64 (batch, frame, coil, ky, kx)."""
    return fft2c(expand(data.image, data.operator.maps))


def self_supervised(data: LossInput) -> Tensor:
    """Return the mean of the normalised L2 and L1 differences on the samples that were held back.

    Source: SSDU (Yaman et al., MRM 2020), eq. 7: ||k - k'||_2 / ||k||_2 + ||k - k'||_1 / ||k||_1.
    """
    places = torch.ones_like(data.full, dtype=torch.bool) if data.measured is None else data.measured.expand_as(data.full)
    truth = data.full[places]
    difference = predicted(data)[places] - truth
    magnitude = torch.sqrt(difference.real.square() + difference.imag.square() + SMALLEST)
    two = torch.linalg.vector_norm(torch.view_as_real(difference)) / torch.linalg.vector_norm(truth).clamp_min(SMALLEST)
    one = magnitude.sum() / truth.abs().sum().clamp_min(SMALLEST)
    return two + one


LOSSES.register(
    "kspace_l1_l2",
    Loss("kspace_l1_l2", "Normalised L1 and L2 of k-space", self_supervised, needs_target=False, source="SSDU, eq. 7"),
)
