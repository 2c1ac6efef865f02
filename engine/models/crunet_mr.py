"""CRUNet-MR: convolutional recurrent U-Net.

Source: D. Lyu, M. Staring, M. J. P. van Osch, M. Doneva, H. J. Lamb, N. Pezzotti, "Convolutional recurrent U-net for cardiac
cine MRI reconstruction via effective spatio-temporal feature exploitation", sections 2.1 to 2.3: five cascades, each a U-Net
of two levels with a CRNN-TI forwards in time on the way down, one backwards on the way up and a BCRNN-TI at the bottom, then
hard data consistency (eqs. (5) and (6) with an infinite lambda 0).

What the text leaves open is as in the authors' program (Apache-2.0): the memory that both CRNN-TI of a level get is the map
after their fusion in the last cascade, that of the BCRNN-TI is the map after the Conv(2+1)D behind it; z-score normalisation
with one mean and one standard deviation for real and imaginary parts and all frames.

Deviation: the paper's 4.79 million parameters hold one map of 2 x 224 x 112 in each cascade that its authors' program never
uses; it is left out (4,537,930 parameters remain). Fourier transforms are centred. Any batch and number of frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.jobs import Check
from engine.models.blocks import channels_to_frames, frames_to_channels
from engine.models.contract import MODELS, ModelSpec, ReconInput, no_stages
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.padding import pad_to_multiple
from engine.models.parts.recurrent import Conv2Plus1d, ConvRecurrent, Direction, Frames, Pointwise, frame_by_frame, to_frames
from engine.models.parts.sizes import require_least
from engine.models.parts.start import START_HELP, START_NOTE, STARTS, check_start, start_near_zero, with_first_image

Unit = Callable[[int, int], nn.Module]
KEPT_MAPS = 13  # full-size maps that the backward pass of one cascade needs
PADDING = 8  # the authors' grid; two levels need 2


@dataclass(frozen=True, slots=True)
class CRUNetConfig:
    """Sizes of the network."""

    cascades: int = field(default=5, metadata={"help": "Number of cascades, each with its own parameters", "range": (1, 20)})
    channels: int = field(default=64, metadata={"help": "Channels of all feature maps", "range": (1, 256)})
    start: str = field(default="zero_filled", metadata={"help": START_HELP, "choices": STARTS})

    def __post_init__(self) -> None:
        require_least(self, "crunet_mr", "The paper has 5 cascades of 64 channels.", cascades=1, channels=1)
        check_start(self.start, "crunet_mr")


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What one cascade leaves to the next: the maps F of level 1, level 2 and the bottleneck, a list of frames each."""

    level1: Frames
    level2: Frames
    bottleneck: Frames


class RecurrentUnit(nn.Module):
    """A CRNN-TI (or BCRNN-TI) with its side branch, a pointwise convolution that is added."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.recurrent = ConvRecurrent(channels, channels, dilation)
        self.side = Pointwise(channels, channels)

    def forward(self, frames: Frames, memory: Frames | None, direction: Direction, check: Check) -> Frames:
        """Return the map of every frame."""
        states = self.recurrent(frames, memory, direction, check)
        return frame_by_frame(lambda x, state: self.side(x).add_(state), frames, states, check=check)


def conv2plus1d(in_channels: int, channels: int, dilation: int) -> Conv2Plus1d:
    """Return a Conv(2+1)D of 3 x 3 and 3 taps that keeps the size."""
    return Conv2Plus1d(nn.Conv2d(in_channels, channels, 3, padding=dilation, dilation=dilation))


class CRUNetBlock(nn.Module):
    """N_theta of one cascade: a residual for the normalised image. Source: CRUNet-MR, section 2.3; dilations 1, 2 and 4.

    ``unit(channels, dilation)`` makes what stands at the four places of a CRNN-TI and ``bottom`` what stands at that of the
    BCRNN-TI; they are called as a :class:`RecurrentUnit` is.
    """

    def __init__(self, channels: int, unit: Unit = RecurrentUnit, bottom: Unit = RecurrentUnit) -> None:
        super().__init__()
        c = channels
        self.first = nn.Conv2d(2, c, 3, padding=1)
        self.encoder1 = unit(c, 1)
        self.down = Conv2Plus1d(nn.Conv2d(c, c, 2, stride=2))
        self.encoder2 = unit(c, 2)
        self.mix2 = conv2plus1d(c, c, dilation=2)
        self.bottleneck = bottom(c, 4)
        self.mix_bottleneck = conv2plus1d(c, c, dilation=4)
        self.decoder2 = unit(c, 2)
        self.fuse2 = conv2plus1d(2 * c, c, dilation=2)
        self.up = Conv2Plus1d(nn.ConvTranspose2d(c, c, 2, stride=2))
        self.decoder1 = unit(c, 1)
        self.fuse1 = conv2plus1d(2 * c, c, dilation=1)
        self.last = nn.Conv2d(c, 2, 5, padding=2)

    def forward(self, frames: Frames, memory: Memory | None, check: Check) -> tuple[Frames, Memory]:
        """Return the residual of every frame, each (batch, 2, y, x) with even y and x, and the memory for the next cascade."""
        m1, m2, mb = (memory.level1, memory.level2, memory.bottleneck) if memory else (None, None, None)
        skip1 = self.encoder1(frame_by_frame(self.first, frames, check=check), m1, "forward", check)
        skip2 = self.mix2(self.encoder2(self.down(skip1, check), m2, "forward", check), check)
        bottom = self.mix_bottleneck(self.bottleneck(skip2, mb, "both", check), check)
        level2 = self.fuse2(self.decoder2(bottom, m2, "backward", check), check, skip2)
        del skip2
        level1 = self.fuse1(self.decoder1(self.up(level2, check), m1, "backward", check), check, skip1)
        return frame_by_frame(self.last, level1, check=check), Memory(level1, level2, bottom)


def standardise(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the z-score of complex (batch, frame, y, x) with its mean and unbiased deviation, (batch, 1, 1, 1).

    One of each for real and imaginary parts and all frames together: the mean is the number ``m + i m``.
    """
    parts = torch.view_as_real(image).flatten(1)
    mean = parts.mean(1).reshape(-1, 1, 1, 1)
    deviation = parts.std(1).reshape(-1, 1, 1, 1).clamp_min(torch.finfo(parts.dtype).tiny)
    return (image - torch.complex(mean, mean)) / deviation, torch.complex(mean, mean), deviation


