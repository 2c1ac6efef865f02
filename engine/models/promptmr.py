"""PromptMR: an unrolled network on windows of adjacent frames, with prompts and its own coil maps.

Source: B. Xin, M. Ye, L. Axel, D. N. Metaxas, "Fill the K-Space and Refine the Image: Prompting for Dynamic and Multi-Contrast MRI
Reconstruction", STACOM 2023 (arXiv 2309.13839). For every frame, five adjacent frames go through cascades

``k^{t+1} = k^t - eta_t M (k^t - k0) - F S PromptUNet^t(S^H F^-1 k^t)``,

their real and imaginary parts being the U-Net's channels; the centre frame is the result. Frames are circular; of a series of
three or fewer the outermost neighbours are repeated (as the authors do for T2-prepared series). Coil maps come from the ACS
lines of each coil and frame by a U-Net of half the width.

Presets: ``paper`` is the comparator of the CRUNet-MR paper (5 cascades, 30,496,134 trainable parameters), ``original`` has the 12
cascades of the PromptMR paper. Prompts are fixed random tensors unless ``learnable_prompts``.

Deviation: the result is the coil-combined complex image; the authors report the root sum of squares of the coil images. The ACS
lines are those the mask was made with, or all that every frame measured around the centre; the authors take twice the shorter
side of the mask's centre. Coil maps are found once for each frame, not again for each window it lies in: the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.errors import InputError
from engine.models.blocks import stack_frames, unstack_frames
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts import forms
from engine.models.parts.iterate import KSpaceIterate
from engine.models.parts.prompt_unet import SLOPE, PromptUNet, PromptUNetSizes, SharedPReLU, Triple
from engine.models.parts.sensitivity import MAPS_HELP, SensitivityNetwork, operator_with

TRIPLES = ("dims", "prompt_dims", "prompts", "prompt_sizes", "encoder", "decoder", "skip", "maps_dims", "maps_prompt_dims")


@dataclass(frozen=True, slots=True)
class PromptMRConfig:
    """Sizes of the network; triples go from the finest level to the coarsest."""

    cascades: int = field(default=5, metadata={"help": "Number of cascades, each with its own parameters", "range": (1, 50)})
    adjacent: int = field(default=5, metadata={"help": "Frames of a window, an odd number", "range": (1, 15)})
    features: int = field(default=48, metadata={"help": "Channels at full resolution", "range": (4, 256)})
    dims: Triple = field(default=(72, 96, 120), metadata={"help": "Channels of the three coarser levels"})
    prompt_dims: Triple = field(default=(24, 48, 72), metadata={"help": "Channels of the prompts"})
    prompts: Triple = field(default=(5, 5, 5), metadata={"help": "Number of prompts"})
    prompt_sizes: Triple = field(default=(64, 32, 16), metadata={"help": "Side of the prompts in pixels"})
    encoder: Triple = field(default=(2, 3, 3), metadata={"help": "Attention blocks of the encoder"})
    decoder: Triple = field(default=(2, 2, 3), metadata={"help": "Attention blocks of the decoder"})
    skip: Triple = field(default=(1, 1, 1), metadata={"help": "Attention blocks of the skip connections"})
    bottleneck: int = field(default=3, metadata={"help": "Attention blocks at the coarsest level", "range": (1, 20)})
    learnable_prompts: bool = field(default=False, metadata={"help": "Train the prompts too"})
    maps: str = field(default="network", metadata={"help": MAPS_HELP, "choices": ("given", "network")})
    maps_features: int = field(default=24, metadata={"help": "Channels of the coil-map network at full resolution"})
    maps_dims: Triple = field(default=(36, 48, 60), metadata={"help": "Channels of its coarser levels"})
    maps_prompt_dims: Triple = field(default=(12, 24, 36), metadata={"help": "Channels of its prompts"})

    def __post_init__(self) -> None:
        for name in TRIPLES:  # lists come from JSON
            object.__setattr__(self, name, tuple(getattr(self, name)))
        triples = [getattr(self, name) for name in TRIPLES]
        widths = (self.features, *self.dims, self.maps_features, *self.maps_dims)
        wrong = [t for t in triples if len(t) != 3 or min(t) < 0]
        if wrong or self.cascades < 1 or self.adjacent % 2 != 1 or self.adjacent < 1 or min(widths) < 4 or self.bottleneck < 1:
            raise InputError(
                f"sizes of promptmr are out of range (expected at least 1 cascade, an odd window, 4 channels, three levels / found "
                f"{self.cascades}, {self.adjacent}, {min(widths)}, {wrong[0] if wrong else 'three levels'})",
                "The paper has 12 cascades on windows of 5 frames, 48 channels and 72, 96, 120.",
            )
        if self.maps not in ("given", "network"):
            raise InputError(
                f"the coil maps of promptmr are out of range (expected given or network / found {self.maps!r})", "Use network."
            )

    def sizes(self) -> PromptUNetSizes:
        """Return the sizes of the cascades' U-Nets."""
        return PromptUNetSizes(
            self.features, self.dims, self.prompt_dims, self.prompts, self.prompt_sizes, self.encoder, self.decoder, self.skip,
            self.bottleneck, self.learnable_prompts,
        )  # fmt: skip

    def maps_sizes(self) -> PromptUNetSizes:
        """Return the sizes of the coil-map network, whose prompts are always fixed."""
        return PromptUNetSizes(
            self.maps_features, self.maps_dims, self.maps_prompt_dims, self.prompts, self.prompt_sizes, self.encoder, self.decoder,
            self.skip, self.bottleneck,
        )  # fmt: skip


