"""What a step of a run will take, told before it is started: memory from a walk without values, time from a small step measured.

The walk goes through one example's forward and backward pass on arrays that have shapes but no values; what lives at once is added
up. The time is that of a whole step on a crop, multiplied by the number of pixels: on a machine that has nothing else to do.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn

from engine.core import device as devices
from engine.core.device import MIB
from engine.core.jobs import Reporter, silent
from engine.core.records.training import TrainEstimate
from engine.core.types import Kind
from engine.datasets.examples import Example
from engine.evaluation.dry_run import Unforeseeable, without_memory
from engine.losses import LOSSES
from engine.models.contract import ModelSpec
from engine.models.parts.checkpointing import recomputing
from engine.models.parts.mapping import MAPPING
from engine.reconstruction.memory import HOLES, HOLES_MIB, LIBRARIES_MIB, LiveBytes
from engine.sampling.acs import centre_lines
from engine.training.checks import check
from engine.training.config import TrainConfig
from engine.training.loop import reads_stages
from engine.training.steps import predict, total

SMALL = (4, 64, 32)  # frames, lines and columns of the step that is measured
REPEATS, REPEAT_SECONDS = 6, 1.0
PATIENCE_PARAMETERS = 30_000_000  # networks larger than that take too long to measure while somebody types
COPIES = 3  # moving average and two moments, beside the weights and their gradients, which the walk sees


def estimate(config: TrainConfig, report: Reporter | None = None) -> TrainEstimate:
    """Return what a step will take: memory and sizes of the largest example, time of a medium one.

    Raises
    ------
    InputError
        A contradiction.
    Cancelled
        When ``report`` was asked to stop.
    """
    report = report or silent()
    spec, network_config = check(config)
    frames, lines, columns = sizes(config, spec, network_config)
    coils = config.data.acquisition.coils[1]
    with torch.device("meta"):
        module = spec.build(network_config)
    assert isinstance(module, nn.Module)
    parameters = sum(p.numel() for p in module.parameters())
    device = devices.choose(config.run.device)
    return TrainEstimate(
        memory_mib=memory(config, spec, network_config, (frames, coils, lines, columns), device, report),
        seconds_per_step=seconds(config, spec, network_config, (frames, coils, lines, columns), device, parameters, report),
        parameters=parameters,
        frames=frames,
        lines=lines,
        columns=columns,
        device=devices.label(device),
    )


def sizes(config: TrainConfig, spec: ModelSpec, network_config: Any) -> tuple[int, int, int]:
    """Return (frames, lines, columns) of the largest example that sources with simulated acquisitions give."""
    acquisition = config.data.acquisition
    cine = Kind.CINE in spec.kinds
    frames = spec.frames_of(network_config) or (acquisition.frames[1] if cine else 9)
    return frames, acquisition.matrix[1], min(config.data.columns or acquisition.matrix[1], acquisition.matrix[1])


def example_of(shape: tuple[int, int, int, int], values: bool) -> Example:
    """Return an example of (frame, coil, ky, kx) at R = 4; noise where ``values``, otherwise nothing in particular."""
    frames, _, lines, columns = shape
    mask = torch.zeros((1, 1, 1, lines, 1), dtype=torch.bool)
    mask[..., ::4, :] = True
    mask[..., centre_lines(lines, min(24, lines)), :] = True
    make: Any = (lambda *size: torch.randn(size, dtype=torch.complex64)) if values else torch.empty
    kspace = make(1, *shape) if values else torch.empty((1, *shape), dtype=torch.complex64)
    image = make(1, frames, lines, columns) if values else torch.empty((1, frames, lines, columns), dtype=torch.complex64)
    maps = torch.ones((1, 1, *shape[1:]), dtype=torch.complex64) / shape[1] ** 0.5
    times = torch.linspace(0.1, 5.0, frames)[None] * 1000
    return Example(kspace * mask, mask, maps, image, kspace, None, times, min(24, lines), "estimate")


def one_step(
    config: TrainConfig, spec: ModelSpec, module: nn.Module, example: Example, report: Reporter, rehearsal: bool = False
) -> Tensor:
    """Go forward and backward through one example; return the loss. The terms are those that need no other network."""
    with recomputing(config.run.checkpointing):
        image, data = predict(
            module, spec, example, config.run.precision, report=report, stages=reads_stages(config), rehearsal=rehearsal
        )
    if spec is MAPPING or not config.losses:
        loss = (image.abs() - data.truth.abs()).abs().mean()
    else:
        simple = {name: weight for name, weight in config.losses.items() if not LOSSES.get(name).needs_mapping}
        loss = total(simple, data, config.cascades)[0] if simple else (image - data.truth).abs().mean()
    loss.backward()
    return loss.detach()


def memory(
    config: TrainConfig,
    spec: ModelSpec,
    network_config: Any,
    shape: tuple[int, int, int, int],
    device: torch.device,
    report: Reporter,
) -> float | None:
    """Return MiB that a step takes at its peak, beside what the program has already; None where it cannot be told."""
    live = LiveBytes("cpu")
    try:
        with without_memory(live.watch), torch.enable_grad():
            module = spec.build(network_config)
            assert isinstance(module, nn.Module)
            module.train()
            weights = live.live
            one_step(config, spec, module, example_of(shape, values=False), report, rehearsal=True)
    except Unforeseeable:
        return None
    found = (live.peak + COPIES * weights) / MIB
    if device.type != "cpu":
        return found
    return found + LIBRARIES_MIB + min(HOLES * found, HOLES_MIB)


def seconds(
    config: TrainConfig,
    spec: ModelSpec,
    network_config: Any,
    shape: tuple[int, int, int, int],
    device: torch.device,
    parameters: int,
    report: Reporter,
) -> float | None:
    """Return about how long a step takes; None for networks that take too long to measure."""
    if parameters > PATIENCE_PARAMETERS:
        return None
    frames = spec.frames_of(network_config) or min(SMALL[0], shape[0])
    small = (frames, min(4, shape[1]), min(SMALL[1], shape[2]), min(SMALL[2], shape[3]))
    module = spec.build(network_config)
    assert isinstance(module, nn.Module)
    module.train().to(device)
    example = example_of(small, values=True).to(device)
    spent: list[float] = []
    while len(spent) < 2 or (len(spent) < REPEATS and sum(spent) < REPEAT_SECONDS):  # the first one warms up
        began = time.perf_counter()
        one_step(config, spec, module, example, report)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        spent.append(time.perf_counter() - began)
    # The fastest one was disturbed least; and an example of medium size is what an average step takes.
    return min(spent[1:]) * _medium(config, spec, network_config, shape) / (small[0] * small[2] * small[3]) * config.optimiser.batch


def _medium(config: TrainConfig, spec: ModelSpec, network_config: Any, shape: tuple[int, int, int, int]) -> float:
    """Return the pixels of all frames of an example of medium size."""
    acquisition = config.data.acquisition
    side = sum(acquisition.matrix) / 2
    fixed = spec.frames_of(network_config) is not None or Kind.CINE not in spec.kinds
    frames = shape[0] if fixed else sum(acquisition.frames) / 2
    return frames * side * min(config.data.columns or side, side)
