"""One example through the network: prediction, loss, scores."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from engine.datasets.examples import Example
from engine.losses import LOSSES, LossInput
from engine.models.contract import ModelSpec, ReconInput
from engine.physics.operator import SenseOperator
from engine.physics.scaling import find_scale

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Parts:
    """Keeps what every cascade reports, by name."""

    def __init__(self) -> None:
        self.found: dict[str, list[Tensor]] = defaultdict(list)

    def __call__(self, index: int, part: str, value: Tensor) -> None:  # noqa: ARG002 (cascades report in order)
        """Take one part of one stage."""
        self.found[part].append(value)


@contextlib.contextmanager
def precision(device: torch.device, name: str) -> Iterator[None]:
    """Run the network in mixed precision; the physics is complex and stays in single precision."""
    kind = DTYPES.get(name)
    with torch.autocast(device.type, kind or torch.bfloat16, enabled=kind is not None):
        yield


def predict(
    module: nn.Module, spec: ModelSpec, example: Example, kind: str, input_mask: Tensor | None = None
) -> tuple[Tensor, LossInput]:
    """Return the image and what the losses need, both on the network's scale; ``input_mask`` shows the network less."""
    mask = example.mask if input_mask is None else input_mask
    kspace = example.kspace if input_mask is None else example.kspace * input_mask
    scale = find_scale(kspace[0], mask[0, :, 0], spec.normalise)
    operator = SenseOperator(mask, example.maps)
    parts = Parts()
    data = ReconInput(
        kspace=scale.normalise(kspace),
        operator=operator,
        times_ms=example.times_ms,
        reference=_guide(spec, example, scale.factor),
        acs=example.acs,
        stages=parts,
    )
    with precision(kspace.device, kind):
        image: Tensor = module(data)
    return image, LossInput(
        image=image,
        target=None if example.target is None else scale.normalise(example.target),
        full=scale.normalise(example.full),
        measured=example.measured,
        operator=operator,
        stages=parts.found,
        times_ms=example.times_ms,
    )


def _guide(spec: ModelSpec, example: Example, factor: float) -> Tensor | None:
    """Return the second sequence for networks that need one: the temporal mean of what was measured, as said in their notes."""
    if not spec.needs_reference:
        return None
    lines = example.mask.expand(-1, example.kspace.shape[1], -1, -1, -1).sum(1, keepdim=True)
    mean = example.kspace.sum(1, keepdim=True) / lines.clamp_min(1) / factor
    still = SenseOperator((lines > 0), example.maps).adjoint(mean)
    return still.expand(-1, example.kspace.shape[1], -1, -1)


def total(losses: Mapping[str, float], data: LossInput) -> tuple[Tensor, dict[str, float]]:
    """Return the weighted sum of loss terms, and each of them."""
    terms = {name: LOSSES.get(name).compute(data) for name in losses}
    whole = torch.stack([weight * terms[name] for name, weight in losses.items()]).sum()
    return whole, {name: float(value.detach()) for name, value in terms.items()}
