"""L+S-Net: the low-rank plus sparse iteration with a learned threshold and a learned sparsifying step.

Source: W. Huang, Z. Ke, et al., "Deep low-rank plus sparse network for dynamic MR imaging", Medical Image Analysis 2021; here as
the JotlasNet paper compares it: 3D convolutions of 32 channels, 10 cells, learned singular-value thresholds.

Deviation: the image is L + S of the last cell, as its published weights were trained and tested, not M after the last data step
(with those weights M is 10 dB worse). With several coils they were trained on its magnitude alone and its phase means nothing;
``output = "magnitude"`` then returns |L + S| with zero phase, so that no phase is shown that is not one. gamma keeps a gradient
below zero (:func:`engine.models.parts.thresholds.positive`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from engine.core.errors import InputError
from engine.core.jobs import Check
from engine.models.blocks import ConvStack, to_channels, to_complex
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.sizes import require_least
from engine.models.parts.thresholds import lower_casorati, positive

SLOPE = 0.3  # of the leaky ReLU
OUTPUTS = ("magnitude", "complex")


@dataclass(frozen=True, slots=True)
class LplusSNetConfig:
    """Sizes of the network, and what it returns."""

    cells: int = field(default=10, metadata={"help": "Number of iterations, each with its own parameters", "range": (1, 50)})
    channels: int = field(default=32, metadata={"help": "Channels of the convolutions", "range": (1, 256)})
    output: str = field(
        default="magnitude",
        metadata={
            "help": "|L + S| with zero phase, for weights trained on magnitudes (published multi-coil ones), or complex L + S",
            "choices": OUTPUTS,
        },
    )

    def __post_init__(self) -> None:
        require_least(self, "lplus_s_net", "As compared it has 10 cells of 32 channels.", cells=1, channels=1)
        if self.output not in OUTPUTS:
            raise InputError(
                f"output of lplus_s_net is {self.output!r} (expected one of {', '.join(OUTPUTS)})",
                "Use complex for weights that were trained against complex images, otherwise magnitude.",
            )


class Cell(nn.Module):
    """One iteration: L by thresholding the Casorati matrix of M, S by three convolutions of L and M."""

    def __init__(self, channels: int, last: bool) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.full((), -2.0))  # its sigmoid is the share of the largest singular value
        self.sparse = ConvStack((4, channels, channels, 2), slope=SLOPE)
        # The data step of the last cell changes neither L nor S: it has no parameter.
        self.step_size = None if last else nn.Parameter(torch.ones(()))  # gamma

    def forward(self, m: Tensor, check: Check) -> tuple[Tensor, Tensor]:
        """Return L and S, complex (batch, frame, y, x)."""
        low_rank = lower_casorati(m, torch.sigmoid(self.threshold), check)
        # Channels: Re L, Re M, Im L, Im M.
        both = torch.stack((to_channels(low_rank), to_channels(m)), dim=2).flatten(1, 2)
        return low_rank, to_complex(self.sparse(both, check))


class LplusSNet(nn.Module):
    """The network: M0 = A^H b, then the cells, M = L + S - gamma A^H (A (L + S) - b) between them.

    Stages: ``"image"`` (L + S, or its magnitude), ``"low_rank"`` (L), ``"sparse"`` (S), ``"threshold"`` (the share of the largest
    singular value).
    """

    def __init__(self, config: LplusSNetConfig) -> None:
        super().__init__()
        self.output = config.output
        self.cells = nn.ModuleList(Cell(config.channels, last=i == config.cells - 1) for i in range(config.cells))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        total = len(self.cells)
        term = DataTerm(data)
        m = image = term.image
        for index, cell in enumerate(self.cells):
            data.report.step(index, total, "L+S-Net")
            assert isinstance(cell, Cell)
            low_rank, sparse = recomputed(partial(cell, m, data.report.check), cell.sparse.kept_bytes(m))
            x = low_rank + sparse
            if cell.step_size is not None:
                m = x - positive(cell.step_size) * term.gradient(x)
            image = x if self.output == "complex" else x.abs().to(x.dtype)
            data.stages(index, "image", image)
            data.stages(index, "low_rank", low_rank)
            data.stages(index, "sparse", sparse)
            data.stages(index, "threshold", torch.sigmoid(cell.threshold))
        data.report.step(total, total, "L+S-Net")
        return image


MODELS.register(
    "lplus_s_net",
    ModelSpec(
        name="lplus_s_net",
        title="L+S-Net",
        paper="Huang et al.: Deep low-rank plus sparse network for dynamic MR imaging, Medical Image Analysis 2021; in the form "
        "compared by JotlasNet",
        config=LplusSNetConfig,
        build=LplusSNet,
        presets={"paper": LplusSNetConfig(), "small": LplusSNetConfig(cells=5, channels=12, output="complex")},
        trainable=True,
        macs_shape="12x10x128x128",
        normalise="image_max",
        notes=(
            "As compared in the JotlasNet paper: 3D convolutions of 32 channels, 10 cells, learned singular-value thresholds.",
            "The image is L + S of the last cell; the preset paper returns its magnitude with zero phase, because its multi-coil "
            "training sees magnitudes only and leaves the phase without a meaning. The preset small returns complex L + S and has "
            "to be trained against complex images.",
        ),
    ),
)
