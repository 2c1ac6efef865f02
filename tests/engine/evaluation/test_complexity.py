"""Multiply-accumulates against counts by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from engine.evaluation.complexity import macs


class Network(nn.Module):
    """Frames as batch: convolutions of 2 to 6 channels and in 3 groups, a transposed one back, a dense layer on means."""

    def __init__(self) -> None:
        super().__init__()
        self.inwards = nn.Conv2d(2, 6, 3, padding=1)
        self.grouped = nn.Conv2d(6, 6, 3, padding=1, groups=3)
        self.outwards = nn.ConvTranspose2d(6, 2, 2, stride=2)
        self.dense = nn.Linear(6, 5)

    def forward(self, data):
        image = torch.view_as_real(data.kspace[0, :, 0]).movedim(-1, 1)
        wide = self.grouped(self.inwards(image))
        self.dense(wide.mean(dim=(-2, -1)))
        return self.outwards(wide[..., ::2, ::2])


def spec(shape, network=Network):
    return SimpleNamespace(macs_shape=shape, presets={"paper": None}, build=lambda _: network())


def test_every_layer_with_weights_is_counted():
    frames, pixels = 7, 128 * 96
    convolutions = pixels * (6 * 2 * 9 + 6 * 2 * 9)
    # A quarter of the pixels goes in, each one makes 2 x 2 outputs of 2 channels.
    transposed = pixels // 4 * 6 * 2 * 4
    assert macs(spec("7x10x128x96"), "paper") == pytest.approx(frames * (convolutions + transposed + 6 * 5), rel=1e-12)


def test_without_a_shape_or_a_network_there_is_no_count():
    assert macs(spec(""), "paper") is None
    assert macs(spec("7x10x128x96", network=object), "paper") is None
