"""vSHARP for dynamic series: variable splitting, half-quadratic ADMM with three-dimensional U-Nets as denoisers.

Source: G. Yiasemis, N. Moriakov, J.-J. Sonke, J. Teuwen, "vSHARP: variable Splitting Half-quadratic ADMM algorithm for
Reconstruction of inverse-Problems", 2023, in the dynamic form of DIRECT (``VSharpNet3D``), which EGLAVarNet compares itself with.

``min_{x,z} 1/2 |A x - y|^2 + R(z)`` subject to ``x = z``, with the multiplier u. From x_0 = z_0 = A^H y, u_0 = Init(x_0), step t is

``z_{t+1} = UNet_t(z_t, x_t, u_t / rho_t)``,
``x <- x - eta_j [A^H (A x - y) + rho_t (x - z_{t+1}) + u_t]`` for j = 1 .. J, which gives x_{t+1},
``u_{t+1} = u_t + rho_t (x_{t+1} - z_{t+1})``.

The step sizes eta_j are shared by all steps. The U-Net works on (frame, y, x); an axis shorter than 2^pools is padded with zeros
to that length, inside it.

*Deviation*: rho starts at 0.01 or above (a normal distribution truncated at 0 may give 0, by which u is divided).
*Deviation*: the maps are those given; ``maps = "network"`` refines them by a U-Net as DIRECT does (not part of the published
parameter counts).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.axes import FRAME
from engine.core.errors import InputError
from engine.core.jobs import Check
from engine.models.blocks import to_channels, to_complex
from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, no_stages
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.conv3d import convolve3d
from engine.models.parts.sensitivity import MAPS_HELP, check_maps, maps_network, operator_with
from engine.models.parts.sizes import require_least
from engine.models.parts.unet import UNet3d, kept_bytes


@dataclass(frozen=True, slots=True)
class VSharpConfig:
    """Sizes of the network."""

    steps: int = field(default=8, metadata={"help": "Number of ADMM steps T, each with its own U-Net", "range": (1, 30)})
    dc_steps: int = field(default=6, metadata={"help": "Gradient steps J of each data-consistency part", "range": (1, 30)})
    filters: int = field(default=32, metadata={"help": "First-level channels of the U-Nets", "range": (1, 256)})
    pools: int = field(default=4, metadata={"help": "Poolings of the U-Nets", "range": (0, 6)})
    initialiser: tuple[int, ...] = field(default=(32, 32, 64, 64), metadata={"help": "Channels of the multiplier's initialiser"})
    dilations: tuple[int, ...] = field(default=(1, 1, 2, 4), metadata={"help": "Dilations of the initialiser's convolutions"})
    maps: str = field(default="given", metadata={"help": MAPS_HELP, "choices": ("given", "network")})
    maps_filters: int = field(default=8, metadata={"help": "First-level channels of the coil-map network", "range": (1, 128)})

    def __post_init__(self) -> None:
        check_maps(self.maps, self.maps_filters, "vsharp")
        hint = "The published network has 8 steps, 6 data-consistency steps, 32 filters and 4 pools."
        require_least(self, "vsharp", hint, steps=1, dc_steps=1, filters=1, pools=0)
        if not self.initialiser or len(self.initialiser) != len(self.dilations) or min(*self.initialiser, *self.dilations) < 1:
            raise InputError(
                f"the initialiser of vsharp does not fit together (expected as many positive dilations as channels / found "
                f"channels {self.initialiser}, dilations {self.dilations})",
                "The published one has channels 32, 32, 64, 64 and dilations 1, 1, 2, 4.",
            )


class EdgeConv3d(nn.Conv3d):
    """3 x 3 x 3 convolution that keeps the size, the border repeated outwards."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, dilation=dilation)
        self.reach = dilation

    def forward(self, input: Tensor, check: Check | None = None) -> Tensor:  # noqa: A002 (the base class's name)
        """Convolve; input and output (batch, channel, frame, y, x)."""
        r = self.reach
        frames = input.shape[FRAME]
        order = torch.arange(-r, frames + r, device=input.device).clamp(0, frames - 1)
        in_space = partial(functional.pad, pad=(r, r, r, r, 0, 0), mode="replicate")
        return convolve3d(input, self.weight, self.bias, r, check, in_space, order)


