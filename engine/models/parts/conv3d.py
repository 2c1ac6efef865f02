"""Three-dimensional convolution without padding, fast on a CPU for small batches on one thread too."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.core.jobs import Check
from engine.models.blocks import MACS_AT_ONCE, channels_last
from engine.models.parts import forms
from engine.models.parts.mixed3d import conv3d

VALUES_AT_ONCE = 1 << 24  # of the padded input between two looks at the cancel button: 64 MiB


def convolve3d(
    features: Tensor,
    kernel: Tensor,
    bias: Tensor | None = None,
    dilation: int = 1,
    check: Check | None = None,
    pad: Callable[[Tensor], Tensor] | None = None,
    order: Tensor | None = None,
) -> Tensor:
    """Return the convolution (batch, out, frame', y', x') of (batch, in, frame, y, x) with (out, in, kt, ky, kx); sizes shrink.

    The library's own takes a naive loop on a CPU in float32, up to 40 times slower, for small batches on one thread; its
    vectorised form is called directly there. In other types and under mixed precision the library finds it by itself.

    Parameters
    ----------
    features, kernel, bias, dilation
        As of the library.
    check
        Called every few frames of large ones; raises to cancel.
    pad
        Grows some frames of the features along y and x before they are convolved, each by itself.
    order
        Indices of the frames to convolve, where they are not all in their order: some may come more than once.
    """
    direct = features.device.type == "cpu" and features.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    if forms.plain() or not direct or not torch.backends.mkldnn.is_available():
        taken = features if order is None else _taken(features, order)
        return conv3d(pad(taken) if pad else taken, kernel, bias, dilation=(dilation,) * 3)
    kernel = kernel.contiguous(memory_format=torch.channels_last_3d)
    pixels = (pad(features[:, :1, :1]) if pad else features[:, :1, :1]).numel()
    step = max(1, int(min(MACS_AT_ONCE / kernel.numel(), VALUES_AT_ONCE / kernel.shape[1]) / pixels))
    reach = dilation * (kernel.shape[2] - 1)
    total = features.shape[2] if order is None else len(order)
    frames = total - reach

    def some(first: int, last: int) -> Tensor:
        taken = features[:, :, first:last] if order is None else _taken(features, order[first:last])
        grown = channels_last(pad(taken) if pad else taken)
        return torch.mkldnn_convolution(grown, kernel, bias, (0,) * 3, (1,) * 3, (dilation,) * 3, 1)

    if check is None or 2 * step >= frames or torch.is_grad_enabled():
        return some(0, total)
    result: Tensor | None = None
    for first in forms.pieces(frames, step):
        check()
        last = min(first + step, frames)
        piece = some(first, last + reach)
        if result is None:
            batch, channels, _, height, width = piece.shape
            result = piece.new_empty((batch, frames, height, width, channels)).permute(0, 4, 1, 2, 3)
        result[:, :, first:last] = piece
    assert result is not None
    return result


def _taken(features: Tensor, order: Tensor) -> Tensor:
    """Return frames of (batch, channel, frame, y, x), the channel last in memory: whole frames are copied."""
    return features.permute(0, 2, 3, 4, 1).index_select(1, order).permute(0, 4, 1, 2, 3)
