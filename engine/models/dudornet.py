"""DuDoRNet: a network on the image and one on its k-space in turns, with a second sequence as prior.

Source: B. Zhou, S. K. Zhou, "DuDoRNet: Learning a Dual-Domain Recurrent Network for Fast MRI Reconstruction with Deep T1 Prior",
CVPR 2020: section 3 (dual-domain recurrence, dilated residual dense network with squeeze and excitation).

Deviation: the paper has one coil. With several, the k-space network works on the Fourier transform of the coil-combined image and
data consistency replaces the samples of every coil; for one coil of unit sensitivity this is the paper's network. The prior is any
second sequence; in the paper it is a fully sampled T1-weighted image.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import InputError
from engine.core.jobs import Check
from engine.models.blocks import channels_to_frames, frames_to_channels
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts import forms
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.frames import in_chunks
from engine.models.parts.lifted import reference_of
from engine.models.parts.sizes import require_least
from engine.physics.fourier import fft2c, ifft2c

REDUCTION = 16  # of squeeze and excitation


@dataclass(frozen=True, slots=True)
class DuDoRNetConfig:
    """Sizes of the two networks (which have the same), and whether a second sequence is an input."""

    recurrences: int = field(default=5, metadata={"help": "Passes through both networks, weights shared", "range": (1, 20)})
    features: int = field(default=32, metadata={"help": "Channels G0 between blocks", "range": (16, 256)})
    growth: int = field(default=32, metadata={"help": "Channels G that each dense layer adds", "range": (1, 256)})
    blocks: int = field(default=3, metadata={"help": "Number D of dense blocks", "range": (1, 10)})
    dilations: tuple[int, ...] = field(default=(1, 2, 3, 3), metadata={"help": "Dilation of each of the C dense layers of a block"})
    prior: bool = field(default=True, metadata={"help": "Whether a second sequence is an input of both networks"})

    def __post_init__(self) -> None:
        hint = "The paper has 3 blocks of 32 channels."
        require_least(self, "dudornet", hint, recurrences=1, features=REDUCTION, growth=1, blocks=1)
        if not self.dilations or min(self.dilations) < 1:
            raise InputError(
                f"dilations of dudornet are {self.dilations} (expected one of at least 1 for each dense layer)", "Use 1 2 3 3."
            )


class SqueezeExcitation(nn.Module):
    """A factor for each channel, found from the channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // REDUCTION, bias=False)
        self.fc2 = nn.Linear(channels // REDUCTION, channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Scale (image, channel, y, x)."""
        scale = torch.sigmoid(self.fc2(torch.relu(self.fc1(features.mean((-2, -1))))))
        return features * scale[..., None, None]


class DenseBlock(nn.Module):
    """Dilated dense layers, fusion by 1 x 1, squeeze and excitation, and the skip around them."""

    def __init__(self, channels: int, growth: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(channels + i * growth, growth, 3, padding=d, dilation=d) for i, d in enumerate(dilations)
        )
        self.fusion = nn.Conv2d(channels + len(dilations) * growth, channels, 1)
        self.excitation = SqueezeExcitation(channels)

    def forward(self, features: Tensor, check: Check) -> Tensor:
        """Map (image, channel, y, x) to the same shape."""
        dense = features
        for layer in self.layers:
            check()
            dense = torch.cat((dense, functional.relu_(layer(dense))), dim=1)
        scaled: Tensor = self.excitation(self.fusion(dense))
        return scaled + features


class DRDN(nn.Module):
    """Dilated residual dense network: ``inputs`` channels in, two out, no skip from input to output."""

    def __init__(self, inputs: int, config: DuDoRNetConfig) -> None:
        super().__init__()
        n = config.features
        self.shallow = nn.ModuleList((nn.Conv2d(inputs, n, 3, padding=1), nn.Conv2d(n, n, 3, padding=1)))
        self.blocks = nn.ModuleList(DenseBlock(n, config.growth, config.dilations) for _ in range(config.blocks))
        self.fusion = nn.ModuleList((nn.Conv2d(config.blocks * n, n, 1), nn.Conv2d(n, n, 3, padding=1)))
        self.output = nn.ModuleList((nn.Conv2d(n, config.growth, 3, padding=1), nn.Conv2d(config.growth, 2, 3, padding=1)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def kept_bytes(self, channels: Tensor) -> float:
        """Return about how many bytes a backward pass keeps: the input of every convolution."""
        widths = sum(layer.in_channels for layer in self.modules() if isinstance(layer, nn.Conv2d))
        return float(channels.element_size() * channels[:, 0].numel() * widths)

    def forward(self, channels: Tensor, check: Check) -> Tensor:
        """Map real (image, inputs, y, x) to (image, 2, y, x)."""
        if not forms.plain():
            channels = channels.contiguous(memory_format=torch.channels_last)
        first = self.shallow[0](channels)
        features = self.shallow[1](first)
        outputs = []
        for block in self.blocks:
            features = block(features, check)
            outputs.append(features)
        check()
        features = self.fusion[1](self.fusion[0](torch.cat(outputs, dim=1))) + first
        result: Tensor = self.output[1](self.output[0](features))
        return result


class DuDoRNet(nn.Module):
    """The recurrence: image network, data consistency, k-space network, data consistency; its start is A^H b.

    Stages: ``"image"`` (after both), ``"image_network"`` (after the image network and data consistency).
    """

    def __init__(self, config: DuDoRNetConfig) -> None:
        super().__init__()
        self.recurrences = config.recurrences
        self.prior = config.prior
        inputs = 4 if config.prior else 2
        self.image_network = DRDN(inputs, config)
        self.kspace_network = DRDN(inputs, config)

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        check = data.report.check
        term = DataTerm(data)
        x = term.image
        # The networks know the transform that sums without a factor: its values are larger by the root of the number of pixels.
        gain = sqrt(x.shape[-2] * x.shape[-1])
        prior = reference_of(data, "dudornet") if self.prior else None
        prior_kspace = None if prior is None else gain * fft2c(prior)
        for index in range(self.recurrences):
            data.report.step(index, self.recurrences, "DuDoRNet")
            x = term.hard(_apply(self.image_network, x, prior, check))
            data.stages(index, "image_network", x)
            kspace = _apply(self.kspace_network, gain * fft2c(x), prior_kspace, check)
            x = term.hard(ifft2c(kspace) / gain)
            data.stages(index, "image", x)
        data.report.step(self.recurrences, self.recurrences, "DuDoRNet")
        return x


def _apply(network: DRDN, x: Tensor, prior: Tensor | None, check: Check) -> Tensor:
    """Let a network map complex (batch, frame, y, x), with the prior beside it, to the same shape; every frame by itself."""
    channels = frames_to_channels(x)
    if prior is not None:
        channels = torch.cat((channels, frames_to_channels(prior)), dim=1)
    kept = network.kept_bytes(channels)

    def some(part: Tensor) -> Tensor:
        mapped: Tensor = recomputed(partial(network, part, check), kept)
        return mapped

    return channels_to_frames(in_chunks(some, channels), x.shape[1])


MODELS.register(
    "dudornet",
    ModelSpec(
        name="dudornet",
        title="DuDoRNet",
        paper="Zhou, Zhou: DuDoRNet: Learning a Dual-Domain Recurrent Network for Fast MRI Reconstruction with Deep T1 Prior, "
        "CVPR 2020",
        config=DuDoRNetConfig,
        build=DuDoRNet,
        presets={
            "paper": DuDoRNetConfig(),
            "no-prior": DuDoRNetConfig(prior=False),
            "small": DuDoRNetConfig(recurrences=2, growth=8, blocks=2, dilations=(1, 2, 3)),
        },
        trainable=True,
        macs_shape="1x1x256x256",
        needs_reference=True,
        normalise="image_max",
        notes=(
            "The prior, a T1-weighted image in the paper, is the second sequence: another contrast, another inversion time, or the "
            "temporal mean of the series itself; the preset no-prior leaves it out.",
            "The paper has one coil; with several, the k-space network works on the transform of the coil-combined image and data "
            "consistency replaces the samples of every coil.",
        ),
    ),
)