class MultiplierInitialiser(nn.Module):
    """What the Lagrange multiplier u starts as: dilated convolutions with ReLU, a convolution of kernel 1, a PReLU."""

    def __init__(self, channels: tuple[int, ...], dilations: tuple[int, ...]) -> None:
        super().__init__()
        inputs = (2, *channels[:-1])
        self.convs = nn.ModuleList(EdgeConv3d(a, b, d) for a, b, d in zip(inputs, channels, dilations, strict=True))
        self.output = nn.Conv3d(channels[-1], 2, kernel_size=1)
        self.activation = nn.PReLU()

    def forward(self, image: Tensor, check: Check) -> Tensor:
        """Return u_0, complex (batch, frame, y, x), of an image with these axes."""
        features = to_channels(image)
        for conv in self.convs:
            check()
            features = functional.relu_(conv(features, check))
        check()
        return to_complex(self.activation(convolve3d(features, self.output.weight, self.output.bias)))


class Denoiser(nn.Module):
    """The U-Net of one step and its penalty rho."""

    def __init__(self, config: VSharpConfig) -> None:
        super().__init__()
        self.unet = UNet3d(6, 2, config.filters, config.pools)
        self.rho = nn.Parameter(nn.init.trunc_normal_(torch.empty(()), 0.0, 0.1, 0.01))

    def forward(self, z: Tensor, x: Tensor, u: Tensor, check: Check) -> Tensor:
        """Return the next z, complex (batch, frame, y, x) as the others."""
        stacked = torch.cat([to_channels(part) for part in (z, x, u / self.rho)], dim=1)
        return to_complex(recomputed(partial(self.unet, stacked, check), kept_bytes(stacked, self.unet.filters)))


class VSharp(nn.Module):
    """The network. Any number of slices, frames and coils and any matrix size.

    Stages: ``"image"`` x_{t+1}, ``"z"`` its auxiliary variable, ``"u"`` the multiplier after the step, ``"rho"``, ``"step_sizes"``
    eta (J,).
    """

    def __init__(self, config: VSharpConfig) -> None:
        super().__init__()
        self.initialiser = MultiplierInitialiser(config.initialiser, config.dilations)
        self.denoisers = nn.ModuleList(Denoiser(config) for _ in range(config.steps))
        self.eta = nn.Parameter(nn.init.trunc_normal_(torch.empty(config.dc_steps), 0.0, 1.0, 0.0))
        self.sensitivity = maps_network(config.maps, config.maps_filters)

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        check, total = data.report.check, len(self.denoisers)
        data.report.step(0, total, "vSHARP")
        data = operator_with(self.sensitivity, data)
        term = DataTerm(data)
        x = z = term.image
        u = self.initialiser(x, check)
        for index, denoiser in enumerate(self.denoisers):
            assert isinstance(denoiser, Denoiser)
            data.report.step(index, total, f"vSHARP, step {index + 1}")
            z = denoiser(z, x, u, check)
            for eta in self.eta:
                check()
                x = x - eta * (term.gradient(x) + denoiser.rho * (x - z) + u)
            u = u + denoiser.rho * (x - z)
            if data.stages is not no_stages:
                data.stages(index, "image", x)
                data.stages(index, "z", z)
                data.stages(index, "u", u)
                data.stages(index, "rho", denoiser.rho.detach())
                data.stages(index, "step_sizes", self.eta.detach())
        data.report.step(total, total, "vSHARP")
        return x


MODELS.register(
    "vsharp",
    ModelSpec(
        name="vsharp",
        title="vSHARP (dynamic)",
        paper="Yiasemis, Moriakov, Sonke, Teuwen: vSHARP: variable Splitting Half-quadratic ADMM algorithm for Reconstruction of "
        "inverse-Problems, 2023; baseline of EGLAVarNet",
        config=VSharpConfig,
        build=VSharp,
        presets={
            "paper": VSharpConfig(),
            "small": VSharpConfig(steps=4, dc_steps=4, filters=8, pools=2, initialiser=(8, 8, 16, 16)),
            "cmrxrecon": VSharpConfig(steps=10, dc_steps=8),
        },
        trainable=True,
        paper_macs=2.58e12,
        macs_shape="9x10x144x512",
        macs_counting="Convolutions with bias, transposed ones by their outputs, norms, leaky ReLUs and pooling by their elements, "
        "as ptflops counts, for 9 frames of 144 x 512.",
        macs_rule=MacRule(bias=True, transposed_by_output=True, elementwise=True, without=("sensitivity",)),
        normalise="kspace_p99_all",
        notes=(
            "Scaled as in DIRECT by the 99th percentile of the magnitude of k-space, what was not measured counting as zeros.",
            "An axis shorter than 2^pools, as the frames of most mapping series, is padded with zeros inside the U-Nets.",
            "The penalties rho start at 0.01 or above, as u is divided by them.",
            "The preset paper needs 0.7 GiB for its weights and four times that for training.",
            "With maps = network a U-Net refines the coil maps of the ACS lines; published counts leave it out.",
        ),
    ),
)
