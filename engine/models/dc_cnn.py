"""DC-CNN: a cascade of convolutional networks with hard data consistency between them.

Source: J. Schlemper, J. Caballero, J. V. Hajnal, A. N. Price, D. Rueckert, "A Deep Cascade of Convolutional Neural Networks for
Dynamic MR Image Reconstruction", IEEE TMI 2018: section III (data consistency, cascades, data sharing). Presets: ``paper`` is
D6-C10 in 3D with 16 channels and without biases, as the JotlasNet paper compares it; ``d5c5-2d`` and ``d5c5-3d`` are the authors'
own sizes.

Deviation: with several coils, data consistency replaces the samples of every coil and combines the coils again; the paper has one
coil. Data sharing in later cascades is taken of the combined image, which is the same for one coil.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import InputError
from engine.core.jobs import Check
from engine.models.blocks import ConvStack, channels_to_frames, frames_to_channels, glorot, to_channels, to_complex
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts import forms
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.sharing import share_images, share_kspace
from engine.models.parts.sizes import require_least


@dataclass(frozen=True, slots=True)
class DcCnnConfig:
    """Sizes of the network; n_c and n_d as in the paper."""

    cells: int = field(default=10, metadata={"help": "Number of cascades n_c", "range": (1, 50)})
    layers: int = field(default=6, metadata={"help": "Convolutions n_d in a cascade", "range": (2, 20)})
    channels: int = field(default=16, metadata={"help": "Channels of the convolutions", "range": (1, 256)})
    dimensions: int = field(default=3, metadata={"help": "2: every frame by itself, 3: space and time", "choices": (2, 3)})
    bias: bool = field(default=False, metadata={"help": "Whether convolutions have biases"})
    slope: float = field(default=0.0, metadata={"help": "Slope of the leaky ReLU below zero; 0 is a ReLU", "range": (0.0, 0.5)})
    sharing: tuple[int, ...] = field(
        default=(), metadata={"help": "Frame distances of data sharing, such as 0 1 2, each a pair of input channels; empty: none"}
    )

    def __post_init__(self) -> None:
        require_least(self, "dc_cnn", "The paper has 5 cascades of 5 layers.", cells=1, layers=2, channels=1)
        if self.dimensions not in (2, 3):
            raise InputError(
                f"dimensions of dc_cnn is {self.dimensions} (expected 2 or 3)", "Use 3 for convolutions over space and time."
            )
        if not 0.0 <= self.slope < 1.0:
            raise InputError(f"slope of dc_cnn is {self.slope:g} (expected at least 0 and below 1)", "Use 0.01, or 0 for a ReLU.")
        if any(distance < 0 for distance in self.sharing):
            raise InputError(
                f"sharing of dc_cnn is {self.sharing} (expected distances of at least 0)", "Use 0 1 2, or leave it empty."
            )


class ConvStack2d(nn.ModuleList):
    """2D convolutions of 3 x 3 with an activation between two of them, like :class:`engine.models.blocks.ConvStack` in 3D."""

    def __init__(self, channels: tuple[int, ...], bias: bool, slope: float) -> None:
        super().__init__(nn.Conv2d(a, b, 3, padding=1, bias=bias) for a, b in pairwise(channels))
        self.slope = slope
        self.widths = channels[1:]
        for layer in self:
            glorot(layer)

    def kept_bytes(self, image: Tensor) -> float:
        """Return how many bytes a backward pass keeps of the layers' outputs, for an image (batch, frame, y, x)."""
        return float(image.real.element_size() * image.numel() * sum(self.widths))

    def forward(self, features: Tensor, check: Check) -> Tensor:
        """Convolve (image, channel, y, x)."""
        layout = torch.contiguous_format if forms.plain() else torch.channels_last
        features = features.contiguous(memory_format=layout)
        for index, layer in enumerate(self):
            check()
            features = layer(functional.leaky_relu_(features, self.slope) if index else features)
        return features


class DcCnn(nn.Module):
    """The network: x0 = A^H b; every cascade adds what its CNN finds and puts the measured samples in.

    Stages: ``"image"``, ``"residual"`` (what the CNN adds before data consistency).
    """

    def __init__(self, config: DcCnnConfig) -> None:
        super().__init__()
        self.sharing = config.sharing
        inputs = 2 * len(config.sharing) if config.sharing else 2
        widths = (inputs, *(config.channels,) * (config.layers - 1), 2)
        stack = ConvStack if config.dimensions == 3 else ConvStack2d
        self.cells = nn.ModuleList(stack(widths, config.bias, config.slope) for _ in range(config.cells))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        total, check = len(self.cells), data.report.check
        term = DataTerm(data)
        x = term.image
        for index, cell in enumerate(self.cells):
            data.report.step(index, total, "DC-CNN")
            assert isinstance(cell, ConvStack | ConvStack2d)
            step = partial(_residual, cell, self.shared(x, term, data, index == 0), check)
            residual = recomputed(step, cell.kept_bytes(x))
            x = term.hard(x + residual)
            data.stages(index, "image", x)
            data.stages(index, "residual", residual)
        data.report.step(total, total, "DC-CNN")
        return x

    def shared(self, x: Tensor, term: DataTerm, data: ReconInput, first: bool) -> list[Tensor]:
        """Return the input images of a cascade's CNN: x, or with data sharing one for each distance.

        Before the first cascade only measured samples can be shared; later every frame has all samples.
        """
        if not self.sharing:
            return [x]
        if first:
            return [share_kspace(data, distance) for distance in self.sharing]
        return [term.hard(share_images(x, distance)) for distance in self.sharing]


def _residual(cell: ConvStack | ConvStack2d, images: list[Tensor], check: Check) -> Tensor:
    """Return what a CNN makes of images (batch, frame, y, x): their channels side by side in, one complex image out."""
    if isinstance(cell, ConvStack2d):
        channels = torch.cat([frames_to_channels(image) for image in images], dim=1)
        return channels_to_frames(cell(channels, check), images[0].shape[1])
    channels = torch.cat([to_channels(image) for image in images], dim=1) if len(images) > 1 else to_channels(images[0])
    return to_complex(cell(channels, check))


MODELS.register(
    "dc_cnn",
    ModelSpec(
        name="dc_cnn",
        title="DC-CNN",
        paper="Schlemper, Caballero, Hajnal, Price, Rueckert: A Deep Cascade of Convolutional Neural Networks for Dynamic MR Image "
        "Reconstruction, IEEE TMI 2018; sizes as compared by JotlasNet",
        config=DcCnnConfig,
        build=DcCnn,
        presets={
            "paper": DcCnnConfig(),
            "small": DcCnnConfig(cells=5, layers=4, channels=12),
            "d5c5-2d": DcCnnConfig(cells=5, layers=5, channels=64, dimensions=2, bias=True, slope=0.01),
            "d5c5-3d": DcCnnConfig(cells=5, layers=5, channels=32, bias=True, slope=0.01),
        },
        trainable=True,
        macs_shape="12x10x128x128",
        normalise="image_max",
        notes=(
            "The preset paper is D6-C10 with 3D convolutions of 16 channels, as the JotlasNet paper compares it; d5c5-2d and "
            "d5c5-3d are the sizes of its own paper.",
            "With several coils the samples of every coil are replaced and the coils combined again; the paper has one coil.",
        ),
    ),
)
