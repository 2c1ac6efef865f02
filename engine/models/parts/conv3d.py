"""Three-dimensional convolution without padding, fast on a CPU for small batches on one thread too."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from engine.models.blocks import MACS_AT_ONCE
from engine.models.parts import forms
from engine.models.parts.unet import channels_last


def convolve3d(
    features: Tensor, kernel: Tensor, bias: Tensor | None = None, dilation: int = 1, check: Callable[[], None] | None = None
) -> Tensor:
    """Return the convolution (batch, out, frame', y', x') of (batch, in, frame, y, x) with (out, in, kt, ky, kx); sizes shrink.

    The library's own takes a naive loop on a CPU in float32, up to 15 times slower, for small batches on one thread; its
    vectorised form is called directly there. In other types and under mixed precision the library finds it by itself.
    ``check`` is called every few frames of large ones and raises to cancel.
    """
    direct = features.device.type == "cpu" and features.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    if forms.plain() or not direct or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return functional.conv3d(features, kernel, bias, dilation=dilation)
    kernel = kernel.contiguous(memory_format=torch.channels_last_3d)
    step = max(1, int(MACS_AT_ONCE / (kernel.numel() * features[:, 0, 0].numel())))
    reach = dilation * (kernel.shape[2] - 1)
    frames = features.shape[2] - reach
    if check is None or step >= frames or torch.is_grad_enabled():
        return _vectorised(features, kernel, bias, dilation)
    pieces = []
    for first in forms.pieces(frames, step):
        check()
        pieces.append(_vectorised(features[:, :, first : min(first + step, frames) + reach], kernel, bias, dilation))
    # In a rehearsal the first piece stands for all.
    pieces += [pieces[0][:, :, : min(step, frames - first)] for first in range(len(pieces) * step, frames, step)]
    return torch.cat(pieces, dim=2)


def _vectorised(features: Tensor, kernel: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    return torch.mkldnn_convolution(channels_last(features), kernel, bias, (0,) * 3, (1,) * 3, (dilation,) * 3, 1)
