"""Myonet: our own network, made for a machine without a GPU.

Unrolled half-quadratic splitting (Geman and Yang, IEEE TIP 1995): each cascade denoises the image, x_d = x + D_n(x, h), and solves
the data term exactly,

    x <- argmin_x ||A x - b||^2 + lambda ||x - x_d||^2 = (A^H A + lambda I)^-1 (A^H b + lambda x_d),

as MoDL does (Aggarwal, Mani, Jacob, IEEE TMI 2019, eqs. 8 and 9). What is ours is the economy. One lambda serves all cascades, so
that the Gram matrices of a Cartesian acquisition are factored once and every data step is a triangular solve without coils and
Fourier transforms. The denoiser is a two-level (2+1)D network: 3 x 3 convolutions in the image, then a mixture of the three
neighbouring frames by a 1 x 1 convolution, the last frame being followed by the first. Features of one cascade are handed to
the next. On a CPU every layer runs frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import InputError
from engine.core.jobs import Check
from engine.models.blocks import channels_to_frames, frames_to_channels
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts import forms
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.recurrent import Frames, each, to_frames

CG_ITERATIONS, CG_TOLERANCE = 6, 1e-4  # where no Gram factor serves; each starts at the image before


@dataclass(frozen=True, slots=True)
class MyonetConfig:
    """Sizes of the network."""

    cascades: int = field(default=6, metadata={"help": "Cascades, each with its own denoiser", "range": (1, 30)})
    channels: int = field(default=24, metadata={"help": "Channels at full resolution", "range": (2, 256)})
    deep_channels: int = field(default=48, metadata={"help": "Channels at half resolution", "range": (2, 512)})
    deep_blocks: int = field(default=2, metadata={"help": "Blocks at half resolution", "range": (1, 8)})
    time: bool = field(default=True, metadata={"help": "Mix neighbouring frames (off: every frame on its own)"})
    memory: bool = field(default=True, metadata={"help": "Hand features from each cascade to the next"})

    def __post_init__(self) -> None:
        for name in ("cascades", "channels", "deep_channels", "deep_blocks"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} of myonet is out of range (expected at least 1 / found {getattr(self, name)})",
                    f"Choose a larger {name}.",
                )


class Mix(nn.Module):
    """Mixture of frames t - 1, t and t + 1, the same in every pixel; time is circular.

    A 1 x 1 convolution over the channels of three frames, on a CPU three matrix products with the channels last in memory.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.product = nn.Linear(3 * channels, channels)

    def forward(self, frames: Frames) -> Frames:
        """Mix frames, each (batch, channel, y, x)."""
        b, c, h, w = frames[0].shape
        if forms.plain() or frames[0].device.type != "cpu":
            kernel = self.product.weight[:, :, None, None]
            taps = [frames[-1], *frames[:-1]], frames, [*frames[1:], frames[0]]
            return each(lambda *three: functional.conv2d(torch.cat(three, dim=1), kernel, self.product.bias), *taps)
        rows = [frame.permute(0, 2, 3, 1).reshape(-1, c) for frame in frames]
        before, now, after = torch.split(self.product.weight.T, c)
        mixed = []
        for t, row in enumerate(rows):
            sums = torch.addmm(self.product.bias, row, now)
            sums = torch.addmm(sums, rows[t - 1], before)
            sums = torch.addmm(sums, rows[(t + 1) % len(rows)], after)
            mixed.append(sums.reshape(b, h, w, c).permute(0, 3, 1, 2))
        return mixed


class Block(nn.Module):
    """(2+1)D residual block: convolution in the image, ReLU, mixture over time."""

    def __init__(self, channels: int, time: bool) -> None:
        super().__init__()
        self.space = nn.Conv2d(channels, channels, 3, padding=1)
        self.mix: nn.Module = Mix(channels) if time else nn.Conv2d(channels, channels, 1)
        self.time = time

    def forward(self, frames: Frames, check: Check) -> Frames:
        """Return features of the same shape, each (batch, channel, y, x)."""
        inner = each(lambda frame: torch.relu_(self.space(frame)), frames, check=check)
        mixed = self.mix(inner) if self.time else each(self.mix, inner, check=check)
        return [frame + more for frame, more in zip(frames, mixed, strict=True)]