def apply_cascade(
    block: CRUNetBlock, x: Tensor, memory: Memory | None, term: DataTerm, check: Check
) -> tuple[Tensor, Memory, Callable[[Tensor], Tensor]]:
    """Return one cascade's image, its memory, and what cuts the image's region out of the padded (..., y, x)."""
    batch = x.shape[0]
    normalised, mean, deviation = standardise(x)
    # Frames come first, so that one frame of all slices lies together.
    channels, undo = pad_to_multiple(frames_to_channels(normalised.transpose(0, 1)), PADDING)
    frames = to_frames(channels, batch)
    kept = KEPT_MAPS * block.last.in_channels * channels.element_size() * channels[:, 0].numel()
    residual, memory = recomputed(partial(block, frames, memory, check), kept)
    residual = channels_to_frames(undo(torch.cat(residual)), batch).transpose(0, 1)
    return term.hard((normalised + residual) * deviation + mean), memory, undo


class CRUNetMR(nn.Module):
    """The network.

    Stages: ``"image"``; ``"hidden_level1"``, ``"hidden_level2"``, ``"hidden_bottleneck"``: the root mean square over channels of
    the memories, real (batch, frame, y, x), enlarged to the image's grid.
    """

    def __init__(self, config: CRUNetConfig) -> None:
        super().__init__()
        self.begin = config.start
        blocks = [CRUNetBlock(config.channels) for _ in range(config.cascades)]
        start_near_zero(config.start, (block.last for block in blocks))
        self.cascades = nn.ModuleList(blocks)
        recurrent = ("encoder1", "encoder2", "bottleneck", "decoder2", "decoder1")
        # The first cascade's memories are zero.
        self.without_effect = tuple(f"cascades.0.{unit}.recurrent.iteration.weight" for unit in recurrent)

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        total = len(self.cascades)
        data = with_first_image(self.begin, data)
        term = DataTerm(data)
        x, memory = term.first, None
        for index, block in enumerate(self.cascades):
            data.report.step(index, total, "CRUNet-MR")
            assert isinstance(block, CRUNetBlock)
            x, memory, undo = apply_cascade(block, x, memory, term, data.report.check)
            data.stages(index, "image", x)
            if data.stages is not no_stages:
                for name in ("level1", "level2", "bottleneck"):
                    energy = _energy(getattr(memory, name), memory.level1[0].shape[-1])
                    data.stages(index, f"hidden_{name}", undo(energy).transpose(0, 1))
        data.report.step(total, total, "CRUNet-MR")
        return x


def _energy(frames: Frames, width: int) -> Tensor:
    """Return the root mean square over channels, real (frame, batch, y, x), each pixel repeated up to ``width`` columns."""
    maps = torch.stack([frame.float().square().mean(1).sqrt() for frame in frames])
    return functional.interpolate(maps, scale_factor=width // maps.shape[-1], mode="nearest")


MODELS.register(
    "crunet_mr",
    ModelSpec(
        name="crunet_mr",
        title="CRUNet-MR",
        paper="Lyu, Staring, van Osch, Doneva, Lamb, Pezzotti: Convolutional recurrent U-net for cardiac cine MRI reconstruction "
        "via effective spatio-temporal feature exploitation",
        config=CRUNetConfig,
        build=CRUNetMR,
        presets={
            "paper": CRUNetConfig(),
            "small": CRUNetConfig(cascades=3, channels=16),
            "light": CRUNetConfig(cascades=6, channels=24),
            "light-wavelet": CRUNetConfig(cascades=6, channels=24, start="wavelet"),
        },
        trainable=True,
        macs_shape="12x10x128x128",
        normalise="image_max",
        notes=(
            START_NOTE,
            "4,537,930 parameters: the paper's 4.79 million hold 250,880 that its authors' program never uses.",
            "The first cascade's memories are zero, so their kernels have no effect; their biases do.",
            "Each cascade standardises its input, so the scale of the data does not matter.",
        ),
    ),
)
