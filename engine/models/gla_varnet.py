"""GLAVarNet: a k-space iteration whose regulariser is a gated linear attention unit with a memory.

Source: C. Liu, "Accelerated Cardiac MRI T1 Mapping Reconstruction Using Gated Linear Attention Network", sections 2.1 and 2.2,
eqs. (1) to (8). Its full form, EGLAVarNet, starts the memory from the image (:mod:`engine.models.egla_varnet`); here M_0 = 0.

With k_0 the measurement, time step t = 1 .. T is, for every frame by itself,

``x_t = S^H F^-1 k_{t-1}``                                            (1)
``r_t, M_t = GLARecurrentUnit(x_t, M_{t-1})``, ``x_denoised = x_t + r_t``   (2)
``k_prior = F S r_t``                                                 (3)
``k_t = k_{t-1} - eta_t P (k_{t-1} - k_0) + k_prior``                     (4)

*Deviations* from the letter of the paper, each because the letter cannot work or does not say:

- eq. (1) has P^H before k_{t-1}, which would throw away all that was learned; eq. (3) has P in front, and what was not measured
  would stay 0 for ever. Neither is here.
- eq. (3) puts the whole denoised image into k_prior, and eq. (4) adds it to k, which would double at every step. Here k_prior is
  of the residual r_t = x_denoised - x_t, the rule of the baseline (Yiasemis et al., CVPR 2022) that the paper builds on.
- S^H is the sum with conjugate maps, not the root sum of squares, which is not linear and loses the phase.
- eq. (8) adds the unit's input again. It is the skip of the features inside the unit; eq. (2)'s is the one of the image.
- Sizes are not given. The paper's parameters (3.28 M), cost (236.58 GMACs) and file size (12.99 MB) are met together by: a 5 x 5
  convolution from 2 to 128 channels, two of 3 x 3, each with ReLU; six of 1 x 1 for Q, K, V, alpha, beta and Proj; one of 1 x 1
  to 2 channels; all with bias, 8 time steps.
- alpha and beta are one number for each channel (the paper: in [0, 1]^C): sigmoids of their projections' means over the image.
- K V^T is divided by the number of pixels, without a softmax: the paper "bypasses the Softmax" and calls the product a covariance
  matrix; this is the scaling normalisation of its reference 13 (Shen et al., efficient attention). Undivided it would grow with
  the matrix size. It is computed in float32 (or better) whatever the rest is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from engine.core.axes import KSPACE_FRAME
from engine.core.errors import InputError
from engine.models.blocks import channels_to_frames, frames_to_channels, stack_frames, unstack_frames
from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, no_stages
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.frames import by_frames, require_frames
from engine.models.parts.gla import GLAUnit, describe
from engine.models.parts.iterate import KSpaceIterate
from engine.models.parts.sensitivity import MAPS_HELP, check_maps, maps_network, operator_with
from engine.models.parts.sizes import require_least
from engine.models.parts.start import START_HELP, START_NOTE, STARTS, check_start, with_first_image

PAPER = "Liu: Accelerated Cardiac MRI T1 Mapping Reconstruction Using Gated Linear Attention Network"
COUNTING = "Convolutions with their bias, as ptflops counts, for one frame of 144 x 512; products of attention do not count."
FRAMES_HELP = "Frames that are channels of one image (9 for MOLLI); 0 takes every frame as an image of its own, as the paper does"
NOTES = (
    START_NOTE,
    "Scaled so that the zero-filled image has maximum 1; the paper does not say how. With its baseline's percentile of k-space the "
    "images' maxima lie between 0.6 and 30, and a memory that grows with the square of the features makes training explode.",
    "Sizes are not in the paper; these meet its parameters, cost and file size together.",
    "Equations (1), (3) and (4) are read so that they can work: no mask on the estimate, and only the residual is added to k.",
    "K V^T is divided by the number of pixels (scaling normalisation of the paper's reference 13), without a softmax.",
    "Every frame is an image of its own; with the setting frames they are channels of one, which is another network.",
    "With maps = network a U-Net refines the coil maps of the ACS lines; the paper's counts leave it out.",
)


@dataclass(frozen=True, slots=True)
class GLAVarNetConfig:
    """Sizes of the network; symbols as in the paper."""

    steps: int = field(default=8, metadata={"help": "Number of time steps T, each with its own parameters", "range": (1, 50)})
    channels: int = field(default=128, metadata={"help": "Channels C of features and memory", "range": (1, 512)})
    frames: int = field(default=0, metadata={"help": FRAMES_HELP, "range": (0, 64)})
    maps: str = field(default="given", metadata={"help": MAPS_HELP, "choices": ("given", "network")})
    maps_filters: int = field(default=8, metadata={"help": "First-level channels of the coil-map network", "range": (1, 128)})
    start: str = field(default="zero_filled", metadata={"help": START_HELP, "choices": STARTS})

    def __post_init__(self) -> None:
        check_sizes(self, ("steps", "channels"), "gla_varnet")
        check_maps(self.maps, self.maps_filters, "gla_varnet")
        check_start(self.start, "gla_varnet")


def check_sizes(config: GLAVarNetConfig, names: tuple[str, ...], network: str) -> None:
    """Raise ``InputError`` when one of these settings is less than 1, or frames less than 0."""
    if config.frames < 0:
        raise InputError(
            f"frames of {network} is out of range (expected at least 0 / found {config.frames})",
            "0 takes every frame as an image of its own, as the paper's counts do.",
        )
    require_least(config, network, "The paper's network has 8 steps and 128 channels.", **dict.fromkeys(names, 1))


class TimeStep(nn.Module):
    """One time step: its unit and its step size eta_t."""

    def __init__(self, channels: int, image_channels: int) -> None:
        super().__init__()
        self.eta = nn.Parameter(torch.ones(()))
        self.unit = GLAUnit(channels, image_channels)


class GLAVarNet(nn.Module):
    """The network. Any number of slices, frames and coils and any matrix size.

    Stages: ``"image"`` S^H F^-1 k_t, ``"memory_norm"`` the Frobenius norm of M_t and ``"memory_rank"`` the number of its singular
    values above 1 % of the largest, real (batch, frame, or 1 where frames are channels), ``"step_size"`` eta_t.
    """

    name: ClassVar[str] = "GLAVarNet"
    # k begins as the measurement, from which it does not differ, and the memory as zero, of which nothing can be kept.
    without_effect: ClassVar[tuple[str, ...]] = ("steps.0.eta", "steps.0.unit.alpha.weight", "steps.0.unit.alpha.bias")

    def __init__(self, config: GLAVarNetConfig) -> None:
        super().__init__()
        self.channels, self.frames, self.begin = config.channels, config.frames, config.start
        self.image_channels = 2 * max(1, config.frames)
        self.steps = nn.ModuleList(TimeStep(config.channels, self.image_channels) for _ in range(config.steps))
        self.sensitivity = maps_network(config.maps, config.maps_filters, self.image_channels)

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        data = with_first_image(self.begin, data)
        if self.frames:
            require_frames(data, self.frames, self.name)
            return self._iterate(data, stack_frames, unstack_frames)
        return by_frames(data, self._frame_by_frame)

    def initial_memory(self, image: Tensor, data: ReconInput) -> Tensor:
        """Return M_0, real (n, C, C), for the zero-filled images, real (n, image channels, y, x)."""
        del data
        return image.new_zeros((len(image), self.channels, self.channels))

    def _frame_by_frame(self, data: ReconInput) -> Tensor:
        return self._iterate(data, frames_to_channels, partial(channels_to_frames, frames=data.kspace.shape[KSPACE_FRAME]))

    def _iterate(self, data: ReconInput, pack: Callable[[Tensor], Tensor], unpack: Callable[[Tensor], Tensor]) -> Tensor:
        """Go all steps; ``pack`` makes real images (n, image channels, y, x) of complex (batch, frame, y, x)."""
        data = operator_with(self.sensitivity, data)
        check, total = data.report.check, len(self.steps)
        data.report.step(0, total, self.name)
        iterate = KSpaceIterate.start(data.kspace, data.operator, check, data.first)
        memory = self.initial_memory(pack(iterate.image()), data)
        for index, step in enumerate(self.steps):
            assert isinstance(step, TimeStep)
            data.report.step(index, total, f"{self.name}, step {index + 1}")
            image = pack(iterate.image())
            kept = 5 * self.channels * image.element_size() * image[:, 0].numel()  # three feature maps, padded ones beside them
            residual, memory = recomputed(partial(step.unit, image, memory, check), kept)
            iterate.update(step.eta, unpack(residual))
            if data.stages is no_stages:
                continue
            data.stages(index, "image", iterate.image())
            data.stages(index, "step_size", step.eta.detach())
            for part, value in describe(memory).items():
                data.stages(index, f"memory_{part}", value.reshape(data.kspace.shape[0], -1))
        data.report.step(total, total, self.name)
        return iterate.image()


def frames_of(config: GLAVarNetConfig) -> int | None:
    """Return the number of frames that are channels; None when any number will do."""
    return config.frames or None


MODELS.register(
    "gla_varnet",
    ModelSpec(
        name="gla_varnet",
        title="GLAVarNet",
        paper=PAPER,
        config=GLAVarNetConfig,
        build=GLAVarNet,
        presets={"paper": GLAVarNetConfig(), "small": GLAVarNetConfig(steps=5, channels=32), "frames-9": GLAVarNetConfig(frames=9)},
        trainable=True,
        macs_shape="1x10x144x512",
        macs_counting=COUNTING,
        macs_rule=MacRule(bias=True, without=("sensitivity",)),
        frames=frames_of,
        normalise="image_max",
        notes=(*NOTES, "In the first step eta and alpha have no effect: k is the measurement, and the memory is zero."),
    ),
)