class Denoiser(nn.Module):
    """D_n: from an image and the features of the cascade before to a correction of the image and new features.

    Every layer runs frame by frame: what lies between two layers stays small, and close to the processor.
    """

    def __init__(self, config: MyonetConfig, first: bool) -> None:
        super().__init__()
        c, d = config.channels, config.deep_channels
        self.enter = nn.Conv2d(2 if first or not config.memory else 2 + c, c, 3, padding=1)
        self.shallow = Block(c, config.time)
        self.down = nn.Conv2d(c, d, 2, stride=2)
        self.deep = nn.ModuleList(Block(d, config.time) for _ in range(config.deep_blocks))
        self.up = nn.Conv2d(d, c, 1)
        self.leave = nn.Conv2d(c, 2, 3, padding=1)
        # A network that has learned nothing corrects nothing: every cascade returns the regularised least-squares image.
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)

    def kept_bytes(self, image: Tensor) -> float:
        """Return about how many bytes a backward pass keeps: at full resolution about ten maps a channel, in deep blocks five."""
        maps = 10 * self.enter.out_channels + 5 * len(self.deep) * self.down.out_channels / 4
        return float(image.element_size() * image[:, 0].numel() * maps)

    def forward(self, image: Tensor, check: Check, *memory: Tensor) -> tuple[Tensor, ...]:
        """Return the correction (batch * frame, 2, y, x), and the features (batch, channel, y, x) of each frame.

        ``image`` is complex (batch, frame, y, x), ``memory`` the features of the cascade before, () for none.
        """
        batch, _, h, w = image.shape
        frames = to_frames(frames_to_channels(image.transpose(0, 1)), batch)
        if memory:
            frames = [torch.cat((frame, kept.to(frame.dtype)), dim=1) for frame, kept in zip(frames, memory, strict=True)]
        features = self.shallow(each(lambda frame: torch.relu_(self.enter(frame)), frames, check=check), check)
        deep = each(lambda frame: torch.relu_(self.down(_even(frame))), features, check=check)
        for block in self.deep:
            deep = block(deep, check)

        def joined(fine: Tensor, coarse: Tensor) -> Tensor:
            raised = functional.interpolate(self.up(coarse), scale_factor=2.0, mode="nearest")[..., :h, :w]
            return torch.relu_(fine + raised)

        features = each(joined, features, deep, check=check)
        correction = each(self.leave, features, check=check)
        return torch.stack(correction, dim=1).flatten(0, 1), *features


def _even(frame: Tensor) -> Tensor:
    """Repeat the last row and column of (batch, channel, y, x) where their number is odd."""
    h, w = frame.shape[-2:]
    return functional.pad(frame, (0, w % 2, 0, h % 2), mode="replicate") if h % 2 or w % 2 else frame


class Myonet(nn.Module):
    """The network; see the module's text."""

    def __init__(self, config: MyonetConfig) -> None:
        super().__init__()
        self.config = config
        self.log_lambda = nn.Parameter(torch.full((), -3.0))
        self.denoisers = nn.ModuleList(Denoiser(config, first=n == 0) for n in range(config.cascades))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex64 (batch, frame, y, x)."""
        operator, frames = data.operator, data.kspace.shape[1]
        check = data.report.check
        weight = self.log_lambda.exp()
        projected = operator.adjoint(data.kspace)  # A^H b
        x = projected
        memory: tuple[Tensor, ...] = ()
        for n, denoiser in enumerate(self.denoisers):
            data.report.step(n, len(self.denoisers), f"cascade {n + 1} of {len(self.denoisers)}")
            if n == 0:
                x = operator.solve(projected, weight, projected, CG_ITERATIONS, CG_TOLERANCE, check)
            assert isinstance(denoiser, Denoiser)
            correction, *features = recomputed(partial(denoiser, x, check, *memory), denoiser.kept_bytes(frames_to_channels(x)))
            memory = tuple(features) if self.config.memory else ()
            denoised = x + channels_to_frames(correction, frames)
            x = operator.solve(projected + weight * denoised, weight, denoised, CG_ITERATIONS, CG_TOLERANCE, check)
            data.stages(n, "image", x)
            data.stages(n, "denoised", denoised)
        return x


MODELS.register(
    "myonet",
    ModelSpec(
        name="myonet",
        title="Myonet",
        paper="This program's own network",
        config=MyonetConfig,
        build=Myonet,
        presets={
            "small": MyonetConfig(),
            "wide": MyonetConfig(cascades=8, channels=32, deep_channels=64, deep_blocks=3),
        },
        trainable=True,
        macs_shape="12x10x204x448",
        notes=(
            "One weight lambda for all cascades, so that the data term is factored once.",
            "Time is circular: the last frame is followed by the first one, in mapping series too.",
        ),
    ),
)
