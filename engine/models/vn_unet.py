"""VN-UNet: variational network for relaxation mapping whose U-Nets see all baseline images of a slice at once.

Source: Y. Zhao, Y. Zhang, Q. Tao, "Relaxometry Guided Quantitative Cardiac Magnetic Resonance Image Reconstruction", STACOM 2023,
section 2.2, eqs. (7) and (8), with the U-Net as regulariser. With y_0 = y the measurement and x_t = R F^-1 y_t, layer t is

``y_{t+1} = y_t - alpha_t U (y_t - y) + F E G_t(x_t)``,

G_t a U-Net whose input and output channels are the real and imaginary parts of all k_t frames (18 for nine inversion times, six
for three T2 preparations).

*Deviation*: G_t is added, as in the authors' program; eq. (8) subtracts it (the sign is the network's to learn).
*Deviation*: the paper does not give the U-Net's size; 64 filters and 4 pools are the authors' settings for T1.
*Deviation*: the maps are those given; ``maps = "network"`` refines them as in section 2.2, one map for each time (another U-Net,
not part of the count of 310,346,430 parameters).
*Deviation*: the last convolution of every U-Net starts close to zero, so that the iteration begins near the zero-filled image.
The features before it are normalised; drawn by Kaiming's rule too, eight layers began at -8 dB on MOLLI crops whose maximum is 1,
and at 21 dB like this.
*Deviation*: the result is the complex image S^H F^-1 y_T; the authors' program reports the root sum of squares of the coil images.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from engine.models.blocks import stack_frames, unstack_frames
from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, no_stages
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.frames import require_frames
from engine.models.parts.iterate import KSpaceIterate
from engine.models.parts.sensitivity import MAPS_HELP, SensitivityNetwork, check_maps, operator_with
from engine.models.parts.sizes import require_least
from engine.models.parts.start import START_HELP, START_NOTE, STARTS, check_start, with_first_image
from engine.models.parts.unet import UNet2d, kept_bytes, start_kaiming

PAPER = "Zhao, Zhang, Tao: Relaxometry Guided Quantitative Cardiac Magnetic Resonance Image Reconstruction, STACOM 2023"
NOTES = (
    START_NOTE,
    "Scaled as in DIRECT by the 99th percentile of the magnitude of k-space, what was not measured counting as zeros.",
    "All frames of a slice are channels of one U-Net, so a set of weights serves one number of frames: nine (T1) or three (T2).",
    "The result is the coil-combined complex image; the authors' program reports the root sum of squares.",
    "The first step size has no effect: the iteration begins as the measurement, from which it does not differ.",
    "With maps = network a U-Net refines the coil maps of the ACS lines for each time; the published count leaves it out.",
)


@dataclass(frozen=True, slots=True)
class VNUNetConfig:
    """Sizes of the network."""

    frames: int = field(default=9, metadata={"help": "Number of frames k_t: 9 for MOLLI, 3 for T2 preparation", "range": (1, 100)})
    cascades: int = field(default=10, metadata={"help": "Number of layers T, each with its own parameters", "range": (1, 50)})
    filters: int = field(default=64, metadata={"help": "First-level channels of the U-Nets", "range": (1, 256)})
    pools: int = field(default=4, metadata={"help": "Poolings of the U-Nets", "range": (0, 6)})
    maps: str = field(default="given", metadata={"help": MAPS_HELP, "choices": ("given", "network")})
    maps_filters: int = field(default=64, metadata={"help": "First-level channels of the coil-map network", "range": (1, 256)})
    maps_pools: int = field(default=4, metadata={"help": "Poolings of the coil-map network", "range": (0, 6)})
    start: str = field(default="zero_filled", metadata={"help": START_HELP, "choices": STARTS})

    def __post_init__(self) -> None:
        check_maps(self.maps, self.maps_filters, "vn_unet")
        check_start(self.start, "vn_unet")
        hint = "The paper's network has 10 layers; its authors use U-Nets of 64 filters and 4 pools."
        require_least(self, "vn_unet", hint, frames=1, cascades=1, filters=1, pools=0, maps_pools=0)


class Layer(nn.Module):
    """One layer: the regulariser G_t and the step size alpha_t."""

    def __init__(self, config: VNUNetConfig) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(()))
        self.unet = UNet2d(2 * config.frames, 2 * config.frames, config.filters, config.pools)


class VNUNet(nn.Module):
    """The network. Any number of slices and coils and any matrix size; as many frames as it was built for.

    Stages: ``"image"`` x_{t+1}, ``"step_size"`` alpha_t, ``"residual"`` G_t(x_t).
    """

    without_effect = ("cascades.0.alpha",)

    def __init__(self, config: VNUNetConfig) -> None:
        super().__init__()
        self.frames, self.begin = config.frames, config.start
        self.sensitivity: SensitivityNetwork | None = None
        if config.maps == "network":
            channels = 2 * config.frames
            self.sensitivity = SensitivityNetwork(UNet2d(channels, channels, config.maps_filters, config.maps_pools), stacked=True)
        self.cascades = nn.ModuleList(Layer(config) for _ in range(config.cascades))
        start_kaiming(self)
        for layer in self.cascades:
            assert isinstance(layer, Layer)
            nn.init.normal_(layer.unet.output.weight, std=1e-3)

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        require_frames(data, self.frames, "VN-UNet")
        data = with_first_image(self.begin, data)
        check, total = data.report.check, len(self.cascades)
        data.report.step(0, total, "VN-UNet, coil maps")
        data = operator_with(self.sensitivity, data)
        iterate = KSpaceIterate.start(data.kspace, data.operator, check, data.first)
        for index, layer in enumerate(self.cascades):
            assert isinstance(layer, Layer)
            data.report.step(index, total, f"VN-UNet, layer {index + 1}")
            image = stack_frames(iterate.image())
            residual = unstack_frames(recomputed(partial(layer.unet, image, check), kept_bytes(image, layer.unet.filters)))
            iterate.update(layer.alpha, residual)
            if data.stages is not no_stages:
                data.stages(index, "image", iterate.image())
                data.stages(index, "step_size", layer.alpha.detach())
                data.stages(index, "residual", residual)
        data.report.step(total, total, "VN-UNet")
        return iterate.image()


def frames_of(config: VNUNetConfig) -> int:
    """Return the number of frames that a network of these settings serves."""
    return config.frames


PRESETS = {
    "paper": VNUNetConfig(),
    "small": VNUNetConfig(cascades=3, filters=8, pools=3, maps_filters=4, maps_pools=3),
    "light": VNUNetConfig(cascades=8, filters=16, pools=3, maps_filters=4, maps_pools=3),
    "light-wavelet": VNUNetConfig(cascades=8, filters=16, pools=3, maps_filters=4, maps_pools=3, start="wavelet"),
    "t2": VNUNetConfig(frames=3),
    "small-t2": VNUNetConfig(frames=3, cascades=3, filters=8, pools=3, maps_filters=4, maps_pools=3),
    "maps": VNUNetConfig(maps="network"),
}

MODELS.register(
    "vn_unet",
    ModelSpec(
        name="vn_unet",
        title="VN-UNet",
        paper=PAPER,
        config=VNUNetConfig,
        build=VNUNet,
        presets=PRESETS,
        kinds=("molli", "t2prep"),
        trainable=True,
        macs_shape="9x10x144x512",
        macs_counting="Convolutions without their bias; the paper gives no figure.",
        macs_rule=MacRule(without=("sensitivity",)),
        frames=frames_of,
        normalise="kspace_p99_all",
        notes=NOTES,
    ),
)
