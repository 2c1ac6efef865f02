"""3D UNet-MR: CRUNet-MR with 3D convolutions in place of its recurrent units, the baseline of the CRUNet-MR paper.

Source: Lyu et al., CRUNet-MR, section 3.3: "a modified unrolled U-Net model derived from CRUNet-MR by replacing all CRNN-TI
blocks with Conv3D blocks while retaining the overall structure"; 4.00 million parameters (Table 2). No program was published.

Reading: each of the four CRNN-TI becomes a convolution of 3 x 3 x 3 with the level's dilation in space, followed by the same
ReLU and side branch; the BCRNN-TI of the bottleneck becomes a pointwise one. That gives 4,002,250 parameters in five cascades
of 64 channels. Without anything in the bottleneck there would be 3,981,450 (3.98 million), with 3 x 3 x 3 there as well
4,534,730. Nothing passes from cascade to cascade but the image. Frames form a circle in the 3D convolutions as they do in all
others of CRUNet-MR.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from engine.core.jobs import Check
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.crunet_mr import CRUNetBlock, apply_cascade
from engine.models.parts.consistency import DataTerm
from engine.models.parts.recurrent import CircularConv3d, Direction, Frames, Pointwise, frame_by_frame
from engine.models.parts.sizes import require_least


@dataclass(frozen=True, slots=True)
class UNet3dConfig:
    """Sizes of the network."""

    cascades: int = field(default=5, metadata={"help": "Number of cascades, each with its own parameters", "range": (1, 20)})
    channels: int = field(default=64, metadata={"help": "Channels of all feature maps", "range": (1, 256)})

    def __post_init__(self) -> None:
        require_least(self, "unet3d", "The paper has 5 cascades of 64 channels.", cascades=1, channels=1)


class Conv3dUnit(nn.Module):
    """A Conv3D with ReLU and side branch in the place of a recurrent unit, whose memory and direction mean nothing to it."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = CircularConv3d(channels, channels, dilation)
        self.side = Pointwise(channels, channels)

    def forward(self, frames: Frames, _memory: Frames | None, _direction: Direction, check: Check) -> Frames:
        """Return the map of every frame, each (batch, channel, y, x)."""
        return frame_by_frame(lambda x, one: self.side(x).add_(torch.relu_(one)), frames, self.conv(frames, check), check=check)


class PointwiseUnit(nn.Module):
    """What stands in the bottleneck: a pointwise convolution with ReLU and side branch."""

    def __init__(self, channels: int, _dilation: int) -> None:
        super().__init__()
        self.conv = Pointwise(channels, channels)
        self.side = Pointwise(channels, channels)

    def forward(self, frames: Frames, _memory: Frames | None, _direction: Direction, check: Check) -> Frames:
        """Return the map of every frame, each (batch, channel, y, x)."""
        return frame_by_frame(lambda x: torch.relu(self.conv(x)) + self.side(x), frames, check=check)


class UNet3dMR(nn.Module):
    """The network. Stages: ``"image"``."""

    def __init__(self, config: UNet3dConfig) -> None:
        super().__init__()
        self.cascades = nn.ModuleList(CRUNetBlock(config.channels, Conv3dUnit, PointwiseUnit) for _ in range(config.cascades))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        total = len(self.cascades)
        term = DataTerm(data)
        x = term.image
        for index, block in enumerate(self.cascades):
            data.report.step(index, total, "3D UNet-MR")
            assert isinstance(block, CRUNetBlock)
            x, _, _ = apply_cascade(block, x, None, term, data.report.check)
            data.stages(index, "image", x)
        data.report.step(total, total, "3D UNet-MR")
        return x


MODELS.register(
    "unet3d",
    ModelSpec(
        name="unet3d",
        title="3D UNet-MR",
        paper="Lyu, Staring, van Osch, Doneva, Lamb, Pezzotti: Convolutional recurrent U-net for cardiac cine MRI reconstruction "
        "via effective spatio-temporal feature exploitation (its baseline 3D UNet-MR)",
        config=UNet3dConfig,
        build=UNet3dMR,
        presets={"paper": UNet3dConfig(), "small": UNet3dConfig(cascades=3, channels=16)},
        trainable=True,
        macs_shape="12x10x128x128",
        normalise="image_max",
        notes=(
            "No program was published: the four one-way recurrent units of CRUNet-MR are read as convolutions of 3 x 3 x 3, the "
            "two-way one of the bottleneck as a pointwise convolution (4,002,250 parameters; the paper says 4.00 million).",
        ),
    ),
)
