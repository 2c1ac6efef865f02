"""U-Net: one pass over the zero-filled image, no data consistency. What unrolled networks are compared with.

Source: Zbontar et al., "fastMRI: An Open Dataset and Benchmarks for Accelerated MRI", 2018, section 6.2. The papers that compare
themselves with "U-Net" do not describe theirs; this is fastMRI's, which is the common reading.

*Deviation*: fastMRI's sees magnitude images; this one sees real and imaginary part of the coil-combined image, so that the phase
stays, standardised as in E2E VarNet. Every frame is an image of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from torch import Tensor, nn

from engine.models.blocks import channels_to_frames, frames_to_channels
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.sizes import require_least
from engine.models.parts.unet import NormUNet, UNet2d, kept_bytes


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """Sizes of the network."""

    filters: int = field(default=32, metadata={"help": "First-level channels", "range": (1, 512)})
    pools: int = field(default=4, metadata={"help": "Poolings", "range": (0, 6)})

    def __post_init__(self) -> None:
        require_least(self, "unet", "fastMRI's baseline has 32 to 256 filters and 4 pools.", filters=1, pools=0)


class PlainUNet(nn.Module):
    """The network, frame by frame. Any number of slices, frames and coils and any matrix size. Stage: ``"image"``."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.unet = NormUNet(UNet2d(2, 2, config.filters, config.pools))
        self.filters = config.filters

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        data.report.step(0, 1, "U-Net")
        zero_filled = data.operator.adjoint(data.kspace)
        frames = frames_to_channels(zero_filled)
        run = partial(self.unet, frames, data.report.check)
        image = channels_to_frames(recomputed(run, kept_bytes(frames, self.filters)), zero_filled.shape[1])
        data.stages(0, "image", image)
        data.report.step(1, 1, "U-Net")
        return image


MODELS.register(
    "unet",
    ModelSpec(
        name="unet",
        title="U-Net",
        paper="Zbontar et al.: fastMRI: An Open Dataset and Benchmarks for Accelerated MRI, 2018",
        config=UNetConfig,
        build=PlainUNet,
        presets={"paper": UNetConfig(), "small": UNetConfig(filters=8, pools=3)},
        trainable=True,
        macs_shape="1x10x144x512",
        macs_counting="Convolutions without their bias for one frame; the papers give no figure.",
        notes=(
            "One pass over the zero-filled image, without data consistency: what was measured may change.",
            "fastMRI's baseline with real and imaginary part as channels; papers that compare with a U-Net do not describe theirs.",
        ),
    ),
)
