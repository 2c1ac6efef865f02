"""Recurrent variational network: a k-space iteration whose regulariser is a convolutional recurrent unit.

Source: G. Yiasemis, J.-J. Sonke, C. Sanchez, J. Teuwen, "Recurrent Variational Network: A Deep Learning Inverse Problem Solver
Applied to the Task of Accelerated MRI Reconstruction", CVPR 2022, in the form of DIRECT. It is the baseline of EGLAVarNet (there
8 time steps, 128 channels, 4 layers), with every frame an image of its own and nothing shared between frames but the weights.

With k^0 = y the measurement, x^t = S^H F^-1 k^t and hidden states h^t, time step t is

``r^t, h^{t+1} = RNN^t(x^t, h^t)``,  ``k^{t+1} = k^t - alpha_t M (k^t - y) + F S r^t``,

and h^0 = RSI(F x^0): the state initialiser looks at the k-space of the coil-combined image.

*Deviation*: the result is the complex image S^H F^-1 k^T; DIRECT reports the root sum of squares of the coil images of k^T. What
is complex keeps its phase for relaxation fits, and the two agree where the maps explain the coil images.
*Deviation*: the maps are those given; ``maps = "network"`` refines them by a U-Net as DIRECT does (not part of the published
parameter counts).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from engine.core.errors import InputError
from engine.models.blocks import channels_to_frames, frames_to_channels
from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, no_stages
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.conv_gru import ConvGRU, StateInitialiser
from engine.models.parts.frames import by_frames
from engine.models.parts.iterate import KSpaceIterate
from engine.models.parts.sensitivity import MAPS_HELP, check_maps, maps_network, operator_with
from engine.models.parts.sizes import require_least
from engine.models.parts.start import START_HELP, START_NOTE, STARTS, check_start, start_near_zero, with_first_image
from engine.physics.fourier import fft2c

PAPER = (
    "Yiasemis, Sonke, Sanchez, Teuwen: Recurrent Variational Network: A Deep Learning Inverse Problem Solver Applied to the Task "
    "of Accelerated MRI Reconstruction, CVPR 2022; baseline of EGLAVarNet"
)
SCALING = (
    "Scaled as in DIRECT by the 99th percentile of the magnitude of k-space, what was not measured counting as zeros; DIRECT takes "
    "one for each frame, here the frames of a slice share it."
)
NO_EFFECT = "The first step size has no effect: k begins as the measurement, from which it does not differ."


@dataclass(frozen=True, slots=True)
class RecurrentVarNetConfig:
    """Sizes of the network."""

    steps: int = field(default=8, metadata={"help": "Number of time steps T, each with its own parameters", "range": (1, 50)})
    hidden: int = field(default=128, metadata={"help": "Channels of features and hidden states", "range": (1, 512)})
    layers: int = field(default=4, metadata={"help": "Recurrent layers of a time step", "range": (1, 10)})
    multiscale: int = field(default=1, metadata={"help": "How many outputs of the initialiser's convolutions are used"})
    initialiser: tuple[int, ...] = field(default=(32, 32, 64, 64), metadata={"help": "Channels of the initialiser's convolutions"})
    dilations: tuple[int, ...] = field(default=(1, 1, 2, 4), metadata={"help": "Dilations of the initialiser's convolutions"})
    maps: str = field(default="given", metadata={"help": MAPS_HELP, "choices": ("given", "network")})
    maps_filters: int = field(default=8, metadata={"help": "First-level channels of the coil-map network", "range": (1, 128)})
    start: str = field(default="zero_filled", metadata={"help": START_HELP, "choices": STARTS})

    def __post_init__(self) -> None:
        check_sizes(self, "recurrent_varnet")


def check_sizes(config: RecurrentVarNetConfig, name: str) -> None:
    """Raise ``InputError`` when the settings do not describe a network."""
    require_least(config, name, "The paper's network has 8 steps of 4 layers with 128 channels.", steps=1, hidden=1, layers=1)
    count = len(config.initialiser)
    fits = count > 0 and count == len(config.dilations) and min(*config.initialiser, *config.dilations) > 0
    if not fits or not 1 <= config.multiscale <= count:
        raise InputError(
            f"the initialiser of {name} does not fit together (expected as many positive dilations as channels, multiscale from 1 "
            f"to their number / found channels {config.initialiser}, dilations {config.dilations}, multiscale {config.multiscale})",
            "The usual initialiser has channels 32, 32, 64, 64 and dilations 1, 1, 2, 4.",
        )
    check_maps(config.maps, config.maps_filters, name)
    check_start(config.start, name)


class TimeStep(nn.Module):
    """One time step: the recurrent unit and its step size."""

    def __init__(self, channels: int, config: RecurrentVarNetConfig) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(()))
        self.rnn = ConvGRU(channels, channels, config.hidden, config.layers)


class RecurrentIterations(nn.Module):
    """The initialiser and the time steps, for images of any number of real channels.

    Parameters
    ----------
    channels
        Two for one frame, two for each frame where frames are channels.
    config
        Sizes.
    """

    def __init__(self, channels: int, config: RecurrentVarNetConfig) -> None:
        super().__init__()
        self.initialiser = StateInitialiser(
            channels, config.hidden, config.layers, config.initialiser, config.dilations, config.multiscale
        )
        steps = [TimeStep(channels, config) for _ in range(config.steps)]
        start_near_zero(config.start, (step.rnn.convs[-1] for step in steps))
        self.steps = nn.ModuleList(steps)

    def forward(self, data: ReconInput, pack: Callable[[Tensor], Tensor], unpack: Callable[[Tensor], Tensor], name: str) -> Tensor:
        """Return the image; ``pack`` makes real channels (n, channel, y, x) of complex (batch, frame, y, x), ``unpack`` undoes it.

        Stages: ``"image"`` x^{t+1}, ``"step_size"`` alpha_t, ``"hidden_energy"``, the mean square of each layer's state, real
        (batch, n / batch, layer).
        """
        check, total = data.report.check, len(self.steps)
        data.report.step(0, total, name)
        iterate = KSpaceIterate.start(data.kspace, data.operator, check, data.first)
        state = self.initialiser(pack(fft2c(iterate.image())), check)
        for index, step in enumerate(self.steps):
            assert isinstance(step, TimeStep)
            data.report.step(index, total, f"{name}, step {index + 1}")
            image = pack(iterate.image())
            kept = image.element_size() * len(state) * 10 * state[0].numel()  # about ten feature maps for each layer
            residual, state = recomputed(partial(step.rnn, image, state, check), kept)
            iterate.update(step.alpha, unpack(residual))
            if data.stages is no_stages:
                continue
            data.stages(index, "image", iterate.image())
            data.stages(index, "step_size", step.alpha.detach())
            energy = torch.stack([h.detach().float().square().mean((1, 2, 3)) for h in state], dim=-1)
            data.stages(index, "hidden_energy", energy.reshape(data.kspace.shape[0], -1, len(state)))
        data.report.step(total, total, name)
        return iterate.image()


class RecurrentVarNet(nn.Module):
    """The network, frame by frame. Any number of slices, frames and coils and any matrix size."""

    without_effect = ("iterations.steps.0.alpha",)

    def __init__(self, config: RecurrentVarNetConfig) -> None:
        super().__init__()
        self.begin = config.start
        self.iterations = RecurrentIterations(2, config)
        self.sensitivity = maps_network(config.maps, config.maps_filters)

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        return by_frames(with_first_image(self.begin, data), self._frames)

    def _frames(self, data: ReconInput) -> Tensor:
        data = operator_with(self.sensitivity, data)
        frames = data.kspace.shape[1]
        merge = partial(channels_to_frames, frames=frames)
        image: Tensor = self.iterations(data, frames_to_channels, merge, "Recurrent VarNet")
        return image


MODELS.register(
    "recurrent_varnet",
    ModelSpec(
        name="recurrent_varnet",
        title="Recurrent VarNet",
        paper=PAPER,
        config=RecurrentVarNetConfig,
        build=RecurrentVarNet,
        presets={
            "paper": RecurrentVarNetConfig(),
            "small": RecurrentVarNetConfig(steps=5, hidden=24, layers=2, initialiser=(16, 16, 24, 24)),
            "light": RecurrentVarNetConfig(hidden=32, layers=2, initialiser=(32, 32, 32, 32)),
            "light-wavelet": RecurrentVarNetConfig(hidden=32, layers=2, initialiser=(32, 32, 32, 32), start="wavelet"),
            "cmrxrecon": RecurrentVarNetConfig(steps=10, multiscale=3),
        },
        trainable=True,
        paper_macs=506.46e9,
        macs_shape="1x10x144x512",
        macs_counting="Convolutions with their bias, as ptflops counts, for one frame of 144 x 512.",
        macs_rule=MacRule(bias=True, without=("sensitivity",)),
        normalise="kspace_p99_all",
        notes=(
            START_NOTE,
            SCALING,
            "Every frame is an image of its own, as the published counts say; nothing is shared between frames but the weights.",
            "The result is the coil-combined complex image; the published program reports the root sum of squares.",
            NO_EFFECT,
            "With maps = network a U-Net refines the coil maps of the ACS lines; published counts leave it out.",
        ),
    ),
)
