"""Three-dimensional convolution without padding, fast on a CPU for small batches on one thread too."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from engine.models.parts import forms
from engine.models.parts.unet import channels_last


def convolve3d(features: Tensor, kernel: Tensor, bias: Tensor | None = None, dilation: int = 1) -> Tensor:
    """Return the convolution (batch, out, frame', y', x') of (batch, in, frame, y, x) with (out, in, kt, ky, kx); sizes shrink.

    The library's own takes a naive loop on a CPU in float32, up to 15 times slower, for small batches on one thread; its
    vectorised form is called directly there. In other types and under mixed precision the library finds it by itself.
    """
    direct = features.device.type == "cpu" and features.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    if forms.plain() or not direct or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return functional.conv3d(features, kernel, bias, dilation=dilation)
    kernel = kernel.contiguous(memory_format=torch.channels_last_3d)
    return torch.mkldnn_convolution(channels_last(features), kernel, bias, (0,) * 3, (1,) * 3, (dilation,) * 3, 1)
