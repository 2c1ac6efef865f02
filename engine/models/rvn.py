"""RVN: the recurrent variational network that takes all frames of a relaxometry series at once, as channels.

Source: Y. Zhao, Y. Zhang, Q. Tao, "Relaxometry Guided Quantitative Cardiac Magnetic Resonance Image Reconstruction", STACOM 2023,
eqs. (7) and (8), with the recurrent regulariser of Yiasemis et al., CVPR 2022 (:mod:`engine.models.recurrent_varnet`). Every
image of the series is coil-combined with maps of its own or common ones; real and imaginary part of all k_t images are the
2 k_t channels of one network: 18 for the nine inversion times of MOLLI, 6 for three T2 preparations.

*Deviation*: none in the arithmetic. The paper gives ten unrolled layers and no sizes; 64 channels, 4 layers and an initialiser
with three scales are those of the authors' program. Its eq. (8) has a minus in front of the regulariser, its program a plus,
which the network learns to make the same; it is a plus here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

from engine.models.blocks import stack_frames, unstack_frames
from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput
from engine.models.parts.frames import require_frames
from engine.models.parts.sensitivity import MAPS_HELP, maps_network, operator_with
from engine.models.parts.sizes import require_least
from engine.models.parts.start import START_NOTE, with_first_image
from engine.models.recurrent_varnet import NO_EFFECT, RecurrentIterations, RecurrentVarNetConfig, check_sizes


@dataclass(frozen=True, slots=True)
class RVNConfig(RecurrentVarNetConfig):
    """Sizes of the network: those of the recurrent variational network, and the number of frames."""

    steps: int = field(default=10, metadata={"help": "Number of unrolled layers T, each with its own parameters", "range": (1, 50)})
    hidden: int = field(default=64, metadata={"help": "Channels of features and hidden states", "range": (1, 512)})
    multiscale: int = field(default=3, metadata={"help": "How many outputs of the initialiser's convolutions are used"})
    maps: str = field(default="given", metadata={"help": MAPS_HELP, "choices": ("given", "network")})
    frames: int = field(default=9, metadata={"help": "Number of frames k_t, which are channels: 9 for MOLLI", "range": (1, 64)})

    def __post_init__(self) -> None:
        check_sizes(self, "rvn")
        require_least(self, "rvn", "MOLLI series have 9 frames, T2-prepared ones 3.", frames=1)


class RVN(nn.Module):
    """The network. Any number of slices and coils and any matrix size; as many frames as it was built for.

    Raises
    ------
    ShapeError
        When the series has another number of frames.
    """

    without_effect: ClassVar[tuple[str, ...]] = ("iterations.steps.0.alpha",)

    def __init__(self, config: RVNConfig) -> None:
        super().__init__()
        self.frames = config.frames
        self.begin = config.start
        self.iterations = RecurrentIterations(2 * config.frames, config)
        self.sensitivity = maps_network(config.maps, config.maps_filters, 2 * config.frames)

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x). Stages as in the recurrent variational network."""
        require_frames(data, self.frames, "rvn")
        data = operator_with(self.sensitivity, with_first_image(self.begin, data))
        image: Tensor = self.iterations(data, stack_frames, unstack_frames, "RVN")
        return image


MODELS.register(
    "rvn",
    ModelSpec(
        name="rvn",
        title="RVN (frames as channels)",
        paper="Zhao, Zhang, Tao: Relaxometry Guided Quantitative Cardiac Magnetic Resonance Image Reconstruction, STACOM 2023",
        config=RVNConfig,
        build=RVN,
        presets={
            "paper": RVNConfig(),
            "small": RVNConfig(steps=5, hidden=24, layers=2, initialiser=(16, 16, 24, 24)),
            "t2": RVNConfig(frames=3),
            "small-t2": RVNConfig(steps=5, hidden=24, layers=2, initialiser=(16, 16, 24, 24), frames=3),
        },
        kinds=("molli", "t2prep"),
        trainable=True,
        macs_shape="9x10x144x512",
        macs_counting="Convolutions without bias; the paper gives no figure.",
        macs_rule=MacRule(without=("sensitivity",)),
        frames=lambda config: int(config.frames),
        normalise="kspace_p99_all",
        notes=(
            START_NOTE,
            "Frames are channels: weights serve series with as many frames as they were trained for.",
            "The paper gives ten layers and no sizes; the others are those of the authors' program.",
            "The result is the coil-combined complex image; the published program reports the root sum of squares.",
            "Scaled as in DIRECT by the 99th percentile of the magnitude of k-space, what was not measured counting as zeros.",
            NO_EFFECT,
            "With maps = network a U-Net refines the coil maps of the ACS lines, all frames of a coil together.",
        ),
    ),
)