class Cascade(nn.Module):
    """One cascade: the U-Net and its step size."""

    def __init__(self, config: PromptMRConfig, activation: SharedPReLU) -> None:
        super().__init__()
        self.eta = nn.Parameter(torch.ones(()))
        self.unet = PromptUNet(2 * config.adjacent, config.sizes(), activation)


class PromptMR(nn.Module):
    """The network. Stages: ``"image"``, the centre frames' S^H F^-1 k^{t+1}."""

    without_effect = ("cascades.0.eta",)

    def __init__(self, config: PromptMRConfig) -> None:
        super().__init__()
        self.adjacent = config.adjacent
        self.slope = nn.Parameter(torch.tensor(SLOPE))
        self._activation = SharedPReLU()
        self.sensitivity: SensitivityNetwork | None = None
        if config.maps == "network":
            self.sensitivity = SensitivityNetwork(PromptUNet(2, config.maps_sizes(), self._activation), normalise_input=False)
        self.cascades = nn.ModuleList(Cascade(config, self._activation) for _ in range(config.cascades))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        total, check = len(self.cascades), data.report.check
        self._activation.slope = self.slope
        data.report.step(0, total, "PromptMR, coil maps")
        data = operator_with(self.sensitivity, data)
        shifts = offsets(self.adjacent, data.kspace.shape[1])
        # Every frame is a problem of its own whose images are its estimates in the windows it takes part in, by its place there.
        iterates = _start(data)
        image = torch.stack([iterate.image() for iterate in iterates], dim=1)
        for index, cascade in enumerate(self.cascades):
            data.report.step(index, total, f"PromptMR, cascade {index + 1}")
            assert isinstance(cascade, Cascade)
            windows = _moved(image.expand(-1, -1, self.adjacent, -1, -1), [-shift for shift in shifts])
            residual = unstack_frames(cascade.unet(stack_frames(windows.flatten(0, 1)), check)).reshape(windows.shape)
            estimates = []
            for iterate, one in zip(iterates, _moved(residual, shifts).unbind(1), strict=True):
                check()
                iterate.update(cascade.eta, -one)
                estimates.append(iterate.image())
            image = torch.stack(estimates, dim=1)
            data.stages(index, "image", image[:, :, self.adjacent // 2])
        data.report.step(total, total, "PromptMR")
        return image[:, :, self.adjacent // 2].contiguous()


def _start(data: ReconInput) -> list[KSpaceIterate]:
    """Return the iteration of every frame at the measurement."""
    operator, check = data.operator, data.report.check
    if not (forms.plain() or operator.maps.requires_grad):
        operator.prepare(check)  # one set of Gram matrices, if any, for all frames
    return [
        KSpaceIterate.start(data.kspace[:, t : t + 1], operator.select_frames(t, t + 1), check) for t in range(data.kspace.shape[1])
    ]


def _moved(images: Tensor, shifts: list[int]) -> Tensor:
    """Return complex (batch, frame, place, y, x) with every place moved by its number of frames, in a circle."""
    return torch.stack([images[:, :, place].roll(shift, 1) for place, shift in enumerate(shifts)], dim=2)


def offsets(adjacent: int, frames: int) -> list[int]:
    """Return the frames of a window relative to its centre; three frames or fewer have one neighbour on each side, repeated."""
    reach = adjacent // 2 if frames > 3 else 1
    return [max(-reach, min(reach, place - adjacent // 2)) for place in range(adjacent)]


SMALL: dict[str, Any] = {
    "cascades": 2, "features": 16, "dims": (20, 24, 28), "prompt_dims": (4, 8, 12), "prompt_sizes": (32, 16, 8),
    "encoder": (1, 1, 1), "decoder": (1, 1, 1), "bottleneck": 1,
}  # fmt: skip

MODELS.register(
    "promptmr",
    ModelSpec(
        name="promptmr",
        title="PromptMR",
        paper="Xin, Ye, Axel, Metaxas: Fill the K-Space and Refine the Image: Prompting for Dynamic and Multi-Contrast MRI "
        "Reconstruction, STACOM 2023",
        config=PromptMRConfig,
        build=PromptMR,
        presets={
            "paper": PromptMRConfig(),
            "original": PromptMRConfig(cascades=12),
            "small": PromptMRConfig(**SMALL, maps="given"),
            "small-maps": PromptMRConfig(**SMALL, maps_features=8, maps_dims=(12, 16, 20), maps_prompt_dims=(4, 4, 8)),
        },
        trainable=True,
        macs_shape="5x10x128x128",
        notes=(
            "Every frame is reconstructed from a window of five frames; frames are circular.",
            "The result is the coil-combined complex image; the authors report the root sum of squares.",
            "Preset paper is the comparator of the CRUNet-MR paper with 5 cascades; the PromptMR paper has 12.",
            "The first step size has no effect: k begins as the measurement, from which it does not differ.",
            "With maps = network the coil maps come from the ACS lines of each frame; a mask without them is refused.",
        ),
    ),
)
