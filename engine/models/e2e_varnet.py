"""End-to-end variational network: a k-space iteration with a U-Net in the image domain, and coil maps that are learned with it.

Source: A. Sriram et al., "End-to-End Variational Networks for Accelerated MRI Reconstruction", MICCAI 2020, eqs. (6) to (10).
With k^0 = y the measurement, x^t = S^H F^-1 k^t, cascade t is

``k^{t+1} = k^t - eta_t M (k^t - y) - F S UNet^t(x^t)``.

S is found from the ACS lines by a U-Net of its own. Every frame is an image of its own: nothing is shared between frames but the
weights.

Two forms of the same network are in use, and weights exist for both: ``fastmri`` standardises what its U-Nets see
(:class:`engine.models.parts.unet.NormUNet`), in the coil-map network too; ``direct`` does not, adds the network's term instead
of subtracting it, and gives its coil-map network maps of unit norm.

*Deviation*: the result is the complex image S^H F^-1 k^T; both programs report the root sum of squares of the coil images.
*Deviation*: the ACS lines are those the mask was made with, or all that every frame measured around the centre; fastMRI takes
twice the shorter side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from engine.core.errors import InputError
from engine.models.blocks import channels_to_frames, frames_to_channels
from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, no_stages
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.frames import by_frames
from engine.models.parts.iterate import KSpaceIterate
from engine.models.parts.sensitivity import MAPS_HELP, SensitivityNetwork, check_maps, operator_with
from engine.models.parts.sizes import require_least
from engine.models.parts.unet import NormUNet, UNet2d, kept_bytes

FORMS = ("fastmri", "direct")


@dataclass(frozen=True, slots=True)
class E2EVarNetConfig:
    """Sizes of the network."""

    cascades: int = field(default=12, metadata={"help": "Number of cascades T, each with its own parameters", "range": (1, 50)})
    filters: int = field(default=18, metadata={"help": "First-level channels of the U-Nets", "range": (1, 256)})
    pools: int = field(default=4, metadata={"help": "Poolings of the U-Nets", "range": (0, 6)})
    maps: str = field(default="network", metadata={"help": MAPS_HELP, "choices": ("given", "network")})
    maps_filters: int = field(default=8, metadata={"help": "First-level channels of the coil-map network", "range": (1, 128)})
    maps_pools: int = field(default=4, metadata={"help": "Poolings of the coil-map network", "range": (0, 6)})
    form: str = field(default="fastmri", metadata={"help": "Whose form of the network: fastMRI's or DIRECT's", "choices": FORMS})

    def __post_init__(self) -> None:
        check_maps(self.maps, self.maps_filters, "e2e_varnet")
        if self.form not in FORMS:
            expected = " or ".join(FORMS)
            raise InputError(f"the form of e2e_varnet is unknown (expected {expected} / found {self.form!r})", "Use fastmri.")
        hint = "The paper's network has 12 cascades of U-Nets with 18 filters and 4 pools."
        require_least(self, "e2e_varnet", hint, cascades=1, filters=1, pools=0, maps_pools=0)


class Cascade(nn.Module):
    """One cascade: the U-Net and its step size."""

    def __init__(self, config: E2EVarNetConfig) -> None:
        super().__init__()
        self.eta = nn.Parameter(torch.ones(()))
        unet = UNet2d(2, 2, config.filters, config.pools)
        self.unet = NormUNet(unet) if config.form == "fastmri" else unet
        self.filters = config.filters


class E2EVarNet(nn.Module):
    """The network, frame by frame. Any number of slices, frames and coils and any matrix size.

    Stages: ``"image"`` x^{t+1}, ``"step_size"`` eta_t, ``"residual"``, what the U-Net added to the image.
    """

    without_effect = ("cascades.0.eta",)

    def __init__(self, config: E2EVarNetConfig) -> None:
        super().__init__()
        self.sensitivity: SensitivityNetwork | None = None
        if config.maps == "network":
            unet = UNet2d(2, 2, config.maps_filters, config.maps_pools)
            fastmri = config.form == "fastmri"
            self.sensitivity = SensitivityNetwork(NormUNet(unet) if fastmri else unet, normalise_input=not fastmri)
        self.cascades = nn.ModuleList(Cascade(config) for _ in range(config.cascades))
        self.sign = -1.0 if config.form == "fastmri" else 1.0

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        return by_frames(data, self._frames)

    def _frames(self, data: ReconInput) -> Tensor:
        check, total = data.report.check, len(self.cascades)
        data.report.step(0, total, "E2E VarNet, coil maps")
        data = operator_with(self.sensitivity, data)
        iterate = KSpaceIterate.start(data.kspace, data.operator, check)
        frames = data.kspace.shape[1]
        for index, cascade in enumerate(self.cascades):
            assert isinstance(cascade, Cascade)
            data.report.step(index, total, f"E2E VarNet, cascade {index + 1}")
            image = frames_to_channels(iterate.image())
            residual = recomputed(partial(cascade.unet, image, check), kept_bytes(image, cascade.filters))
            update = self.sign * channels_to_frames(residual, frames)
            iterate.update(cascade.eta, update)
            if data.stages is not no_stages:
                data.stages(index, "image", iterate.image())
                data.stages(index, "step_size", cascade.eta.detach())
                data.stages(index, "residual", update)
        data.report.step(total, total, "E2E VarNet")
        return iterate.image()


MODELS.register(
    "e2e_varnet",
    ModelSpec(
        name="e2e_varnet",
        title="E2E VarNet",
        paper="Sriram et al.: End-to-End Variational Networks for Accelerated MRI Reconstruction, MICCAI 2020",
        config=E2EVarNetConfig,
        build=E2EVarNet,
        presets={
            "paper": E2EVarNetConfig(),
            "small": E2EVarNetConfig(cascades=4, filters=8, pools=3, maps="given"),
            "small-maps": E2EVarNetConfig(cascades=4, filters=8, pools=3, maps_filters=4, maps_pools=3),
            "direct": E2EVarNetConfig(form="direct", maps="given"),
        },
        trainable=True,
        macs_shape="1x10x144x512",
        macs_counting="Convolutions for one frame, the coil maps of 10 coils included.",
        macs_rule=MacRule(),
        notes=(
            "Every frame is an image of its own; nothing is shared between frames but the weights.",
            "The result is the coil-combined complex image; the published programs report the root sum of squares.",
            "The first step size has no effect: k begins as the measurement, from which it does not differ.",
            "With maps = network the coil maps come from the ACS lines of each frame; a mask without them is refused.",
        ),
    ),
)
