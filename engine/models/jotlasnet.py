"""JotlasNet: joint tensor low-rank and attention-based sparse unrolling network.

Source: Y. Zhang, H. Gui, N. Yang, Y. Hu, "JotlasNet: Joint Tensor Low-Rank and Attention-based Sparse Unrolling Network for
Accelerating Dynamic MRI": Algorithm 1, eqs. (16) to (18), sections 3.2.1 to 3.2.4.

Deviation: none in the arithmetic of a cell from the network its authors trained. Where paper and published weights differ:
both layers add their input back (a skip the paper does not draw, without which the published weights do not work); the third
layer with Nc outputs is that of D, not of D~ (section 3.2.2 swaps the names); the weights omega are learned as the paper says
(its published training left them at 0.5). The gradient of the singular-value thresholding is exact and finite at repeated
singular values, which section 5.3 names as the open problem. Data consistency uses the Gram operator where there is one: the
same numbers without coils and FFTs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from engine.core.jobs import Check
from engine.models.blocks import ConvStack, glorot, to_channels, to_complex
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.sizes import require_least
from engine.models.parts.start import START_HELP, START_NOTE, STARTS, check_start, start_near_zero, with_first_image
from engine.models.parts.thresholds import lower_frames, shrink


@dataclass(frozen=True, slots=True)
class JotlasNetConfig:
    """Sizes of the network; symbols as in the paper."""

    cells: int = field(default=15, metadata={"help": "Number of iterations N, each with its own parameters", "range": (1, 50)})
    channels: int = field(default=16, metadata={"help": "Channels Nc of the convolutions", "range": (1, 256)})
    start: str = field(default="zero_filled", metadata={"help": START_HELP, "choices": STARTS})

    def __post_init__(self) -> None:
        require_least(self, "jotlasnet", "The paper has 15 cells of 16 channels.", cells=1, channels=1)
        check_start(self.start, "jotlasnet")


class LowRankLayer(nn.Module):
    """LR layer: singular-value thresholding of every frame in a learned domain.

    Source: JotlasNet, section 3.2.1 and eq. (17): T and T~ are three 3D convolutions each, Nc, Nc and 2 channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.transform = ConvStack((2, channels, channels, 2))
        self.inverse_transform = ConvStack((2, channels, channels, 2))
        self.threshold = nn.Parameter(torch.full((), -2.0))  # th; its sigmoid is the share of the largest singular value

    def forward(self, image: Tensor, omega: Tensor | float, check: Check) -> Tensor:
        """Return Y1, complex (batch, frame, y, x), for the image after the gradient step and its weight omega 1."""
        features = to_complex(self.transform(to_channels(image), check))
        low_rank = lower_frames(features, torch.sigmoid(self.threshold) / omega, check)
        return image + to_complex(self.inverse_transform(to_channels(low_rank), check))


class AttentionThreshold(nn.Module):
    """AST: soft thresholding with a threshold for each channel, found from the channel means by two dense layers.

    Source: JotlasNet, section 3.2.2 and eq. (18).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, channels)
        self.fc2 = nn.Linear(channels, channels)
        glorot(self.fc1)
        glorot(self.fc2)

    def forward(self, features: Tensor, omega: Tensor) -> Tensor:
        """Threshold real features (batch, channel, frame, y, x) by tau / omega 2."""
        mean = features.abs().mean(dim=(-3, -2, -1))  # (batch, channel)
        attention = torch.sigmoid(self.fc2(torch.relu(self.fc1(mean))))
        tau = (mean * attention / omega)[..., None, None, None]
        return shrink(features, tau)


class SparseLayer(nn.Module):
    """S layer: attention-based soft thresholding in a learned domain of Nc channels. Source: JotlasNet, section 3.2.2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.transform = ConvStack((2, channels, channels, channels))
        self.attention = AttentionThreshold(channels)
        self.inverse_transform = ConvStack((channels, channels, channels, 2))

    def forward(self, image: Tensor, omega: Tensor, check: Check) -> Tensor:
        """Return Y2, complex (batch, frame, y, x), for the image after the gradient step and its weight omega 2."""
        features = self.transform(to_channels(image), check)
        check()
        features = self.attention(features, omega)
        return image + to_complex(self.inverse_transform(features, check))


