"""EGLAVarNet: GLAVarNet whose memory starts from the image, as a low-rank matrix.

Source: C. Liu, "Accelerated Cardiac MRI T1 Mapping Reconstruction Using Gated Linear Attention Network", section 2.3, eqs. (9) to
(12): content-aware structured initialization (CASI). The rest, with its deviations, is :mod:`engine.models.gla_varnet`.

*Deviation*: the paper gives neither widths nor N and r. Three convolutions of 3 x 3 and stride 2 to 16, 32 and 64 channels, a
channel attention 112 - 28 - 112, an MLP 112 - 64 - 16 and N = 16 bases of rank r = 8 meet its cost (236.58 GMACs), its parameters
(3,279,108) and its file size, which leaves out the bases (12.99 MB). The bases start normally distributed with 0.02.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, no_stages
from engine.models.gla_varnet import COUNTING, NOTES, PAPER, GLAVarNet, GLAVarNetConfig, check_sizes, frames_of
from engine.models.parts.sensitivity import check_maps
from engine.models.parts.start import check_start

WIDTHS = (16, 32, 64)  # channels of f1, f2, f3
REDUCTION = 4  # of the channel attention
HIDDEN = 64  # of the MLP


@dataclass(frozen=True, slots=True)
class EGLAVarNetConfig(GLAVarNetConfig):
    """Sizes of the network; symbols as in the paper."""

    bases: int = field(default=16, metadata={"help": "Number N of bases in the banks U and V", "range": (1, 256)})
    rank: int = field(default=8, metadata={"help": "Rank r that the first memory does not exceed", "range": (1, 128)})

    def __post_init__(self) -> None:
        check_sizes(self, ("steps", "channels", "bases", "rank"), "egla_varnet")
        check_maps(self.maps, self.maps_filters, "egla_varnet")
        check_start(self.start, "egla_varnet")


class CASI(nn.Module):
    """Content-aware structured initialization: the first memory of an image, of rank r at most."""

    def __init__(self, channels: int, bases: int, rank: int, image_channels: int = 2) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise((image_channels, *WIDTHS)))
        total = sum(WIDTHS)
        self.attention = nn.ModuleList((nn.Linear(total, total // REDUCTION), nn.Linear(total // REDUCTION, total)))
        self.mlp = nn.ModuleList((nn.Linear(total, HIDDEN), nn.Linear(HIDDEN, bases)))
        self.u_bank = nn.Parameter(0.02 * torch.randn(bases, channels, rank))
        self.v_bank = nn.Parameter(0.02 * torch.randn(bases, channels, rank))

    def forward(self, image: Tensor, check: Callable[[], None]) -> tuple[Tensor, Tensor]:
        """Return ``(M_0, w)``, real (n, C, C) and (n, N), for real images (n, image channels, y, x)."""
        pooled, features = [], image
        for conv in self.convs:
            check()
            features = functional.relu_(conv(features))
            pooled.append(features.mean((2, 3), dtype=torch.promote_types(features.dtype, torch.float32)))
        with torch.autocast(image.device.type, enabled=False):
            v_all = torch.cat(pooled, dim=1)  # (9)
            squeeze, excite = self.attention
            calibrated = v_all * torch.sigmoid(excite(functional.relu(squeeze(v_all))))
            hidden, last = self.mlp
            w = torch.softmax(last(functional.relu(hidden(calibrated))), dim=1)  # (10)
            u_m = torch.einsum("ni,icr->ncr", w, self.u_bank)  # (11)
            v_m = torch.einsum("ni,icr->ncr", w, self.v_bank)
            return u_m @ v_m.mT, w  # (12)


class EGLAVarNet(GLAVarNet):
    """The network. Stages as in GLAVarNet, and ``"bases"``, the weights w of eq. (10), real (batch, frame, N), at step 0."""

    name: ClassVar[str] = "EGLAVarNet"
    without_effect: ClassVar[tuple[str, ...]] = ("steps.0.eta",)

    def __init__(self, config: EGLAVarNetConfig) -> None:
        super().__init__(config)
        self.casi = CASI(config.channels, config.bases, config.rank, self.image_channels)

    def initial_memory(self, image: Tensor, data: ReconInput) -> Tensor:
        """Return M_0, real (n, C, C), for the zero-filled images, real (n, image channels, y, x)."""
        memory: Tensor
        memory, weights = self.casi(image, data.report.check)
        if data.stages is not no_stages:
            data.stages(0, "bases", weights.detach().reshape(data.kspace.shape[0], -1, weights.shape[1]))
        return memory


MODELS.register(
    "egla_varnet",
    ModelSpec(
        name="egla_varnet",
        title="EGLAVarNet",
        paper=PAPER,
        config=EGLAVarNetConfig,
        build=EGLAVarNet,
        presets={
            "paper": EGLAVarNetConfig(),
            "small": EGLAVarNetConfig(steps=5, channels=32, bases=8, rank=4),
            "light": EGLAVarNetConfig(channels=32, bases=8, rank=4),
            "light-wavelet": EGLAVarNetConfig(channels=32, bases=8, rank=4, start="wavelet"),
            "frames-9": EGLAVarNetConfig(frames=9),
        },
        trainable=True,
        paper_macs=236.58e9,
        macs_shape="1x10x144x512",
        macs_counting=COUNTING,
        macs_rule=MacRule(bias=True, without=("sensitivity",)),
        frames=frames_of,
        normalise="image_max",
        notes=(*NOTES, "In the first step eta has no effect: k is the measurement."),
    ),
)
