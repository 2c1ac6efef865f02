"""SLR-Net: joint sparsity in a learned domain and low rank of the Casorati matrix, with a multiplier between the two.

Source: Z. Ke, W. Huang, et al., "Learned Low-Rank Priors in Dynamic MR Imaging", IEEE TMI 2021: the iteration that the JotlasNet
paper writes as its eq. (7); here as that paper compares it: 3D convolutions of 16 channels, 10 cells, learned singular-value
thresholds.

Deviation: the scalars keep a gradient below zero (:func:`engine.models.parts.thresholds.positive`); their values are those of the
ReLU of the published form, which switched off every coupling and every multiplier step in its published weights for good. Kept
as published: the coupling term is added, not subtracted as eq. (7) has it; the threshold and the multiplier step of the last
cell, which nothing follows, are not trained (2 of 293,810 numbers).
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
from engine.models.parts.thresholds import lower_casorati, positive, soft_threshold


@dataclass(frozen=True, slots=True)
class SlrNetConfig:
    """Sizes of the network."""

    cells: int = field(default=10, metadata={"help": "Number of iterations, each with its own parameters", "range": (2, 50)})
    channels: int = field(default=16, metadata={"help": "Channels of the convolutions", "range": (1, 256)})

    def __post_init__(self) -> None:
        require_least(self, "slr_net", "As compared it has 10 cells of 16 channels.", cells=2, channels=1)


class Cell(nn.Module):
    """One iteration of eq. (7): X by ISTA, T by thresholding its Casorati matrix, and the multiplier."""

    def __init__(self, channels: int, last: bool) -> None:
        super().__init__()
        self.step_size = nn.Parameter(torch.full((), 0.1))  # lambda 1
        self.coupling = nn.Parameter(torch.full((), 0.1))  # lambda 2
        self.transform = ConvStack((2, channels, channels, channels))
        self.soft_threshold = nn.Parameter(torch.full((), 0.1))
        self.inverse_transform = ConvStack((channels, channels, channels, 2))
        # The sigmoid of the threshold is the share of the largest singular value.
        self.threshold = nn.Parameter(torch.full((), -2.0), requires_grad=not last)
        self.multiplier_step = nn.Parameter(torch.full((), 0.01), requires_grad=not last)  # eta

    def forward(self, x: Tensor, gap: Tensor, data: DataTerm, check: Check) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next x, r after the gradient step (complex (batch, frame, y, x)) and the features of r.

        ``gap`` is x + beta - t: how far the image is from its low-rank partner.
        """
        r = x - positive(self.step_size) * data.gradient(x) + positive(self.coupling) * gap
        features = self.transform(to_channels(r), check)
        check()
        kept = soft_threshold(features, self.soft_threshold)
        return r + to_complex(self.inverse_transform(kept, check)), r, features

    def low_rank(self, x: Tensor, check: Check) -> Tensor:
        """Return t, complex (batch, frame, y, x)."""
        return lower_casorati(x, torch.sigmoid(self.threshold), check)

    def symmetry(self, r: Tensor, features: Tensor) -> Tensor:
        """Return what the two transforms miss of the identity, (batch, 2, frame, y, x): the residual of the symmetry loss."""
        back: Tensor = self.inverse_transform(features)
        return back - to_channels(r)


class SlrNet(nn.Module):
    """The network: x0 = A^H b, t and beta zero, then the cells.

    Stages: ``"image"`` (x), ``"low_rank"`` (t), ``"multiplier"`` (beta), ``"threshold"`` (the share of the largest singular value)
    and ``"soft_threshold"``; while training also ``"symmetry"``, the residual whose mean square the published training adds with
    weight 0.01 for every cell.
    """

    def __init__(self, config: SlrNetConfig) -> None:
        super().__init__()
        self.cells = nn.ModuleList(Cell(config.channels, last=i == config.cells - 1) for i in range(config.cells))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        total, check = len(self.cells), data.report.check
        term = DataTerm(data)
        x = term.image
        t = beta = torch.zeros_like(x)
        for index, cell in enumerate(self.cells):
            data.report.step(index, total, "SLR-Net")
            assert isinstance(cell, Cell)
            kept = cell.transform.kept_bytes(x) + cell.inverse_transform.kept_bytes(x)
            x, r, features = recomputed(partial(cell, x, x + beta - t, term, check), kept)
            t = cell.low_rank(x, check)
            beta = beta + positive(cell.multiplier_step) * (x - t)
            data.stages(index, "image", x)
            data.stages(index, "low_rank", t)
            data.stages(index, "multiplier", beta)
            data.stages(index, "threshold", torch.sigmoid(cell.threshold))
            data.stages(index, "soft_threshold", cell.soft_threshold)
            if self.training:
                data.stages(index, "symmetry", cell.symmetry(r, features))
        data.report.step(total, total, "SLR-Net")
        return x


MODELS.register(
    "slr_net",
    ModelSpec(
        name="slr_net",
        title="SLR-Net",
        paper="Ke et al.: Learned Low-Rank Priors in Dynamic MR Imaging, IEEE TMI 2021; in the form compared by JotlasNet",
        config=SlrNetConfig,
        build=SlrNet,
        presets={"paper": SlrNetConfig(), "small": SlrNetConfig(cells=5, channels=8)},
        trainable=True,
        macs_shape="12x10x128x128",
        normalise="image_max",
        notes=(
            "As compared in the JotlasNet paper: 3D convolutions of 16 channels, 10 cells, learned singular-value thresholds.",
            "Its soft thresholds are absolute, so the result depends strongly on the scale of the data.",
            "Step sizes and couplings go on learning when an update carried them to zero; in the published weights all couplings "
            "and multiplier steps are off, so that the low-rank part has no effect there.",
        ),
    ),
)
