"""Networks that treat every frame alone: a few frames at a time, so that memory does not grow with their number."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor

from engine.core.axes import KSPACE_FRAME, KX, KY
from engine.core.errors import ShapeError
from engine.models.contract import ReconInput, StageSink, no_stages
from engine.models.parts import forms

# Pixels that are worked on at once where no gradient is wanted, whatever the network: about one frame of 204 x 448 on a CPU,
# where more would only leave the cache, and three on a GPU, which that keeps busy.
PIXELS_AT_ONCE = {"cpu": 1 << 17, "cuda": 1 << 18}

# The same for images that go through one network by themselves: on a CPU one frame of 181 x 181, whose features stay in its cache
# (a fifth faster than four).
IMAGE_PIXELS = {"cpu": 1 << 15, "cuda": 1 << 21}

BATCH_FRAME = 1  # the frame axis of stages, whatever follows it


def in_chunks(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return ``network(images)`` for real (image, channel, y, x), a few images at a time."""
    count, pixels = images.shape[0], images.shape[-2] * images.shape[-1]
    step = max(1, IMAGE_PIXELS.get(images.device.type, 1 << 21) // pixels)
    return network(images) if step >= count else torch.cat([network(part) for part in torch.split(images, step)])


def by_frames(data: ReconInput, network: Callable[[ReconInput], Tensor]) -> Tensor:
    """Return ``network(data)``, complex (batch, frame, y, x), computed for a few frames at a time.

    With gradients all frames go at once: the graph keeps everything anyhow.

    Parameters
    ----------
    data
        All frames.
    network
        Must give for some frames what it gives for them among others. What it leaves as stages is (batch, frame, ...), or has
        no axes when it is the same for all frames.
    """
    frames = data.kspace.shape[KSPACE_FRAME]
    pixels = data.kspace.shape[0] * data.kspace.shape[KY] * data.kspace.shape[KX]
    step = max(1, PIXELS_AT_ONCE.get(data.kspace.device.type, 1 << 17) // pixels)
    if torch.is_grad_enabled() or frames <= step:
        return network(data)
    gathered = _Gathered(data.stages)
    images = []
    for start in forms.pieces(frames, step):
        stop = min(frames, start + step)
        part = dataclasses.replace(
            data,
            kspace=data.kspace[:, start:stop],
            operator=data.operator.select_frames(start, stop),
            times_ms=None if data.times_ms is None else data.times_ms[:, start:stop],
            reference=None if data.reference is None else data.reference[:, start:stop],
            first=None if data.first is None else data.first[:, start:stop],
            report=data.report.part(start / frames, (stop - start) / frames, f"frame {start + 1} of {frames}: "),
            stages=gathered.sink(),
        )
        images.append(network(part))
    # In a rehearsal the first part stands for all.
    images += [images[0][:, : min(step, frames - start)].clone() for start in range(len(images) * step, frames, step)]
    gathered.pass_on()
    return torch.cat(images, dim=BATCH_FRAME)


class _Gathered:
    """Stages of some frames after another, put together."""

    def __init__(self, sink: StageSink) -> None:
        self._sink = sink
        self._values: dict[tuple[int, str], list[Tensor]] = defaultdict(list)

    def sink(self) -> StageSink:
        """Return where the network leaves its stages; nowhere when nobody wants them."""
        return no_stages if self._sink is no_stages else lambda index, part, value: self._values[index, part].append(value)

    def pass_on(self) -> None:
        """Give the stages of all frames on."""
        for (index, part), values in self._values.items():
            self._sink(index, part, values[0] if values[0].ndim == 0 else torch.cat(values, dim=BATCH_FRAME))


def require_frames(data: ReconInput, frames: int, name: str) -> None:
    """Raise ``ShapeError`` unless the series has as many frames as the network called ``name`` has channels for."""
    found = data.kspace.shape[KSPACE_FRAME]
    if found != frames:
        raise ShapeError(
            f"{name} takes the frames as channels and was built for another number of them (expected {frames} / found {found})",
            f"Choose weights for {found} frames, {frames} of the frames, or a network that takes any number.",
        )
