"""PromptUNet: channel-attention blocks in a U-Net of three levels, with prompts joined to the decoder.

Source: B. Xin, M. Ye, L. Axel, D. N. Metaxas, "Fill the K-Space and Refine the Image: Prompting for Dynamic and Multi-Contrast MRI
Reconstruction", STACOM 2023 (arXiv 2309.13839), section 2 and fig. 2. Details as in the authors' program (MIT): one activation
slope is shared by all blocks of all U-Nets of a network, except the first block of each U-Net, which has its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.jobs import Check, no_check
from engine.models.parts import forms
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.frames import in_chunks
from engine.models.parts.padding import pad_to_multiple

PADDING = 8
REDUCTION = 4  # of the channels inside the attention
SLOPE = 0.25

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class PromptUNetSizes:
    """Sizes of one U-Net, from the finest level to the coarsest.

    ``features`` after the first convolution, ``dims`` after each halving; channels ``prompt_dims``, number ``prompts`` and side
    ``prompt_sizes`` of each level's prompts; channel-attention blocks in ``encoder``, ``decoder``, ``skip`` and ``bottleneck``.
    """

    features: int = 48
    dims: Triple = (72, 96, 120)
    prompt_dims: Triple = (24, 48, 72)
    prompts: Triple = (5, 5, 5)
    prompt_sizes: Triple = (64, 32, 16)
    encoder: Triple = (2, 3, 3)
    decoder: Triple = (2, 2, 3)
    skip: Triple = (1, 1, 1)
    bottleneck: int = 3
    learnable_prompts: bool = False


@dataclass(slots=True)
class SharedPReLU:
    """Parametric ReLU whose slope belongs to the whole network, which sets it before each pass."""

    slope: Tensor = field(default_factory=lambda: torch.tensor(SLOPE))

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``max(x, 0) + slope min(x, 0)``."""
        return functional.prelu(x, self.slope.to(x.dtype))


def _conv(in_channels: int, out_channels: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)


