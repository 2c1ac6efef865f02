"""CRNN-MRI: convolutional recurrent neural network for dynamic reconstruction.

Source: C. Qin, J. Schlemper, J. Caballero, A. N. Price, J. V. Hajnal, D. Rueckert, "Convolutional Recurrent Neural Networks for
Dynamic MR Image Reconstruction", IEEE TMI 2019, section III: in each iteration a BCRNN-TI (eq. (8)), three CRNN-I (eq. (7)), a
convolution, the residual connection and hard data consistency (eq. (6)).

Presets: ``shared`` is the original, one set of weights for all iterations (297,794 parameters). ``paper`` is the comparator of
the CRUNet-MR paper, whose 1.49 million parameters are those of five iterations with weights of their own (1,488,970).

Deviation: the original reconstructs single-coil data. Several coils are our extension: the images before and after data
consistency are coil-combined and the sampled k-space of every coil is put in, by the SENSE operator; one coil of unit
sensitivity gives the original. Fourier transforms are centred.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from engine.core.jobs import Check
from engine.models.blocks import channels_to_frames, frames_to_channels
from engine.models.contract import MODELS, ModelSpec, ReconInput, no_stages
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.consistency import DataTerm
from engine.models.parts.recurrent import ConvIterated, ConvRecurrent, Frames, frame_by_frame, to_frames
from engine.models.parts.sizes import require_least

LAYERS = 3  # CRNN-I units
KEPT_MAPS = 6  # that the backward pass of one iteration needs


@dataclass(frozen=True, slots=True)
class CRNNConfig:
    """Sizes of the network; symbols as in the paper."""

    iterations: int = field(default=5, metadata={"help": "Number of iterations N", "range": (1, 20)})
    channels: int = field(default=64, metadata={"help": "Channels of the hidden states", "range": (1, 256)})
    shared: bool = field(default=False, metadata={"help": "One set of weights for all iterations, as in the original"})

    def __post_init__(self) -> None:
        require_least(self, "crnn_mri", "The paper has 5 iterations of 64 channels.", iterations=1, channels=1)


class Iteration(nn.Module):
    """One pass through the layers: BCRNN-TI, three CRNN-I, convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.recurrent = ConvRecurrent(2, channels)
        self.iterated = nn.ModuleList(ConvIterated(channels) for _ in range(LAYERS))
        self.last = nn.Conv2d(channels, 2, 3, padding=1)

    def forward(self, frames: Frames, memory: list[Frames] | None, check: Check) -> tuple[Frames, list[Frames]]:
        """Return the residual of every frame, each (batch, 2, y, x), and the states of the four layers for the next iteration."""
        states = [self.recurrent(frames, memory[0] if memory else None, "both", check)]
        for number, layer in enumerate(self.iterated, start=1):
            states.append(layer(states[-1], memory[number] if memory else None, check))
        return frame_by_frame(self.last, states[-1], check=check), states


class CRNNMRI(nn.Module):
    """The network. Stages: ``"image"``; ``"hidden_layer1"`` to ``"hidden_layer4"``: the root mean square over channels of H_l."""

    def __init__(self, config: CRNNConfig) -> None:
        super().__init__()
        self.total = config.iterations
        self.iterations = nn.ModuleList(Iteration(config.channels) for _ in range(1 if config.shared else config.iterations))
        # The first iteration's memories are zero.
        self.without_effect: tuple[str, ...] = ()
        if len(self.iterations) == self.total:
            names = ("recurrent", *(f"iterated.{layer}" for layer in range(LAYERS)))
            self.without_effect = tuple(f"iterations.0.{name}.iteration.weight" for name in names)

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        term = DataTerm(data)
        x, memory = term.image, None
        batch = x.shape[0]
        for index in range(self.total):
            data.report.step(index, self.total, "CRNN-MRI")
            layers = self.iterations[min(index, len(self.iterations) - 1)]
            assert isinstance(layers, Iteration)
            # Frames come first, so that one frame of all slices lies together.
            frames = to_frames(frames_to_channels(x.transpose(0, 1)), batch)
            kept = KEPT_MAPS * layers.last.in_channels * x.real.element_size() * x.numel()
            residual, memory = recomputed(partial(layers, frames, memory, data.report.check), kept)
            x = term.hard(x + channels_to_frames(torch.cat(residual), batch).transpose(0, 1))
            data.stages(index, "image", x)
            if data.stages is not no_stages:
                for number, states in enumerate(memory, start=1):
                    energy = torch.stack([state.float().square().mean(1).sqrt() for state in states], dim=1)
                    data.stages(index, f"hidden_layer{number}", energy)
        data.report.step(self.total, self.total, "CRNN-MRI")
        return x


MODELS.register(
    "crnn_mri",
    ModelSpec(
        name="crnn_mri",
        title="CRNN-MRI",
        paper="Qin, Schlemper, Caballero, Price, Hajnal, Rueckert: Convolutional Recurrent Neural Networks for Dynamic MR Image "
        "Reconstruction, IEEE TMI 2019",
        config=CRNNConfig,
        build=CRNNMRI,
        presets={
            "paper": CRNNConfig(),
            "shared": CRNNConfig(shared=True),
            "small": CRNNConfig(channels=24, shared=True),
        },
        trainable=True,
        macs_shape="12x1x128x128",
        normalise="image_max",
        notes=(
            "Preset paper is the comparator of the CRUNet-MR paper (weights of their own for five iterations); preset shared is "
            "the original, for which released weights exist.",
            "Several coils are an extension by the SENSE operator; the original is a single-coil network.",
            "The first iteration's memories are zero; without sharing their kernels have no effect.",
            "Nothing is standardised inside: the scale of the data matters.",
        ),
    ),
)
