"""What losses are given in these tests."""

from __future__ import annotations

import json

import numpy as np
import torch

from engine.losses import LossInput
from engine.physics.coils import expand
from engine.physics.fourier import fft2c
from engine.physics.operator import SenseOperator


def loss_input(image, target=None, coils=1, **others):
    """Return loss input of images (batch, frame, y, x) with constant coil maps of unit sum of squares."""
    *_, height, width = image.shape
    maps = torch.ones(1, 1, coils, height, width, dtype=image.dtype) / coils**0.5
    operator = SenseOperator(torch.ones(1, 1, 1, height, 1, dtype=torch.bool), maps)
    full = others.pop("full", fft2c(expand((image if target is None else target).detach(), maps)))
    return LossInput(image=image, target=target, full=full, measured=others.pop("measured", None), operator=operator, **others)


def noise(*shape, seed=0, dtype=torch.complex128):
    """Return complex noise."""
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def golden(shared):
    """Return (arrays, values) of the golden losses: predictions and targets as complex tensors with a phase of their own."""
    folder = shared / "golden" / "losses"
    with np.load(folder / "io.npz") as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, json.loads((folder / "config.json").read_text())["values"]


def golden_input(shared):
    """Return loss input of the golden pair; both have the same phase, which no term of magnitudes may see."""
    arrays, values = golden(shared)
    estimate, truth = (torch.from_numpy(arrays[name].astype(np.float64))[None] for name in ("prediction", "target"))
    turned = torch.polar(torch.ones_like(truth), 3 * torch.sin(torch.arange(truth.numel()).reshape(truth.shape).double()))
    return loss_input(estimate * turned, truth * turned), arrays, values