class ChannelAttentionBlock(nn.Module):
    """CAB: ``x + a * conv(PReLU(conv(x)))`` with one weight a in (0, 1) for each channel, from the channels' means."""

    def __init__(self, channels: int, activation: SharedPReLU | nn.PReLU) -> None:
        super().__init__()
        self.conv1 = _conv(channels, channels, 3)
        self.conv2 = _conv(channels, channels, 3)
        self.squeeze = _conv(channels, channels // REDUCTION, 1)
        self.excite = _conv(channels // REDUCTION, channels, 1)
        self.activation = activation

    def forward(self, x: Tensor, check: Check) -> Tensor:
        """Return features of the same shape."""
        check()
        features = self.conv2(self.activation(self.conv1(x)))
        mean = features.mean((-2, -1), keepdim=True)
        attention = torch.sigmoid(self.excite(torch.relu(self.squeeze(mean))))
        return torch.addcmul(x, features, attention)


class Blocks(nn.ModuleList):
    """Channel-attention blocks one after the other."""

    def __init__(self, channels: int, count: int, activation: SharedPReLU, own: bool = False) -> None:
        super().__init__(
            ChannelAttentionBlock(channels, nn.PReLU(init=SLOPE) if own and index == 0 else activation) for index in range(count)
        )

    def forward(self, x: Tensor, check: Check) -> Tensor:
        """Return features of the same shape."""
        for block in self:
            x = block(x, check)
        return x


class PromptBlock(nn.Module):
    """Prompts weighted by what the features' means call for, resized to the features and convolved."""

    def __init__(self, channels: int, dim: int, count: int, size: int, learnable: bool) -> None:
        super().__init__()
        prompts = torch.rand(count, dim, size, size)
        if learnable:
            self.prompts = nn.Parameter(prompts)
        else:
            self.register_buffer("prompts", prompts)
        self.linear = nn.Linear(channels, count)
        self.conv = _conv(dim, dim, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return the prompt (n, dim, y, x) for features (n, channel, y, x)."""
        weights = torch.softmax(self.linear(x.mean((-2, -1))), dim=1)
        prompt = (weights.to(self.prompts.dtype) @ self.prompts.flatten(1)).reshape(-1, *self.prompts.shape[1:])
        resized = functional.interpolate(prompt.to(x.dtype), x.shape[-2:], mode="bilinear")
        mixed: Tensor = self.conv(_last(resized))
        return mixed


class DecoderLevel(nn.Module):
    """Features joined with their prompt, attention, reduced, doubled in size, added to the skip connection, attention."""

    def __init__(self, level: int, sizes: PromptUNetSizes, activation: SharedPReLU) -> None:
        super().__init__()
        widths = (sizes.features, *sizes.dims)
        below, above, dim = widths[level + 1], widths[level], sizes.prompt_dims[level]
        self.prompt = PromptBlock(below, dim, sizes.prompts[level], sizes.prompt_sizes[level], sizes.learnable_prompts)
        self.fuse = Blocks(below + dim, sizes.decoder[level], activation)
        self.reduce = _conv(below + dim, below, 1)
        self.up = _conv(below, above, 1)
        self.skip = Blocks(above, sizes.skip[level], activation)
        self.refine = ChannelAttentionBlock(above, activation)

    def forward(self, x: Tensor, skip: Tensor, check: Check) -> Tensor:
        """Return features of the skip connection's shape (n, channel, y, x) from (n, channel', y / 2, x / 2)."""
        x = self.reduce(self.fuse(torch.cat((x, self.prompt(x)), dim=1), check))
        # A pointwise convolution and an interpolation may change places: a quarter of the products.
        x = self.up(_double(x)) if forms.plain() else _double(self.up(x))
        refined: Tensor = self.refine(x + self.skip(skip, check), check)
        return refined


class EncoderLevel(nn.Module):
    """Attention blocks, then a convolution of stride 2."""

    def __init__(self, level: int, sizes: PromptUNetSizes, activation: SharedPReLU) -> None:
        super().__init__()
        widths = (sizes.features, *sizes.dims)
        self.blocks = Blocks(widths[level], sizes.encoder[level], activation, own=level == 0)
        self.down = nn.Conv2d(widths[level], widths[level + 1], 3, stride=2, padding=1)

    def forward(self, x: Tensor, check: Check) -> tuple[Tensor, Tensor]:
        """Return the features at half the size and those for the skip connection."""
        features = self.blocks(x, check)
        return self.down(features), features


class PromptUNet(nn.Module):
    """The U-Net between a standardisation and its undoing.

    One mean and one unbiased standard deviation of all channels and pixels of an example; zero-padded to multiples of 8.
    """

    def __init__(self, channels: int, sizes: PromptUNetSizes, activation: SharedPReLU) -> None:
        super().__init__()
        self.first = _conv(channels, sizes.features, 3)
        self.encoder = nn.ModuleList(EncoderLevel(level, sizes, activation) for level in range(3))
        self.bottleneck = Blocks(sizes.dims[-1], sizes.bottleneck, activation)
        self.decoder = nn.ModuleList(DecoderLevel(level, sizes, activation) for level in range(3))
        self.last = _conv(sizes.features, channels, 5)

    def forward(self, images: Tensor, check: Check = no_check) -> Tensor:
        """Return real (n, channel, y, x) for real (n, channel, y, x), a few examples at a time."""
        return in_chunks(lambda chunk: recomputed(partial(self._standardised, chunk, check), self._kept(chunk)), images)

    def _kept(self, images: Tensor) -> float:
        """Return about what the backward pass needs, in bytes: 30 maps of the finest level, and the coarser ones."""
        return 40.0 * images.element_size() * self.first.out_channels * images[:, :1].numel()

    def _standardised(self, images: Tensor, check: Check) -> Tensor:
        mean = images.mean((1, 2, 3), keepdim=True)
        deviation = images.std((1, 2, 3), keepdim=True).clamp_min(torch.finfo(images.dtype).tiny)
        padded, undo = pad_to_multiple((images - mean) / deviation, PADDING)
        x = self.first(_last(padded))
        skips = []
        for level in self.encoder:
            x, features = level(x, check)
            skips.append(features)
        x = self.bottleneck(x, check)
        for level, skip in zip(reversed(self.decoder), reversed(skips), strict=True):
            x = level(x, skip, check)
        return undo(self.last(x)) * deviation + mean


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear")


def _last(x: Tensor) -> Tensor:
    """Return features with the channel last in memory, unless parts compute in their plain form."""
    return x.contiguous() if forms.plain() else x.contiguous(memory_format=torch.channels_last)
