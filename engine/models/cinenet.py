"""CineNet: U-Nets over temporal frequency and one axis of space, and conjugate gradients.

Source: A. Kofler, M. Haltmeier, T. Schaeffter, C. Kolbitsch, "An end-to-end-trainable iterative network architecture for
accelerated radial multi-coil 2D cine MR image reconstruction", Med Phys 2021;48:2412, in the Cartesian form of a public
re-implementation (MIT licence), which is what CRUNet-MR's authors could compare with. With x_0 = A^H y, cascade i is

``X = F_t (x - mean_t x)``,  ``z = mean_t x + F_t^-1 [U_yf(X) + U_xf(X)] / 2``,
``x <- `` some iterations of conjugate gradients on ``(A^H A + lambda_i) x = A^H y + lambda_i z``, started at z.

U_yf sees the planes (y, f) of every column x as images of their own, U_xf the planes (x, f) of every line y. One pair of U-Nets
serves all cascades; ``lambda_i`` is the softplus of a parameter.

The sizes are the defaults of the public script (962,190 parameters). CRUNet-MR's paper leaves the cell of CineNet's parameters
empty, so the size it compared with is not known.

*Deviation*: gradients go through the step sizes of conjugate gradients, which the re-implementation takes as plain numbers.
*Deviation*: fewer frames than 2^pools are padded with zeros inside the U-Nets; the re-implementation stops.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.axes import FRAME, X, Y
from engine.core.jobs import Check
from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, no_stages
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.sizes import require_least
from engine.models.parts.unet import UNet2d, kept_bytes
from engine.physics.fourier import fft1c, ifft1c
from engine.physics.solvers import conjugate_gradient


@dataclass(frozen=True, slots=True)
class CineNetConfig:
    """Sizes of the network."""

    cascades: int = field(default=10, metadata={"help": "Number of cascades; they share the U-Nets", "range": (1, 50)})
    cg_iterations: int = field(default=6, metadata={"help": "Iterations of conjugate gradients in a cascade", "range": (1, 100)})
    filters: int = field(default=16, metadata={"help": "First-level channels of the U-Nets", "range": (1, 256)})
    pools: int = field(default=3, metadata={"help": "Poolings of the U-Nets, along time too", "range": (0, 6)})
    shared_planes: bool = field(default=False, metadata={"help": "Whether one U-Net serves both planes"})

    def __post_init__(self) -> None:
        hint = "The public script has 10 cascades, 6 iterations, 16 filters and 3 pools."
        require_least(self, "cinenet", hint, cascades=1, cg_iterations=1, filters=1, pools=0)


class CineNet(nn.Module):
    """The network. Any number of slices, frames and coils and any matrix size.

    Stages: ``"image"`` x, ``"z"`` what the U-Nets gave, ``"lambda"``.
    """

    def __init__(self, config: CineNetConfig) -> None:
        super().__init__()
        self.iterations = config.cg_iterations
        self.yf = UNet2d(2, 2, config.filters, config.pools, odd="zero")
        self.xf = None if config.shared_planes else UNet2d(2, 2, config.filters, config.pools, odd="zero")
        self.weights = nn.ParameterList(nn.Parameter(torch.ones(())) for _ in range(config.cascades))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        check, total = data.report.check, len(self.weights)
        data.report.step(0, total, "CineNet")
        term = DataTerm(data)
        x = term.image
        for index, weight in enumerate(self.weights):
            data.report.step(index, total, f"CineNet, cascade {index + 1}")
            z = self._denoised(x, check)
            penalty = functional.softplus(weight)
            x = self._consistent(term, z, penalty, check)
            if data.stages is not no_stages:
                data.stages(index, "image", x)
                data.stages(index, "z", z)
                data.stages(index, "lambda", penalty.detach())
        data.report.step(total, total, "CineNet")
        return x

    def _denoised(self, x: Tensor, check: Check) -> Tensor:
        """Return z, complex (batch, frame, y, x)."""
        mean = x.mean(FRAME, keepdim=True)
        spectrum = fft1c(x - mean, FRAME)
        by_column = _through(self.yf, spectrum.permute(0, 3, 2, 1), check).permute(0, 3, 2, 1)
        by_line = _through(self.yf if self.xf is None else self.xf, spectrum.permute(0, 2, 3, 1), check).permute(0, 3, 1, 2)
        return mean + ifft1c(0.5 * (by_column + by_line), FRAME)

    def _consistent(self, term: DataTerm, z: Tensor, penalty: Tensor, check: Check) -> Tensor:
        """Return x after some iterations on ``(A^H A + lambda) x = A^H y + lambda z``; one problem for all frames of a slice."""
        return conjugate_gradient(
            lambda x: term.normal(x) + penalty * x,
            term.image + penalty * z,
            z,
            iterations=self.iterations,
            tolerance=0.0,
            check=check,
            dims=(FRAME, Y, X),
        )


def _through(unet: UNet2d, planes: Tensor, check: Check) -> Tensor:
    """Send complex (batch, plane, space, f) through a U-Net, every plane an image of its own."""
    batch, count, space, frequencies = planes.shape
    channels = torch.view_as_real(planes.contiguous()).permute(0, 1, 4, 2, 3).reshape(batch * count, 2, space, frequencies)
    out = recomputed(partial(unet, channels, check), kept_bytes(channels, unet.filters))
    out = out.float() if out.dtype in (torch.float16, torch.bfloat16) else out
    return torch.view_as_complex(out.reshape(batch, count, 2, space, frequencies).permute(0, 1, 3, 4, 2).contiguous())


MODELS.register(
    "cinenet",
    ModelSpec(
        name="cinenet",
        title="CineNet",
        paper="Kofler et al.: An end-to-end-trainable iterative network architecture for accelerated radial multi-coil 2D cine MR "
        "image reconstruction, Med Phys 2021",
        config=CineNetConfig,
        build=CineNet,
        presets={"paper": CineNetConfig(), "small": CineNetConfig(cascades=4, cg_iterations=4, filters=8, pools=2)},
        kinds=("cine",),
        trainable=True,
        macs_shape="12x10x128x128",
        macs_counting="Convolutions without their bias; the paper's own figure is not known.",
        macs_rule=MacRule(),
        notes=(
            "Sizes are those of a public re-implementation; CRUNet-MR's paper leaves CineNet's number of parameters empty.",
            "U-Nets work on temporal frequency, so it is made for periodic motion; with one frame they see nothing.",
            "A column or line without any signal (not even noise) makes the instance norms amplify rounding.",
        ),
    ),
)