class Cell(nn.Module):
    """One iteration of eq. (16): GD, LR and S layers side by side, combination, acceleration."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.step_size = nn.Parameter(torch.full((), 0.1))  # mu, kept positive by a ReLU
        self.low_rank = LowRankLayer(channels)
        self.sparse = SparseLayer(channels)
        self.omega = nn.Parameter(torch.zeros(2))  # softmax: omega 1 + omega 2 = 1, 0.5 each at the start
        self.momentum = nn.Parameter(torch.full((), -2.0))  # t, kept in [0, 1] by a sigmoid

    def kept_bytes(self, image: Tensor) -> float:
        """Return about how many bytes a backward pass keeps of the cell."""
        stacks = (self.low_rank.transform, self.low_rank.inverse_transform, self.sparse.transform, self.sparse.inverse_transform)
        return sum(stack.kept_bytes(image) for stack in stacks)

    def forward(self, x: Tensor, z: Tensor, gradient: Tensor, check: Check) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the next X, this cell's Z, and Y1 and Y2, for X, the last cell's Z and the data term's gradient at X."""
        stepped = x - torch.relu(self.step_size) * gradient
        omega = torch.softmax(self.omega, dim=0)
        low_rank = self.low_rank(stepped, omega[0], check)
        sparse = self.sparse(stepped, omega[1], check)
        combined = omega[0] * low_rank + omega[1] * sparse
        return combined + torch.sigmoid(self.momentum) * (combined - z), combined, low_rank, sparse


class JotlasNet(nn.Module):
    """The network: X0 = A^H b, then N cells; the last cell's accelerated X is the image.

    Any number of slices, frames and coils and any matrix size. Stages: ``"image"`` (X), ``"low_rank"`` (Y1), ``"sparse"`` (Y2).
    """

    def __init__(self, config: JotlasNetConfig) -> None:
        super().__init__()
        self.begin = config.start
        cells = [Cell(config.channels) for _ in range(config.cells)]
        start_near_zero(config.start, (part.inverse_transform[-1] for cell in cells for part in (cell.low_rank, cell.sparse)))
        self.cells = nn.ModuleList(cells)

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        total = len(self.cells)
        data = with_first_image(self.begin, data)
        term = DataTerm(data)
        x = z = term.first
        for index, cell in enumerate(self.cells):
            data.report.step(index, total, "JotlasNet")
            assert isinstance(cell, Cell)
            step = partial(cell, x, z, term.gradient(x), data.report.check)
            x, z, low_rank, sparse = recomputed(step, cell.kept_bytes(x))
            data.stages(index, "image", x)
            data.stages(index, "low_rank", low_rank)
            data.stages(index, "sparse", sparse)
        data.report.step(total, total, "JotlasNet")
        return x


MODELS.register(
    "jotlasnet",
    ModelSpec(
        name="jotlasnet",
        title="JotlasNet",
        paper="Zhang, Gui, Yang, Hu: JotlasNet: Joint Tensor Low-Rank and Attention-based Sparse Unrolling Network for "
        "Accelerating Dynamic MRI",
        config=JotlasNetConfig,
        build=JotlasNet,
        presets={
            "paper": JotlasNetConfig(),
            "small": JotlasNetConfig(cells=5, channels=8),
            "light": JotlasNetConfig(cells=10, channels=8),
            "light-wavelet": JotlasNetConfig(cells=10, channels=8, start="wavelet"),
        },
        trainable=True,
        macs_shape="12x10x128x128",
        normalise="image_max",
        notes=(
            START_NOTE,
            "Both layers add their input back, as the published weights need and the paper does not draw.",
            "The weights omega are learned as in the paper; in the published weights they stayed at 0.5.",
            "Scaled so that the zero-filled image has maximum 1, as its authors scale single-coil images; several coils they "
            "divide by the largest k-space magnitude. The result hardly depends on it (0.02 dB with the radial-16 weights).",
        ),
    ),
)
