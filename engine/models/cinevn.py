"""CineVN: variational network for cine with (2D + time) U-Nets, a learned weighting of k-space, and conjugate gradients between.

Source: M. Vornehm, J. Wetzl, D. Giese et al., "CineVN: Variational network reconstruction for rapid functional cardiac cine MRI",
MRM 2025;93:138. With k_0 = y the measurement, x_t = S^H F^-1 k_t, cascade t is

``k_{t+1} = k_t - w_t M (k_t - y) - L_t F S e^(-i phi) UNet_t(e^(i phi) x_t)``,

L_t a real tensor of 10 x 10 x 10 values, stretched to (frame, ky, kx), and phi a random phase (phase cycling). After every third
cascade k = F S x with x after ten iterations of conjugate gradients, started at zero, on

``(A^H A + mu I) x = A^H y + mu S^H F^-1 k``.

The U-Net pools y and x, never time; its convolutions are 1 x 3 x 3 and then 3 x 1 x 1, circular along time and the phase-encoding
axis, with the border repeated along the readout.

*Deviation*: outside training the phases come from a generator of their own, one phase for each cascade, so that an image does not
change from one run to the next; the published program draws new ones each time.
*Deviation*: at the sizes of the paper L weighs the k-space of all coils, so this network needs two Fourier transforms of all coils
in each cascade; only its conjugate gradients use the Gram matrices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from math import pi

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.axes import COIL, FRAME, KX, KY, X, Y
from engine.core.jobs import Check
from engine.models.blocks import to_channels, to_complex
from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, no_stages
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.sizes import require_least
from engine.models.parts.space_time_unet import SpaceTimeUNet
from engine.models.parts.unet import kept_bytes
from engine.physics.operator import SenseOperator
from engine.physics.solvers import conjugate_gradient

LANDSCAPE = (10, 10, 10)


@dataclass(frozen=True, slots=True)
class CineVNConfig:
    """Sizes of the network."""

    cascades: int = field(default=15, metadata={"help": "Number of cascades, each with its own parameters", "range": (1, 50)})
    filters: int = field(default=16, metadata={"help": "First-level channels of the U-Nets", "range": (1, 256)})
    pools: int = field(default=2, metadata={"help": "Poolings of the U-Nets, in space only", "range": (0, 5)})
    cg_every: int = field(default=3, metadata={"help": "Conjugate gradients after every so many cascades; 0: never"})
    cg_iterations: int = field(default=10, metadata={"help": "Iterations of conjugate gradients", "range": (1, 100)})
    phase_cycling: bool = field(default=True, metadata={"help": "Whether images are turned by a random phase for the U-Nets"})
    seed: int = field(default=0, metadata={"help": "Seed of the phases outside training"})

    def __post_init__(self) -> None:
        hint = "The published network has 15 cascades of 16 filters and 2 pools, and 10 iterations after every third."
        require_least(self, "cinevn", hint, cascades=1, filters=1, cg_iterations=1, pools=0, cg_every=0)


class Cascade(nn.Module):
    """The U-Net, the data weight w and the landscape L of one cascade."""

    def __init__(self, config: CineVNConfig) -> None:
        super().__init__()
        self.unet = SpaceTimeUNet(config.filters, config.pools)
        self.weight = nn.Parameter(torch.ones(()))
        self.landscape = nn.Parameter(torch.ones(LANDSCAPE))

    def stretched(self, kspace: Tensor) -> Tensor:
        """Return L as (1, frame, 1, ky, kx) in the type of a k-space (batch, frame, coil, ky, kx): linear, corner on corner."""
        size = (kspace.shape[1], kspace.shape[KY], kspace.shape[KX])
        grown = functional.interpolate(self.landscape[None, None], size, mode="trilinear", align_corners=True)
        return grown[0].unsqueeze(COIL).to(kspace.dtype)


class CineVN(nn.Module):
    """The network. Any number of slices, frames and coils and any matrix size.

    Stages: ``"image"``, ``"weight"`` w, ``"landscape"`` L (10, 10, 10), and ``"mu"`` where conjugate gradients follow.
    """

    without_effect = ("cascades.0.weight",)

    def __init__(self, config: CineVNConfig) -> None:
        super().__init__()
        self.config = config
        self.cascades = nn.ModuleList(Cascade(config) for _ in range(config.cascades))
        count = config.cascades // config.cg_every if config.cg_every else 0
        self.mu = nn.ParameterList(nn.Parameter(torch.full((), 0.05)) for _ in range(count))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        check, total = data.report.check, len(self.cascades)
        data.report.step(0, total, "CineVN")
        term, every = DataTerm(data), self.config.cg_every
        mask = data.operator.mask.to(data.kspace.real.dtype)
        coils = SenseOperator(mask.new_ones((1, 1, 1, mask.shape[KY], 1)), data.operator.maps)  # F S, for all of k-space
        energy = data.operator.maps.abs().square().sum(COIL)  # S^H S
        kspace, image = data.kspace, term.image
        phases = self.phases(len(kspace), kspace.device)
        for index, cascade in enumerate(self.cascades):
            assert isinstance(cascade, Cascade)
            data.report.step(index, total, f"CineVN, cascade {index + 1}")
            residual = self._residual(cascade, image, phases[:, index], check)
            kept = torch.lerp(kspace, data.kspace, (cascade.weight * mask).to(kspace.dtype))
            kspace = torch.addcmul(kept, cascade.stretched(kspace), coils.forward(residual), value=-1)
            check()
            image = coils.adjoint(kspace)
            follows = every and (index + 1) % every == 0
            if follows:
                solved = self._consistent(term, image, self.mu[index // every], check)
                kspace, image = coils.forward(solved), energy * solved
            if data.stages is not no_stages:
                data.stages(index, "image", image)
                data.stages(index, "weight", cascade.weight.detach())
                data.stages(index, "landscape", cascade.landscape.detach())
                if follows:
                    data.stages(index, "mu", self.mu[index // every].detach())
        data.report.step(total, total, "CineVN")
        return image

    def phases(self, batch: int, device: torch.device) -> Tensor:
        """Return the phases phi in radians, real (batch, cascade): new ones while training, else those of the seed."""
        if not self.config.phase_cycling:
            return torch.zeros((batch, len(self.cascades)), device=device)
        if self.training:
            return 2 * pi * torch.rand((batch, len(self.cascades)), device=device)
        generator = torch.Generator().manual_seed(self.config.seed)
        return (2 * pi * torch.rand((1, len(self.cascades)), generator=generator)).expand(batch, -1).to(device)

    @staticmethod
    def _residual(cascade: Cascade, image: Tensor, phase: Tensor, check: Check) -> Tensor:
        """Return what the U-Net makes of the image turned by the phase, turned back."""
        phase = phase.to(image.real.dtype)[:, None, None, None]
        turn = torch.polar(torch.ones_like(phase), phase)
        channels = to_channels(image * turn)
        kept = 2 * kept_bytes(channels, cascade.unet.filters)  # blocks of four layers and an identity
        return to_complex(recomputed(partial(cascade.unet, channels, check), kept)) * turn.conj()

    def _consistent(self, term: DataTerm, image: Tensor, mu: Tensor, check: Check) -> Tensor:
        """Return x after some iterations on ``(A^H A + mu) x = A^H y + mu image``; one problem for all frames of a slice."""
        return conjugate_gradient(
            lambda x: term.normal(x) + mu * x,
            term.image + mu * image,
            iterations=self.config.cg_iterations,
            tolerance=0.0,
            check=check,
            dims=(FRAME, Y, X),
        )


MODELS.register(
    "cinevn",
    ModelSpec(
        name="cinevn",
        title="CineVN",
        paper="Vornehm et al.: CineVN: Variational network reconstruction for rapid functional cardiac cine MRI, MRM 2025",
        config=CineVNConfig,
        build=CineVN,
        presets={"paper": CineVNConfig(), "small": CineVNConfig(cascades=6, filters=6)},
        kinds=("cine",),
        trainable=True,
        macs_shape="12x10x128x128",
        macs_counting="Convolutions without their bias; the paper gives no figure.",
        macs_rule=MacRule(),
        notes=(
            "Time is circular in it: made for frames of whole heart beats.",
            "Images are turned by a random phase before each U-Net; outside training the phases are those of the seed.",
            "A learned weighting of k-space needs the Fourier transforms of all coils in every cascade.",
            "The first data weight has no effect: k begins as the measurement, from which it does not differ.",
        ),
    ),
)
