"""The U-Nets that fastMRI, DIRECT and their descendants share: two convolutions a level, instance norm, leaky ReLU.

Source: Ronneberger et al., MICCAI 2015, in the form of Zbontar et al., fastMRI, 2018, and of DIRECT (Yiasemis et al., 2022):
convolutions without bias, instance norm without weights, leaky ReLU of slope 0.2, average pooling, transposed convolutions with
the same norm, an output convolution of kernel 1 with bias.

On a CPU features lie with the channel last in memory: there convolutions of up to 36 channels take a quarter to two thirds of the
time, wider ones about the same, transposed ones a tenth to a half (torch 2.13, one thread, 32 x 18 to 204 x 448 pixels). Without
gradients the norm is our own, as the library's takes two to five times as long in that layout. With gradients it is the library's:
against one of ours that kept a quarter less it is 1.1 to 1.5 times as fast in float32 and 1.6 to 1.8 times in bfloat16.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import InputError, ShapeError
from engine.core.jobs import Check
from engine.models import blocks
from engine.models.blocks import channels_last
from engine.models.parts import forms, mixed3d
from engine.models.parts.conv3d import convolve3d
from engine.models.parts.padding import extend, pad_to, pad_to_multiple

SLOPE = 0.2
EPSILON = 1e-5
# Values of the finest feature map that are worked on at once where no gradient is wanted: a CPU's cache, a GPU's memory.
_CHUNK_VALUES = {"cpu": 1 << 22, "cuda": 1 << 29}

# Values that are normalised at once on a CPU: they stay in its cache.
_CACHED_VALUES = 1 << 20


def norm_leaky(features: Tensor, slope: float = SLOPE) -> Tensor:
    """Return instance norm followed by leaky ReLU of real features (batch, channel, *space).

    Every channel of every example gets mean 0 and variance 1 over space (a single pixel becomes 0).

    Parameters
    ----------
    features
        Real; float16 and bfloat16 are normalised in float32 and returned as they came (with gradients: as the library does it).
        Where no gradient is wanted they may be overwritten: give a layer's fresh output.
    slope
        Of the leaky ReLU; 1 leaves it out.
    """
    if forms.plain() or features.device.type != "cpu" or (torch.is_grad_enabled() and features.requires_grad):
        normed = torch.instance_norm(features, None, None, None, None, True, 0.0, EPSILON, torch.backends.cudnn.enabled)
        return normed if slope == 1.0 else functional.leaky_relu_(normed, slope)
    return _norm_leaky(features, slope, overwrite=not features.requires_grad)


def _norm_leaky(features: Tensor, slope: float, overwrite: bool) -> Tensor:
    """Return the result, with the channel last in memory; ``overwrite`` says whether the input's memory may be used for it."""
    x = features.movedim(1, -1).contiguous()  # (batch, *space, channel)
    half = x.dtype in (torch.float16, torch.bfloat16)
    wide = _rows(x.float() if half else x)
    mean, squares = _averaged(wide.sum(1), x.shape[-1], wide.shape[1]), torch.zeros_like(wide[:, 0])
    result = wide if overwrite or half else torch.empty_like(wide)
    step = max(1, _CACHED_VALUES // wide.shape[-1])
    for rows, centred in zip(torch.split(wide, step, 1), torch.split(result, step, 1), strict=True):
        squares += torch.sub(rows, mean, out=centred).square().sum(1)
    scale = torch.rsqrt(_averaged(squares, x.shape[-1], wide.shape[1]) + EPSILON)
    for centred in torch.split(result, step, 1):
        centred.mul_(scale)
        if slope != 1.0:
            functional.leaky_relu_(centred, slope)
    return (result.to(x.dtype) if half else result).view(x.shape).movedim(-1, 1)


def _rows(x: Tensor) -> Tensor:
    """View (batch, *space, channel) as (batch, row, x * channel): long rows, whose sums and products are vectorised."""
    return x.reshape(x.shape[0], -1, x.shape[-2] * x.shape[-1])


def _averaged(columns: Tensor, channels: int, rows: int) -> Tensor:
    """Return each channel's mean, repeated (batch, 1, x * channel), of sums over rows (batch, x * channel): added up in double."""
    by_channel = columns.view(len(columns), -1, channels).double()
    mean = by_channel.sum(1, keepdim=True) / (rows * by_channel.shape[1])
    return mean.to(columns.dtype).repeat(1, 1, by_channel.shape[1])


class ConvBlock(nn.Module):
    """Twice: convolution of kernel 3 without bias, instance norm, leaky ReLU, dropout."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float, dimensions: int) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, out_channels, dimensions)
        self.conv2 = _conv(out_channels, out_channels, dimensions)
        self.dropout = dropout

    def forward(self, features: Tensor, check: Check | None = None) -> Tensor:
        """Return (batch, out channels, *space)."""
        for layer in (self.conv1, self.conv2):
            if check is not None:
                check()
            features = layer(features, check) if isinstance(layer, blocks.Conv3d) else layer(features)
            if check is not None:
                check()
            features = norm_leaky(features)
            if self.dropout > 0:
                features = torch.feature_dropout(features, self.dropout, self.training)
        return features


class UpBlock(nn.Module):
    """Transposed convolution that doubles every axis, norm and leaky ReLU; joined with the encoder's features; a conv block."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float, dimensions: int, odd: str) -> None:
        super().__init__()
        transposed = nn.ConvTranspose2d if dimensions == 2 else mixed3d.ConvTranspose3d
        self.up = transposed(in_channels, out_channels, kernel_size=2, stride=2, bias=False)
        self.block = ConvBlock(2 * out_channels, out_channels, dropout, dimensions)
        self.odd = odd

    def forward(self, features: Tensor, skip: Tensor, check: Check | None = None) -> Tensor:
        """Return (batch, out channels, *space of skip)."""
        if check is not None:
            check()
        features = self.up(features)
        if check is not None:
            check()
        features = norm_leaky(features)
        for dim in range(2, features.ndim):
            if features.shape[dim] < skip.shape[dim]:
                features = extend(features, dim, 0, 1, "reflect" if self.odd == "reflect" else "zero")
        if check is not None:
            check()
        made: Tensor = self.block(torch.cat((features, skip), dim=1), check)
        return made


def _conv(in_channels: int, out_channels: int, dimensions: int) -> nn.Module:
    if dimensions == 3:
        return blocks.Conv3d(in_channels, out_channels)
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)


