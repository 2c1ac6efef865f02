"""The U-Net of CineVN over space and time: pooling in space only, factorised convolutions, residual blocks.

Source: M. Vornehm, J. Wetzl, D. Giese et al., "CineVN: Variational network reconstruction for rapid functional cardiac cine MRI",
MRM 2025;93:138. Convolutions are 1 x 3 x 3 and then 3 x 1 x 1, circular along time and the phase-encoding axis, with the border
repeated along the readout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.axes import FRAME, X, Y
from engine.core.jobs import Check
from engine.models.blocks import channels_last
from engine.models.parts.conv3d import convolve3d
from engine.models.parts.padding import extend, pad_to_multiple
from engine.models.parts.unet import norm_leaky, standardise


class FactorisedConv(nn.Module):
    """1 x 3 x 3, instance norm, leaky ReLU, 3 x 1 x 1, instance norm: circular in time and y, the border repeated in x."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv3d(in_channels, out_channels, kernel_size=(1, 3, 3), bias=False)
        self.temporal = nn.Conv3d(out_channels, out_channels, kernel_size=(3, 1, 1), bias=False)

    def forward(self, features: Tensor, check: Check, slope: float, doubled: bool = False) -> Tensor:
        """Return (batch, out channels, frame, y, x), after a last leaky ReLU of ``slope`` (1 for none).

        ``doubled`` repeats every pixel of the features along y and x before.
        """
        check()
        features = convolve3d(features, self.spatial.weight, check=check, pad=_doubled_and_grown if doubled else _grown)
        check()
        features = norm_leaky(features)
        check()
        features = convolve3d(extend(features, FRAME, 1, 1, "circular"), self.temporal.weight, check=check)
        check()
        return norm_leaky(features, slope)


def _grown(features: Tensor) -> Tensor:
    """Grow (batch, channel, frame, y, x) by one pixel on each side of space."""
    return extend(extend(features, Y, 1, 1, "circular"), X, 1, 1, "replicate")


def _doubled_and_grown(features: Tensor) -> Tensor:
    """Repeat every pixel along y and x, then grow as :func:`_grown`."""
    b, c, t, h, w = features.shape
    pixels = features.permute(0, 2, 3, 4, 1)[:, :, :, None, :, None]  # the channel lies last in memory
    return _grown(pixels.expand(b, t, h, 2, w, 2, c).reshape(b, t, 2 * h, 2 * w, c).permute(0, 4, 1, 2, 3))


class ResidualBlock(nn.Module):
    """Two factorised convolutions beside a convolution of kernel 1 with instance norm; their sum; leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = FactorisedConv(in_channels, out_channels)
        self.second = FactorisedConv(out_channels, out_channels)
        self.identity = nn.Conv3d(in_channels, out_channels, kernel_size=1, bias=False)

    def forward(self, features: Tensor, check: Check) -> Tensor:
        """Return (batch, out channels, frame, y, x)."""
        check()
        identity = norm_leaky(convolve3d(features, self.identity.weight), 1.0)
        result = self.second(self.first(features, check, 0.2), check, 1.0)
        check()
        return functional.leaky_relu(result + identity, 0.2)


class SpaceTimeUNet(nn.Module):
    """The U-Net over (frame, y, x) of one cascade. Sizes in space grow to multiples of 2^(pools + 1), circular in y."""

    def __init__(self, filters: int, pools: int) -> None:
        super().__init__()
        self.filters, self.multiple = filters, 2 ** (pools + 1)
        widths = [filters * 2**level for level in range(pools + 1)]
        inputs = [2, *widths[:-1]]
        self.encoder = nn.ModuleList(ResidualBlock(inputs[level], widths[level]) for level in range(pools))
        self.bottleneck = ResidualBlock(inputs[pools], widths[pools])
        downwards = list(reversed(range(pools)))
        self.up = nn.ModuleList(FactorisedConv(widths[level + 1], widths[level]) for level in downwards)
        self.decoder = nn.ModuleList(ResidualBlock(widths[level + 1], widths[level]) for level in downwards)
        self.output = nn.Conv3d(filters, 2, kernel_size=1)

    def forward(self, image: Tensor, check: Check) -> Tensor:
        """Return real (batch, 2, frame, y, x) of the same; standardised inside."""
        normed, mean, deviation = standardise(image)
        padded, undo_y = pad_to_multiple(normed, self.multiple, (Y,), "circular")
        padded, undo_x = pad_to_multiple(padded, self.multiple, (X,), "replicate")
        features = channels_last(padded)
        skips = []
        for block in self.encoder:
            skips.append(block(features, check))
            check()
            features = functional.avg_pool3d(skips[-1], (1, 2, 2))
        features = self.bottleneck(features, check)
        for up, block in zip(self.up, self.decoder, strict=True):
            features = up(features, check, 0.2, doubled=True)
            check()
            features = torch.cat((features, skips.pop()), dim=1)
            features = block(features, check)
        check()
        features = convolve3d(features, self.output.weight, self.output.bias)
        return undo_y(undo_x(features)) * deviation + mean
