"""Multiply-accumulate counts of networks."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from engine.models.contract import ModelSpec, ReconInput
from engine.physics.operator import SenseOperator

SMALL = 24
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def macs(spec: ModelSpec, preset: str) -> float | None:
    """Return the multiply-accumulates of one forward pass at the shape the spec names (``"12x10x128x128"``: frame, coil, y, x).

    The layers with weights count, convolutions, transposed convolutions and dense layers, without their bias; norms, FFTs,
    decompositions and the physics do not. The network is run on one coil and a small matrix, and the count is scaled by the number
    of pixels: exact for convolutions that keep the size, which all of these are after padding to a common multiple.

    Returns None when the spec names no shape.
    """
    match = re.fullmatch(r"(\d+)x(\d+)x(\d+)x(\d+)", spec.macs_shape)
    if match is None:
        return None
    frames, _, height, width = (int(number) for number in match.groups())
    mask = torch.ones((1, 1, 1, SMALL, 1), dtype=torch.bool)
    operator = SenseOperator(mask, torch.ones((1, 1, 1, SMALL, SMALL), dtype=torch.complex64))
    kspace = torch.randn((1, frames, 1, SMALL, SMALL), dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    method = spec.build(spec.presets[preset])
    if not isinstance(method, nn.Module):
        return None
    counted = 0.0
    pixels = (height * width) / (SMALL * SMALL)

    def count(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        nonlocal counted
        if isinstance(layer, nn.Linear):
            # Dense layers work on channel means here: their cost does not grow with the matrix.
            counted += output.numel() * layer.in_features
        elif isinstance(layer, CONVOLUTIONS):
            counted += pixels * output.numel() * layer.weight[0].numel()
        elif isinstance(layer, TRANSPOSED):
            counted += pixels * inputs[0].numel() * layer.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in method.modules() if isinstance(m, (nn.Linear, *CONVOLUTIONS, *TRANSPOSED))]
    try:
        with torch.inference_mode():
            method(ReconInput(kspace=kspace, operator=operator))
    finally:
        for hook in hooks:
            hook.remove()
    return counted
