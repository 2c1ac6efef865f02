"""One example through the network: prediction, loss, scores."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from engine.core.errors import InputError
from engine.core.jobs import Reporter, silent
from engine.datasets.examples import Example
from engine.losses import LOSSES, LossInput
from engine.losses.relaxometry import MS, mapping_scale
from engine.models.contract import ModelSpec, ReconInput, StageSink, no_stages
from engine.models.parts.forms import plain
from engine.models.parts.mapping import MAPPING, MappingNetwork
from engine.models.parts.sharing import average_of_frames
from engine.physics.operator import GRAM_LIMIT_MIB, SenseOperator
from engine.physics.scaling import find_scale

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Parts:
    """Keeps what every cascade reports, by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, list[Tensor]] = defaultdict(list)

    def __call__(self, index: int, part: str, value: Tensor) -> None:  # noqa: ARG002 (cascades report in order)
        """Take one part of one stage."""
        self.by_name[part].append(value)


@contextlib.contextmanager
def precision(device: torch.device, name: str) -> Iterator[None]:
    """Run the network in mixed precision; the physics is complex and stays in single precision."""
    kind = DTYPES.get(name)
    with torch.autocast(device.type, kind or torch.bfloat16, enabled=kind is not None):
        yield


def predict(
    module: nn.Module,
    spec: ModelSpec,
    example: Example,
    kind: str,
    input_mask: Tensor | None = None,
    mapping: nn.Module | None = None,
    report: Reporter | None = None,
    stages: bool = True,
    rehearsal: bool = False,
) -> tuple[Tensor, LossInput]:
    """Return the image and what the losses need, both on the network's scale.

    Parameters
    ----------
    module, spec
        The network (or what wraps it) and what it is. Of the mapping network the image is the signal of its maps.
    example
        One example.
    kind
        Precision of the layers.
    input_mask
        Shows the network less than was measured.
    mapping
        The frozen mapping network, for terms of the loss that ask it.
    report
        Asked now and then whether to stop.
    stages
        Whether to keep what cascades report, for terms of the loss that read it.
    rehearsal
        Whether nobody wants the values (:class:`engine.models.contract.ReconInput`).
    """
    if spec is MAPPING:
        return _map(module, example, kind)
    mask = example.mask if input_mask is None else input_mask
    kspace = example.kspace if input_mask is None else example.kspace * input_mask
    scale = find_scale(kspace[0], mask[0, :, 0], spec.normalise)
    # The plain form has Fourier transforms with coils throughout.
    operator = SenseOperator(mask, example.maps, 0.0 if plain() else GRAM_LIMIT_MIB)
    parts = Parts()
    sink: StageSink = parts if stages else no_stages
    data = ReconInput(
        kspace=scale.normalise(kspace),
        operator=operator,
        times_ms=example.times_ms,
        acs=example.acs,
        rehearsal=rehearsal,
        report=report or silent(),
        stages=sink,
    )
    if spec.needs_reference:
        # As in a reconstruction without a second sequence: the mean of what was measured stands in for it.
        data = dataclasses.replace(data, reference=average_of_frames(data))
    with precision(kspace.device, kind):
        image: Tensor = module(data)
    return image, LossInput(
        image=image,
        target=None if example.target is None else scale.normalise(example.target),
        full=scale.normalise(example.full),
        measured=example.measured,
        operator=operator,
        stages=parts.by_name,
        times_ms=example.times_ms,
        mapping=mapping,
    )


def _map(module: nn.Module, example: Example, kind: str) -> tuple[Tensor, LossInput]:
    """Return the signal of the maps that the mapping network makes of the fully sampled image, and the image to compare it with.

    The network learns from the signal model alone (relaxometry-guided reconstruction, eq. (10)): no maps are needed.
    """
    if example.target is None or example.times_ms is None:
        missing = "times" if example.target is not None else "fully sampled images"
        raise InputError(
            f"model.network = {MAPPING.name} learns from fully sampled images and their times (found no {missing})",
            "Train it on series with times, for example phantom:molli.",
        )
    magnitudes = example.target.abs()
    scale = mapping_scale(magnitudes)
    scaled, times = magnitudes / scale, example.times_ms / MS
    network = module.module if isinstance(module, nn.parallel.DistributedDataParallel) else module
    assert isinstance(network, MappingNetwork)
    with precision(scaled.device, kind):
        maps = module(times, scaled)
    image = network.signal(maps, times).to(torch.complex64)
    return image, LossInput(
        image=image,
        target=scaled.to(torch.complex64),
        full=example.full / scale,
        measured=example.measured,
        operator=SenseOperator(example.mask, example.maps),
        times_ms=example.times_ms,
    )


def total(losses: Mapping[str, float], data: LossInput, cascades: str = "last") -> tuple[Tensor, dict[str, float]]:
    """Return the weighted sum of loss terms, and each of them.

    ``cascades`` "last" takes terms of an image of the final one; "all" their mean over the cascades' images; "log" with weights
    from 0.1 to 1, spaced evenly on a logarithmic scale, their sum (vSHARP; Yiasemis et al. 2023).
    """
    images = data.stages.get("image", ()) if cascades != "last" else ()
    terms: dict[str, Tensor] = {}
    for name in losses:
        loss = LOSSES.get(name)
        if not images or not loss.of_image:
            terms[name] = loss.compute(data)
            continue
        shares = cascade_weights(len(images), cascades)
        each = [share * loss.compute(dataclasses.replace(data, image=one)) for share, one in zip(shares, images, strict=True)]
        terms[name] = torch.stack(each).sum()
    whole = torch.stack([weight * terms[name] for name, weight in losses.items()]).sum()
    return whole, {name: float(value.detach()) for name, value in terms.items()}


def cascade_weights(count: int, rule: str) -> list[float]:
    """Return the weights of ``count`` cascades' images by the rule ``all`` or ``log``."""
    if rule == "all":
        return [1.0 / count] * count
    return [10.0 ** (-1 + n / max(1, count - 1)) if count > 1 else 1.0 for n in range(count)]
