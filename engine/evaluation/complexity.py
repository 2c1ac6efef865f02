"""Multiply-accumulate counts of networks."""

from __future__ import annotations

import re

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.models.contract import ModelSpec, ReconInput
from engine.physics.operator import SenseOperator

SMALL = 24


def macs(spec: ModelSpec, preset: str) -> float | None:
    """Return the multiply-accumulates of one forward pass at the shape the spec names (``"12x10x128x128"``: frame, coil, y, x).

    Convolutions, transposed convolutions and matrix products of the network count, without bias, norms, FFTs, decompositions and
    the physics. The network is run on one coil and a small matrix and the count is scaled by the number of pixels: exact for
    convolutions that keep the size, which all of these are after padding to a common multiple.

    Returns None when the spec names no shape.
    """
    match = re.fullmatch(r"(\d+)x(\d+)x(\d+)x(\d+)", spec.macs_shape)
    if match is None:
        return None
    frames, _, height, width = (int(number) for number in match.groups())
    side = SMALL
    mask = torch.ones((1, 1, 1, side, 1), dtype=torch.bool)
    maps = torch.ones((1, 1, 1, side, side), dtype=torch.complex64)
    operator = SenseOperator(mask, maps)
    kspace = torch.randn((1, frames, 1, side, side), dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    method = spec.build(spec.presets[preset])
    with FlopCounterMode(display=False) as whole, torch.inference_mode():
        method(ReconInput(kspace=kspace, operator=operator))
    physics = _physics_flops(whole)
    return float(whole.get_total_flops() - physics) / 2 * (height * width) / (side * side)


def _physics_flops(counter: FlopCounterMode) -> int:
    """Return the FLOPs counted in batched matrix products on complex data: Gram operator, decompositions; not the network."""
    counts = counter.get_flop_counts().get("Global", {})
    return sum(int(n) for op, n in counts.items() if str(op) in ("aten.bmm", "aten.baddbmm"))
