"""Chains of convolutions on a CPU where no gradient is wanted: a few rows of the image at a time.

A feature map of 128 channels at full size is 40 MB: it leaves the cache, and the system hands out its pages anew each time. So a
convolution is computed for a stripe of rows, what follows it (activation, gates, sums) is done while the stripe is in the cache,
and the result goes into the middle of an array that already has the next convolution's border. The same numbers as the
convolutions of whole images; measured in :mod:`engine.models.parts.conv_gru`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from engine.models.parts import forms

STRIPE_PIXELS = 8192

Check = Callable[[], None]
Part = tuple[slice, slice]  # frames, rows


def serve(features: Tensor) -> bool:
    """Return whether stripes are the way to compute: on a CPU, without gradients, and not in plain form."""
    return features.device.type == "cpu" and not torch.is_grad_enabled() and not forms.plain()


def kind(features: Tensor) -> torch.dtype:
    """Return the type to compute convolutions in: autocast's where it is on, otherwise the features' own."""
    device = features.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else features.dtype


def parts(frames: int, height: int, width: int) -> Iterator[Part]:
    """Yield the frames and rows to work on: several whole frames where they are small, some rows of one where it is not."""
    together = max(1, STRIPE_PIXELS // (height * width))
    rows = height if together > 1 else max(1, STRIPE_PIXELS // width)
    for first in forms.pieces(frames, together):
        for top in forms.pieces(height, rows):
            yield slice(first, min(frames, first + together)), slice(top, min(height, top + rows))


class Bordered:
    """Features with their border repeated outwards, (frame, y + 2 reach, x + 2 reach, channel) in memory.

    Fill it part by part through :meth:`inside`, then call :meth:`finish`.
    """

    def __init__(self, frames: int, height: int, width: int, channels: int, reach: int, like: Tensor, dtype: torch.dtype) -> None:
        self.reach = reach
        self.size = (frames, height, width)
        self.values = like.new_empty((frames, height + 2 * reach, width + 2 * reach, channels), dtype=dtype)

    @classmethod
    def of(cls, image: Tensor, reach: int, dtype: torch.dtype) -> Bordered:
        """Return real (frame, channel, y, x) with its border."""
        frames, channels, height, width = image.shape
        made = cls(frames, height, width, channels, reach, image, dtype)
        made.inside((slice(0, frames), slice(0, height))).copy_(image.permute(0, 2, 3, 1))
        made.finish()
        return made

    def inside(self, part: Part) -> Tensor:
        """Return the place of some frames and rows, a view (frame, y, x, channel)."""
        frames, rows = part
        r, width = self.reach, self.size[2]
        return self.values[frames, rows.start + r : rows.stop + r, r : r + width]

    def finish(self) -> None:
        """Repeat the border outwards."""
        r, (_, height, width) = self.reach, self.size
        v = self.values
        if r > 0:
            middle = v[:, r : r + height]
            middle[:, :, :r] = middle[:, :, r : r + 1]
            middle[:, :, r + width :] = middle[:, :, r + width - 1 : r + width]
            v[:, :r] = v[:, r : r + 1]
            v[:, r + height :] = v[:, r + height - 1 : r + height]

    def convolve(self, conv: torch.nn.Conv2d, weight: Tensor, bias: Tensor, part: Part) -> Tensor:
        """Return the convolution for some frames and rows, (frame, y, x, channel) in memory and in shape."""
        frames, rows = part
        view = self.values[frames, rows.start : rows.stop + 2 * self.reach].permute(0, 3, 1, 2)
        return functional.conv2d(view, weight, bias, dilation=conv.dilation).permute(0, 2, 3, 1).contiguous()


def weights(conv: torch.nn.Conv2d, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return kernel, the channel last in memory, and bias of a convolution in the type to compute in."""
    assert conv.bias is not None
    return conv.weight.to(dtype).contiguous(memory_format=torch.channels_last), conv.bias.to(dtype)
