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
from torch.nn import functional

from engine.core.errors import InputError
from engine.models.blocks import channels_to_frames, frames_to_channels
from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, no_stages
from engine.models.parts import forms
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.conv_gru import EdgeConv, memory_format
from engine.models.parts.frames import by_frames
from engine.models.parts.iterate import KSpaceIterate
from engine.models.parts.sensitivity import MAPS_HELP, check_maps, maps_network, operator_with

Check = Callable[[], None]

PAPER = "Liu: Accelerated Cardiac MRI T1 Mapping Reconstruction Using Gated Linear Attention Network"
COUNTING = "Convolutions with their bias, as ptflops counts, for one frame of 144 x 512; products of attention do not count."
NOTES = (
    "Sizes are not in the paper; these meet its parameters, cost and file size together.",
    "Equations (1), (3) and (4) are read so that they can work: no mask on the estimate, and only the residual is added to k.",
    "K V^T is divided by the number of pixels (scaling normalisation of the paper's reference 13), without a softmax.",
    "Every frame is an image of its own; nothing is shared between frames but the weights.",
    "With maps = network a U-Net refines the coil maps of the ACS lines; the paper's counts leave it out.",
)
RANK_FLOOR = 0.01  # of the largest singular value: smaller ones do not count in the rank that stages report


@dataclass(frozen=True, slots=True)
class GLAVarNetConfig:
    """Sizes of the network; symbols as in the paper."""

    steps: int = field(default=8, metadata={"help": "Number of time steps T, each with its own parameters", "range": (1, 50)})
    channels: int = field(default=128, metadata={"help": "Channels C of features and memory", "range": (1, 512)})
    maps: str = field(default="given", metadata={"help": MAPS_HELP, "choices": ("given", "network")})
    maps_filters: int = field(default=8, metadata={"help": "First-level channels of the coil-map network", "range": (1, 128)})

    def __post_init__(self) -> None:
        check_sizes(self, ("steps", "channels"), "gla_varnet")
        check_maps(self.maps, self.maps_filters, "gla_varnet")


def check_sizes(config: object, names: tuple[str, ...], network: str) -> None:
    """Raise ``InputError`` when one of these settings is less than 1."""
    for name in names:
        if getattr(config, name) < 1:
            raise InputError(
                f"{name} of {network} is out of range (expected at least 1 / found {getattr(config, name)})",
                "The paper's network has 8 steps and 128 channels.",
            )


