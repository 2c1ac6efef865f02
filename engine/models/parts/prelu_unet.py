"""The U-Net of MC-VarNet: equal width at all of its three scales, one PReLU slope a block.

Source: Lei et al., ICCV 2023, in the form of the authors' program (MIT): its facts, not its code. As there, a last strided
convolution and a last activation belong to the network although nothing reads them; ``UNREAD`` names them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.core.axes import KX, KY
from engine.core.jobs import Check
from engine.models.blocks import channels_last
from engine.models.parts import forms

UNREAD = ("downs.2.", "act.")


def _conv(channels: int, inputs: int | None = None, outputs: int | None = None, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(inputs or channels, outputs or channels, 3, stride=stride, padding=1)
    nn.init.xavier_normal_(layer.weight)
    return layer


class Chain(nn.Module):
    """Convolutions of 3 x 3 with one PReLU, whose slope they share, between two of them and none at the end."""

    def __init__(self, channels: int, layers: int, inputs: int | None = None) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(channels, inputs if index == 0 else None) for index in range(layers))
        self.act = nn.PReLU()

    def forward(self, features: Tensor) -> Tensor:
        """Map real (image, inputs, y, x) to (image, channel, y, x)."""
        for index, conv in enumerate(self.convs):
            features = conv(self.act(features) if index else features)
        return features


class UNet(nn.Module):
    """Three scales of equal width, strided convolutions down, transposed ones up, the input added to the output."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(Chain(channels, 3) for _ in range(3))
        self.downs = nn.ModuleList(_conv(channels, stride=2) for _ in range(3))  # the last one is not used
        self.ups = nn.ModuleList(nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1) for _ in range(2))
        self.decoders = nn.ModuleList(Chain(channels, 4, 2 * channels) for _ in range(2))
        self.end = Chain(channels, 3)
        self.output = _conv(channels)
        self.act = nn.PReLU()  # not used

    def forward(self, features: Tensor, check: Check) -> Tensor:
        """Map real (image, channel, y, x) of any size, in single precision at least, to the same."""
        x = channels_last(features)
        levels: list[Tensor] = []
        for index, encoder in enumerate(self.encoders):
            check()
            x = encoder(self.downs[index - 1](x) if index else x)
            levels.append(x)
        for up, decoder, level in zip(self.ups, self.decoders, (levels[1], levels[0]), strict=True):
            check()
            size = [level.shape[KY], level.shape[KX]]
            x = decoder(torch.cat((up(x, output_size=size), level), dim=1))
        if forms.plain():
            self.downs[2](levels[2])  # as published
        check()
        result: Tensor = self.output(self.end(x)).to(features.dtype) + features
        return result
