"""MICCAN: a cascade of small U-Nets with channel attention and hard data consistency.

Source: Q. Huang, D. Yang, P. Wu, H. Qu, J. Yi, D. Metaxas, "MRI Reconstruction via Cascaded Channel-wise Attention Network", ISBI
2019: section 2 (UCA blocks, data consistency, long skip connection).

Deviation: the attention's averages are taken over the whole image; the published code has windows of 160 x 144, which is the
same for its own images. The paper has one coil; with several, data consistency replaces the samples of every coil.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import ShapeError
from engine.core.jobs import Check
from engine.models.blocks import channels_to_frames, frames_to_channels
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts import forms
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.frames import in_chunks
from engine.models.parts.sizes import require_least

REDUCTION = 8  # of the channel attention
SMALLEST = 4  # two poolings


@dataclass(frozen=True, slots=True)
class MiccanConfig:
    """Sizes of the network."""

    blocks: int = field(default=5, metadata={"help": "Number of U-Nets, each followed by data consistency", "range": (1, 20)})
    channels: int = field(
        default=32, metadata={"help": "Channels at full resolution; twice, four times as many below", "range": (8, 256)}
    )
    attention: bool = field(default=True, metadata={"help": "Whether the U-Nets have channel attention (UCA blocks)"})
    long_skip: bool = field(
        default=True, metadata={"help": "Whether the last block adds to the zero-filled image, not to its input"}
    )

    def __post_init__(self) -> None:
        require_least(self, "miccan", "The paper has 5 blocks of 32 channels.", blocks=1, channels=REDUCTION)


class DoubleConv(nn.Sequential):
    """Twice: 3 x 3 convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        layers: list[nn.Module] = []
        for channels in (inputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        super().__init__(*layers)


class ChannelAttention(nn.Module):
    """A factor for each channel: mean over the image, two 1 x 1 convolutions, sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels // REDUCTION, 1)
        self.conv2 = nn.Conv2d(channels // REDUCTION, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Scale (image, channel, y, x)."""
        mean = features.mean((-2, -1), keepdim=True)
        return features * torch.sigmoid(self.conv2(torch.relu(self.conv1(mean))))


class Up(nn.Module):
    """Bilinear up-sampling, a convolution that halves the channels, the skip in front of them, two convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.halve = nn.Conv2d(channels, channels // 2, 3, padding=1)
        self.conv = DoubleConv(channels, channels // 2)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Bring (image, channel, y, x) to the size of ``skip``, which has half the channels."""
        size = [2 * features.shape[-2], 2 * features.shape[-1]]
        raised = self.halve(functional.interpolate(features, size, mode="bilinear", align_corners=True))
        dy, dx = skip.shape[-2] - raised.shape[-2], skip.shape[-1] - raised.shape[-1]
        raised = functional.pad(raised, (dx - dx // 2, dx // 2, dy - dy // 2, dy // 2))
        result: Tensor = self.conv(torch.cat((skip, raised), dim=1))
        return result


class UCA(nn.Module):
    """U-Net with channel attention after the bottleneck and after both levels of its decoder."""

    def __init__(self, channels: int, attention: bool) -> None:
        super().__init__()
        n = channels
        self.enter = DoubleConv(2, n)
        self.down1 = DoubleConv(n, 2 * n)
        self.down2 = DoubleConv(2 * n, 4 * n)
        self.up2 = Up(4 * n)
        self.up1 = Up(2 * n)
        self.leave = nn.Conv2d(n, 2, 1)
        self.attention = nn.ModuleList(ChannelAttention(c) if attention else nn.Identity() for c in (4 * n, 2 * n, n))

    def kept_bytes(self, channels: Tensor) -> float:
        """Return about how many bytes a backward pass keeps: 16 maps of full width and resolution, and a third as much below."""
        return 4 / 3 * 16 * self.leave.in_channels * channels[:, 0].numel() * channels.element_size()

    def forward(self, channels: Tensor, check: Check) -> Tensor:
        """Map real (image, 2, y, x) to what is added to it."""
        if not forms.plain():
            channels = channels.contiguous(memory_format=torch.channels_last)
        check()
        level0 = self.enter(channels)
        check()
        level1 = self.down1(functional.max_pool2d(level0, 2))
        features = self.attention[0](self.down2(functional.max_pool2d(level1, 2)))
        check()
        features = self.attention[1](self.up2(features, level1))
        check()
        features = self.attention[2](self.up1(features, level0))
        result: Tensor = self.leave(features)
        return result


class Miccan(nn.Module):
    """The network: x0 = A^H b; every block adds its U-Net's output to its input and replaces the measured samples.

    Stages: ``"image"``, ``"residual"`` (what the U-Net adds before data consistency).
    """

    def __init__(self, config: MiccanConfig) -> None:
        super().__init__()
        self.long_skip = config.long_skip
        self.blocks = nn.ModuleList(UCA(config.channels, config.attention) for _ in range(config.blocks))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, ChannelAttention) and module.conv1.bias is not None:
                # The few units of a narrow layer shall not all begin on the flat side of the ReLU, where they learn nothing.
                nn.init.constant_(module.conv1.bias, 0.1)

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        total, check = len(self.blocks), data.report.check
        term = DataTerm(data)
        x = term.image
        if min(x.shape[-2:]) < SMALLEST:
            raise ShapeError(
                f"the matrix is too small for miccan (expected at least {SMALLEST} x {SMALLEST} / found {tuple(x.shape[-2:])})",
                "Use another method.",
            )
        for index, block in enumerate(self.blocks):
            data.report.step(index, total, "MICCAN")
            assert isinstance(block, UCA)
            residual = self._residual(block, x, check)
            last = self.long_skip and index == total - 1
            x = term.hard((term.image if last else x) + residual)
            data.stages(index, "image", x)
            data.stages(index, "residual", residual)
        data.report.step(total, total, "MICCAN")
        return x

    @staticmethod
    def _residual(block: UCA, x: Tensor, check: Check) -> Tensor:
        """Return the block's output for complex (batch, frame, y, x); every frame by itself."""
        channels = frames_to_channels(x)
        if block.training:
            # Batch normalisation takes its statistics from all frames while it trains, and shall count them once.
            output = recomputed(partial(block, channels, check), block.kept_bytes(channels), partial(_unchanged, block))
        else:
            output = in_chunks(lambda part: block(part, check), channels)
        return channels_to_frames(output, x.shape[1])


@contextmanager
def _unchanged(block: UCA) -> Iterator[None]:
    """Let batch normalisation leave its running statistics as they are inside the block."""
    layers = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = 0.0
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


MODELS.register(
    "miccan",
    ModelSpec(
        name="miccan",
        title="MICCAN",
        paper="Huang, Yang, Wu, Qu, Yi, Metaxas: MRI Reconstruction via Cascaded Channel-wise Attention Network, ISBI 2019",
        config=MiccanConfig,
        build=Miccan,
        presets={
            "paper": MiccanConfig(),
            "short": MiccanConfig(long_skip=False),
            "no-attention": MiccanConfig(attention=False, long_skip=False),
            "small": MiccanConfig(blocks=2, channels=16),
        },
        trainable=True,
        macs_shape="1x1x256x256",
        normalise="image_max",
        notes=(
            "Channel attention averages over the whole image; the published code has windows of a fixed size.",
            "The paper has one coil; with several, data consistency replaces the samples of every coil.",
        ),
    ),
)
