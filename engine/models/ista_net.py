"""ISTA-Net+ as a network over space and time: a gradient step, then soft thresholding in a learned domain, in every cell.

Source: J. Zhang, B. Ghanem, "ISTA-Net: Interpretable Optimization-Inspired Deep Network for Image Compressive Sensing", CVPR
2018: its enhanced version ISTA-Net+. Here in the form in which the JotlasNet paper (section 4.1.3) compares it: 3D convolutions of
16 channels on real and imaginary part in place of 2D ones of 32 channels on a real image.

Deviation: theta and mu keep a gradient below zero (:func:`engine.models.parts.thresholds.positive`); their values are those of the
ReLU of the published form, in whose weights every theta is still 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from engine.core.jobs import Check
from engine.models.blocks import ConvStack, to_channels, to_complex
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.sizes import require_least
from engine.models.parts.thresholds import positive, shrink


@dataclass(frozen=True, slots=True)
class IstaNetConfig:
    """Sizes of the network."""

    cells: int = field(default=10, metadata={"help": "Number of iterations, each with its own parameters", "range": (1, 50)})
    channels: int = field(default=16, metadata={"help": "Channels of the convolutions", "range": (1, 256)})

    def __post_init__(self) -> None:
        require_least(self, "ista_net", "As compared it has 10 cells of 16 channels.", cells=1, channels=1)


class Cell(nn.Module):
    """One iteration: the gradient step r = x - mu A^H (A x - b), then the proximal step x = r + F~ soft(F r, theta)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.step_size = nn.Parameter(torch.full((), 0.1))  # mu
        self.transform = ConvStack((2, channels, channels, channels))  # F, with the paper's D
        self.threshold = nn.Parameter(torch.zeros(()))  # theta
        self.inverse_transform = ConvStack((channels, channels, channels, 2))  # F~, with the paper's G

    def forward(self, x: Tensor, data: DataTerm, check: Check) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next x, r after the gradient step (complex (batch, frame, y, x)) and F r (batch, channel, frame, y, x)."""
        r = x - positive(self.step_size) * data.gradient(x)
        features = self.transform(to_channels(r), check)
        check()
        kept = shrink(features, positive(self.threshold))
        return r + to_complex(self.inverse_transform(kept, check)), r, features

    def symmetry(self, r: Tensor, features: Tensor) -> Tensor:
        """Return what F~ F misses of the identity, (batch, channel, frame, y, x): the residual of the symmetry loss.

        Taken between the outputs of the first and of the last but one layer, where the skip of ISTA-Net+ is.
        """
        first = torch.relu(self.transform[0](to_channels(r)))
        back = torch.relu(self.inverse_transform[0](features))
        return torch.relu(self.inverse_transform[1](back)) - first


class IstaNet(nn.Module):
    """The network: x0 = A^H b, then the cells.

    Stages: ``"image"`` (x), ``"gradient_step"`` (r), ``"threshold"`` (theta); while training also ``"symmetry"``, the residual
    whose mean square the published training adds with weight 0.01 for every cell.
    """

    def __init__(self, config: IstaNetConfig) -> None:
        super().__init__()
        self.cells = nn.ModuleList(Cell(config.channels) for _ in range(config.cells))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        total = len(self.cells)
        term = DataTerm(data)
        x = term.image
        for index, cell in enumerate(self.cells):
            data.report.step(index, total, "ISTA-Net")
            assert isinstance(cell, Cell)
            kept = cell.transform.kept_bytes(x) + cell.inverse_transform.kept_bytes(x)
            x, r, features = recomputed(partial(cell, x, term, data.report.check), kept)
            data.stages(index, "image", x)
            data.stages(index, "gradient_step", r)
            data.stages(index, "threshold", positive(cell.threshold))
            if self.training:
                data.stages(index, "symmetry", cell.symmetry(r, features))
        data.report.step(total, total, "ISTA-Net")
        return x


MODELS.register(
    "ista_net",
    ModelSpec(
        name="ista_net",
        title="ISTA-Net+",
        paper="Zhang, Ghanem: ISTA-Net: Interpretable Optimization-Inspired Deep Network for Image Compressive Sensing, "
        "CVPR 2018; in the form compared by JotlasNet",
        config=IstaNetConfig,
        build=IstaNet,
        presets={"paper": IstaNetConfig(), "small": IstaNetConfig(cells=5, channels=8)},
        trainable=True,
        macs_shape="12x10x128x128",
        normalise="image_max",
        notes=(
            "As compared in the JotlasNet paper: 3D convolutions of 16 channels on real and imaginary part, 10 cells.",
            "Step sizes and thresholds go on learning when an update carried them to zero; the published ones could not.",
        ),
    ),
)
