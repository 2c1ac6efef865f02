"""T2LR-Net: tensor low-rank unrolling, the singular values of every frame thresholded in a learned domain.

Source: Y. Zhang, P. Li, Y. Hu, "T2LR-Net: An unrolling network learning transformed tensor low-rank prior for dynamic MR image
reconstruction", Computers in Biology and Medicine 2024; here in the form in which the JotlasNet paper (section 4.3, table 5)
compares it: the ISTA iteration of JotlasNet's eq. (16) with its LR layer alone, neither S layer nor acceleration.

Deviation: the original T2LR-Net is an ADMM with a multiplier and, for a single coil, a closed form of the data step. It is not the
network that was compared, nor the one whose weights were published with several coils.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.jotlasnet import LowRankLayer
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.sizes import require_least
from engine.models.parts.thresholds import positive


@dataclass(frozen=True, slots=True)
class T2lrNetConfig:
    """Sizes of the network."""

    cells: int = field(default=15, metadata={"help": "Number of iterations, each with its own parameters", "range": (1, 50)})
    channels: int = field(default=16, metadata={"help": "Channels of the convolutions", "range": (1, 256)})

    def __post_init__(self) -> None:
        require_least(self, "t2lr_net", "As compared it has 15 cells of 16 channels.", cells=1, channels=1)


class Cell(nn.Module):
    """One iteration: gradient step, then the LR layer of JotlasNet's eq. (17) with its skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.step_size = nn.Parameter(torch.full((), 0.1))  # mu
        self.low_rank = LowRankLayer(channels)


class T2lrNet(nn.Module):
    """The network: X0 = A^H b, then the cells.

    Stages: ``"image"`` (X), ``"low_rank"`` (what the LR layer adds), ``"threshold"`` (the share of the largest singular value).
    """

    def __init__(self, config: T2lrNetConfig) -> None:
        super().__init__()
        self.cells = nn.ModuleList(Cell(config.channels) for _ in range(config.cells))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        total = len(self.cells)
        term = DataTerm(data)
        x = term.image
        for index, cell in enumerate(self.cells):
            data.report.step(index, total, "T2LR-Net")
            assert isinstance(cell, Cell)
            stepped = x - positive(cell.step_size) * term.gradient(x)
            layer = cell.low_rank
            kept = layer.transform.kept_bytes(x) + layer.inverse_transform.kept_bytes(x)
            x = recomputed(partial(layer, stepped, 1.0, data.report.check), kept)
            data.stages(index, "image", x)
            data.stages(index, "low_rank", x - stepped)
            data.stages(index, "threshold", torch.sigmoid(cell.low_rank.threshold))
        data.report.step(total, total, "T2LR-Net")
        return x


MODELS.register(
    "t2lr_net",
    ModelSpec(
        name="t2lr_net",
        title="T2LR-Net",
        paper="Zhang, Li, Hu: T2LR-Net: An unrolling network learning transformed tensor low-rank prior for dynamic MR image "
        "reconstruction, Computers in Biology and Medicine 2024; in the form compared by JotlasNet",
        config=T2lrNetConfig,
        build=T2lrNet,
        presets={"paper": T2lrNetConfig(), "small": T2lrNetConfig(cells=5, channels=8)},
        trainable=True,
        macs_shape="12x10x128x128",
        normalise="image_max",
        notes=("As compared in the JotlasNet paper: JotlasNet without its sparse layer and its acceleration, 15 cells.",),
    ),
)
