"""Frames in chunks: what a network does to every frame by itself need not hold all of them at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Pixels that are worked on at once: on a CPU one frame of 181 x 181, whose features stay in its cache (a fifth faster than four).
CPU_PIXELS = 1 << 15
CUDA_PIXELS = 1 << 21


def in_chunks(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return ``network(images)`` for (image, channel, y, x), a few images at a time."""
    count, pixels = images.shape[0], images.shape[-2] * images.shape[-1]
    step = max(1, (CPU_PIXELS if images.device.type == "cpu" else CUDA_PIXELS) // pixels)
    if step >= count:
        return network(images)
    return torch.cat([network(images[first : first + step]) for first in range(0, count, step)])