class GLAUnit(nn.Module):
    """GLARecurrentUnit of eq. (2): features of the image, memory update, retrieval, image residual.

    Eqs. (5) to (8) are linear in the features f once the gates are known, and need of them only the mean and ``f f^T``. So, with
    ``G = f f^T / HW`` and ``m`` the mean of f, the unit computes ``K V^T / HW = W_K G W_V^T + (W_K m) b_V^T + b_K (W_V m + b_V)^T``
    and one matrix of 2 x C for all that follows: the six projections of every pixel are gone, and their features need not be kept.
    Under :func:`engine.models.parts.forms.plain_forms` it computes as written.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embedding = EdgeConv(2, channels, kernel=5)
        self.convs = nn.ModuleList(EdgeConv(channels, channels) for _ in range(2))
        self.query, self.key, self.value = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.alpha, self.beta, self.projection = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.output = nn.Conv2d(channels, 2, 1)
        nn.init.normal_(self.output.weight, std=1e-3)  # the iteration begins near the zero-filled image
        assert self.output.bias is not None
        nn.init.zeros_(self.output.bias)

    def forward(self, image: Tensor, memory: Tensor, check: Check) -> tuple[Tensor, Tensor]:
        """Return ``(r_t, M_t)`` of ``(x_t, M_{t-1})``: real (n, 2, y, x) and (n, C, C)."""
        features = image.contiguous(memory_format=memory_format(image))
        for conv in (self.embedding, *self.convs):
            check()
            features = functional.relu_(conv(features))
        check()
        # Sums over all pixels, and products of a C x C memory: bfloat16 would keep two digits of them.
        with torch.autocast(image.device.type, enabled=False):
            wide = features.float() if features.dtype in (torch.float16, torch.bfloat16) else features
            if forms.plain():
                return self._as_written(wide, memory)
            return self._by_covariance(wide, memory)

    def _as_written(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Eqs. (5) to (8), and the convolution to the image."""
        q, k, v = (layer(x).flatten(2) for layer in (self.query, self.key, self.value))  # (n, C, HW), eq. (5)
        alpha, beta = (torch.sigmoid(layer(x).mean((2, 3))).unsqueeze(-1) for layer in (self.alpha, self.beta))  # (n, C, 1)
        knowledge = (beta * k) @ v.mT / k.shape[-1]  # (6)
        memory = alpha * memory + knowledge  # (7)
        retrieved = (memory.mT @ q).reshape(x.shape)
        return self.output(self.projection(retrieved) + x), memory  # (8)

    def _by_covariance(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same from mean and covariance of the features."""
        n, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(n, height * width, channels)  # (n, HW, C): no copy where the channel lies last
        covariance = rows.mT @ rows / rows.shape[1]
        mean = rows.mean(1)  # (n, C)
        (w_q, b_q), (w_k, b_k), (w_v, b_v) = map(_affine, (self.query, self.key, self.value))
        (w_a, b_a), (w_b, b_b), (w_p, b_p), (w_o, b_o) = map(_affine, (self.alpha, self.beta, self.projection, self.output))
        alpha, beta = torch.sigmoid(mean @ w_a.mT + b_a), torch.sigmoid(mean @ w_b.mT + b_b)
        mean_k, mean_v = mean @ w_k.mT, mean @ w_v.mT + b_v
        product = w_k @ covariance @ w_v.mT + mean_k.unsqueeze(2) * b_v + b_k.unsqueeze(1) * mean_v.unsqueeze(1)
        memory = alpha.unsqueeze(2) * memory + beta.unsqueeze(2) * product
        through = w_o @ w_p @ memory.mT  # (n, 2, C): from the query to the image
        matrix = through @ w_q + w_o
        bias = through @ b_q + w_o @ b_p + b_o  # (n, 2)
        residual = matrix @ rows.mT + bias.unsqueeze(2)  # (n, 2, HW)
        return residual.reshape(n, 2, height, width), memory


def _affine(layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Return matrix and bias of a 1 x 1 convolution."""
    assert layer.bias is not None
    return layer.weight.flatten(1), layer.bias


class TimeStep(nn.Module):
    """One time step: its unit and its step size eta_t."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.eta = nn.Parameter(torch.ones(()))
        self.unit = GLAUnit(channels)


class GLAVarNet(nn.Module):
    """The network. Any number of slices, frames and coils and any matrix size.

    Stages: ``"image"`` S^H F^-1 k_t, ``"memory_norm"`` the Frobenius norm of M_t and ``"memory_rank"`` the number of its singular
    values above 1 % of the largest, real (batch, frame), ``"step_size"`` eta_t.
    """

    name: ClassVar[str] = "GLAVarNet"
    # k begins as the measurement, from which it does not differ, and the memory as zero, of which nothing can be kept.
    without_effect: ClassVar[tuple[str, ...]] = ("steps.0.eta", "steps.0.unit.alpha.weight", "steps.0.unit.alpha.bias")

    def __init__(self, config: GLAVarNetConfig) -> None:
        super().__init__()
        self.channels = config.channels
        self.steps = nn.ModuleList(TimeStep(config.channels) for _ in range(config.steps))
        self.sensitivity = maps_network(config.maps, config.maps_filters)

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        return by_frames(data, self._frames)

    def initial_memory(self, image: Tensor, data: ReconInput) -> Tensor:
        """Return M_0, real (n, C, C), for the zero-filled images, real (n, 2, y, x)."""
        del data
        return image.new_zeros((len(image), self.channels, self.channels))

    def _frames(self, data: ReconInput) -> Tensor:
        data = operator_with(self.sensitivity, data)
        batch, frames = data.kspace.shape[:2]
        check, total = data.report.check, len(self.steps)
        data.report.step(0, total, self.name)
        iterate = KSpaceIterate.start(data.kspace, data.operator, check)
        memory = self.initial_memory(frames_to_channels(iterate.image()), data)
        for index, step in enumerate(self.steps):
            assert isinstance(step, TimeStep)
            data.report.step(index, total, f"{self.name}, step {index + 1}")
            image = frames_to_channels(iterate.image())
            kept = 5 * self.channels * image.element_size() * image[:, 0].numel()  # three feature maps, padded ones beside them
            residual, memory = recomputed(partial(step.unit, image, memory, check), kept)
            iterate.update(step.eta, channels_to_frames(residual, frames))
            if data.stages is no_stages:
                continue
            data.stages(index, "image", iterate.image())
            data.stages(index, "step_size", step.eta.detach())
            for part, value in describe(memory).items():
                data.stages(index, f"memory_{part}", value.reshape(batch, frames))
        data.report.step(total, total, self.name)
        return iterate.image()


def describe(memory: Tensor) -> dict[str, Tensor]:
    """Return Frobenius norm and numerical rank of memories (n, C, C), real (n)."""
    values = torch.linalg.svdvals(memory.detach())
    rank = ((values > RANK_FLOOR * values[:, :1]) & (values > 0)).sum(1)
    return {"norm": torch.linalg.vector_norm(values, dim=1), "rank": rank.to(values.dtype)}


MODELS.register(
    "gla_varnet",
    ModelSpec(
        name="gla_varnet",
        title="GLAVarNet",
        paper=PAPER,
        config=GLAVarNetConfig,
        build=GLAVarNet,
        presets={"paper": GLAVarNetConfig(), "small": GLAVarNetConfig(steps=5, channels=32)},
        trainable=True,
        macs_shape="1x10x144x512",
        macs_counting=COUNTING,
        macs_rule=MacRule(bias=True, without=("sensitivity",)),
        normalise="kspace_p99",
        notes=(*NOTES, "In the first step eta and alpha have no effect: k is the measurement, and the memory is zero."),
    ),
)
