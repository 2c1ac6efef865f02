"""Multiply-accumulates against counts by hand."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional

from engine.evaluation.complexity import macs, shape_of
from engine.models import MODELS, MacRule


class Network(nn.Module):
    """Frames as batch: convolutions of 2 to 6 channels and in 3 groups, a transposed one back, a dense layer on means."""

    def __init__(self, bias=True) -> None:
        super().__init__()
        self.inwards = nn.Conv2d(2, 6, 3, padding=1, bias=bias)
        self.grouped = nn.Conv2d(6, 6, 3, padding=1, groups=3, bias=False)
        self.outwards = nn.ConvTranspose2d(6, 2, 2, stride=2, bias=False)
        self.dense = nn.Linear(6, 5, bias=bias)

    def forward(self, data):
        image = torch.view_as_real(data.kspace[0, :, 0]).movedim(-1, 1)
        wide = self.grouped(self.inwards(image))
        self.dense(wide.mean(dim=(-2, -1)))
        flat = wide.flatten(2)
        self.attention = flat @ flat.mT
        functional.leaky_relu(wide)
        return self.outwards(wide[..., ::2, ::2])


FRAMES, PIXELS = 7, 128 * 96
CONVOLUTIONS = PIXELS * (6 * 2 * 9 + 6 * 2 * 9)
TRANSPOSED = PIXELS // 4 * 6 * 2 * 4  # a quarter of the pixels goes in, each one makes 2 x 2 outputs of 2 channels
DENSE = 6 * 5


def spec(shape="7x10x128x96", network=Network, frames=None, **rule):
    return SimpleNamespace(
        macs_shape=shape, macs_rule=MacRule(**rule), build=lambda _: network(), frames_of=lambda _: frames, needs_reference=False
    )


def count(**rule):
    return macs(spec(**rule), None) / FRAMES


def test_every_layer_with_weights_is_counted():
    assert count() == CONVOLUTIONS + TRANSPOSED + DENSE


def test_rules_add_what_papers_add():
    plain = count()
    assert count(bias=True) - plain == PIXELS * 6 + 5
    assert count(matmul=True) - plain == 6 * 6 * PIXELS
    assert count(transposed_by_output=True) - plain == 3 * TRANSPOSED
    assert count(elementwise=True) - plain == 6 * PIXELS
    assert plain - count(without=("inwards",)) == PIXELS * 6 * 2 * 9


def test_padding_and_strides_count_as_they_are():
    class Padded(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Conv2d(2, 3, 4, stride=4)

        def forward(self, data):
            image = torch.view_as_real(data.kspace[0, :, 0]).movedim(-1, 1)
            return self.embed(functional.pad(image, (0, -image.shape[-1] % 16, 0, -image.shape[-2] % 16)))

    assert macs(spec("2x1x33x20", Padded), None) == 2 * (48 // 4) * (32 // 4) * 3 * 2 * 16


def test_another_shape_and_a_fixed_number_of_frames():
    assert macs(spec(), None, (1, 4, 64, 96)) == CONVOLUTIONS / 2 + TRANSPOSED / 2 + DENSE
    assert macs(spec(frames=3), None) == 3 * count()


def test_without_a_shape_or_a_network_there_is_no_count():
    assert shape_of(spec("")) is None
    assert macs(spec(""), None) is None
    assert macs(spec(network=object), None) is None


def test_hundreds_of_millions_of_weights_take_no_memory():
    from engine.core.device import process_peak_mib

    network = MODELS.get("vn_unet")
    before = process_peak_mib()
    assert macs(network, network.presets["paper"]) > 5e11
    if before is not None:
        assert process_peak_mib() < before + 300, "310 million weights would take 1240 MiB"