class _UNet(nn.Module):
    """A U-Net over two or three axes. See :class:`UNet2d`."""

    dimensions = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        filters: int,
        pools: int,
        dropout: float = 0.0,
        odd: Literal["reflect", "zero"] = "reflect",
    ) -> None:
        super().__init__()
        if min(in_channels, out_channels, filters) < 1 or pools < 0 or not 0.0 <= dropout < 1.0:
            raise InputError(
                f"sizes of a U-Net are out of range (expected channels and filters of at least 1, pools of at least 0, dropout in "
                f"[0, 1) / found {in_channels}, {out_channels}, {filters}, {pools}, {dropout})",
                "A usual U-Net has 8 to 64 filters and 4 pools.",
            )
        n = self.dimensions
        self.in_channels, self.filters, self.pools = in_channels, filters, pools
        widths = [filters * 2**level for level in range(pools + 1)]
        inputs = [in_channels, *widths[:-1]]
        self.encoder = nn.ModuleList(ConvBlock(inputs[level], widths[level], dropout, n) for level in range(pools))
        self.bottleneck = ConvBlock(inputs[pools], widths[pools], dropout, n)
        self.decoder = nn.ModuleList(UpBlock(widths[level + 1], widths[level], dropout, n, odd) for level in reversed(range(pools)))
        self.output = (nn.Conv2d if n == 2 else mixed3d.Conv3d)(filters, out_channels, kernel_size=1)

    def forward(self, image: Tensor, check: Check | None = None) -> Tensor:
        """Return (batch, out channels, *space) of (batch, in channels, *space); ``check`` is called before each layer."""
        if image.ndim != 2 + self.dimensions or image.shape[1] != self.in_channels:
            raise ShapeError(
                f"a U-Net's input has other axes (expected batch, {self.in_channels} channels, {self.dimensions} axes of space / "
                f"found {tuple(image.shape)})",
                "Give as many frames as the network was built for.",
            )
        step = max(1, _CHUNK_VALUES.get(image.device.type, 1 << 28) // (self.filters * image[0, 0].numel()))
        if torch.is_grad_enabled() or len(image) <= step:
            return self._run(image, check)
        return torch.cat([self._run(part, check) for part in torch.split(image, step)])

    def _run(self, image: Tensor, check: Check | None) -> Tensor:
        space = range(2, image.ndim)
        features, undo = pad_to(image, [2**self.pools] * len(space), [dim - image.ndim for dim in space])
        features = channels_last(features)
        pool = functional.avg_pool2d if self.dimensions == 2 else functional.avg_pool3d
        skips = []
        for block in self.encoder:
            skips.append(block(features, check))
            features = pool(skips[-1], 2)
        features = self.bottleneck(features, check)
        for block in self.decoder:
            features = block(features, skips.pop(), check)
        if self.dimensions == 3:
            return undo(convolve3d(features, self.output.weight, self.output.bias))
        return undo(self.output(features))


class UNet2d(_UNet):
    """U-Net over (y, x).

    Any number of examples goes through at once; where no gradient is wanted they are worked on a few at a time, to the same
    numbers. An axis shorter than ``2^pools`` is padded with zeros to that length and cut back.

    Parameters
    ----------
    in_channels, out_channels
        Real channels.
    filters
        Channels of the first level; they double at each pooling.
    pools
        Number of poolings.
    dropout
        Probability with which a channel is dropped while training.
    odd
        What completes an axis that was odd before pooling, after up-sampling: its mirror image (DIRECT, fastMRI) or ``zero``.
    """

    dimensions = 2


class UNet3d(_UNet):
    """U-Net over (frame, y, x); see :class:`UNet2d`."""

    dimensions = 3


class NormUNet(nn.Module):
    """A U-Net between a standardisation of each channel and its undoing: E2E VarNet's.

    Source: Sriram et al., MICCAI 2020: every channel (real part, imaginary part) is brought to mean 0 and standard deviation 1
    (unbiased), padded with zeros to multiples of 16, sent through the U-Net, cut back, and brought back to its scale.

    Parameters
    ----------
    unet
        A U-Net with as many input as output channels.
    multiple
        Of what the sizes are made multiples.
    """

    def __init__(self, unet: nn.Module, multiple: int = 16) -> None:
        super().__init__()
        self.unet = unet
        self.multiple = multiple

    def forward(self, image: Tensor, check: Check | None = None) -> Tensor:
        """Return (batch, channel, y, x) of the same shape as ``image``."""
        normed, mean, deviation = standardise(image)
        padded, undo = pad_to_multiple(normed, self.multiple)
        return undo(self.unet(padded, check)) * deviation + mean


def standardise(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``((image - mean) / deviation, mean, deviation)``, each channel of (batch, channel, *space) by itself.

    The deviation is the unbiased one; 1 where a channel is constant. Computed in at least float32.
    """
    wide = image.float() if image.dtype in (torch.float16, torch.bfloat16) else image
    space = tuple(range(2, image.ndim))
    variance, mean = torch.var_mean(wide, dim=space, correction=1 if wide[0, 0].numel() > 1 else 0, keepdim=True)
    deviation = torch.where(variance > 0, variance, 1.0).sqrt()
    return (wide - mean) / deviation, mean, deviation


def kept_bytes(image: Tensor, filters: int) -> float:
    """Return about what the backward pass through a U-Net keeps: for :func:`engine.models.parts.checkpointing.recomputed`.

    Twenty-two times the finest level's map, with the coarser levels in it.

    Parameters
    ----------
    image
        What goes into the U-Net, (batch, channel, *space).
    filters
        Channels of its first level.
    """
    return 22.0 * image.element_size() * filters * image[:, 0].numel()


def start_kaiming(module: nn.Module, slope: float = 0.01) -> None:
    """Start all convolutions of a network normally distributed for a leaky ReLU of that slope (He et al., 2015), biases at zero."""
    for layer in module.modules():
        if not isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d) or layer.weight.is_meta:
            continue  # where parameters are only counted, drawing them would take seconds
        nn.init.kaiming_normal_(layer.weight, a=slope)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
