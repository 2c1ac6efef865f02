"""Zero-filled reconstruction: the inverse FFT of what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.core.errors import InputError
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.physics.coils import rss
from engine.physics.fourier import ifft2c
from engine.physics.soft_sense import at_full_strength


@dataclass(frozen=True, slots=True)
class ZeroFilledConfig:
    """Settings of :class:`ZeroFilled`."""

    combine: str = field(default="maps", metadata={"help": "how coils are combined: maps (linear, keeps the phase) or rss"})

    def __post_init__(self) -> None:
        if self.combine not in ("maps", "rss"):
            raise InputError(f"combine is {self.combine!r} (expected maps or rss)", "For example --option combine=rss.")


class ZeroFilled:
    """``S^H F^-1 k`` with coil maps, or the root sum of squares of the coil images (real, not negative)."""

    def __init__(self, config: ZeroFilledConfig) -> None:
        self.config = config

    @torch.no_grad()
    def __call__(self, data: ReconInput) -> Tensor:
        """Return the image, complex64 (batch, frame, y, x)."""
        if self.config.combine == "maps":
            data.report.step(0, 1, "inverse FFT")
            image = data.operator.adjoint(data.kspace)
            return image if len(image) == len(data.kspace) else at_full_strength(image, data.operator.maps)
        frames = data.kspace.shape[1]
        images = []
        for frame in range(frames):  # one by one: the coil images of a long series need not fit into memory together
            data.report.step(frame, frames, "inverse FFT")
            images.append(rss(ifft2c(data.kspace[:, frame])))
        return torch.stack(images, dim=1).to(data.kspace.dtype)


MODELS.register(
    "zero_filled",
    ModelSpec(
        name="zero_filled",
        title="Zero-filled",
        paper="inverse FFT of the measured samples",
        config=ZeroFilledConfig,
        build=ZeroFilled,
        map_sets=2,
        presets={"default": ZeroFilledConfig()},
        normalise="none",
    ),
)
