"""Zero-filled reconstruction: the inverse FFT of what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from engine.core.errors import InputError
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.physics.coils import rss
from engine.physics.fourier import ifft2c


@dataclass(frozen=True, slots=True)
class ZeroFilledConfig:
    """Settings of :class:`ZeroFilled`."""

    combine: str = field(default="maps", metadata={"help": "how coils are combined: maps (linear, keeps the phase) or rss"})


class ZeroFilled:
    """``S^H F^-1 k`` with coil maps, or the root sum of squares of the coil images."""

    def __init__(self, config: ZeroFilledConfig) -> None:
        if config.combine not in ("maps", "rss"):
            raise InputError(f"combine is {config.combine!r} (expected maps or rss)", "For example --option combine=rss.")
        self.config = config

    def __call__(self, data: ReconInput) -> Tensor:
        """Return the image, complex64 (batch, frame, y, x)."""
        data.report.step(0, 1, "inverse FFT")
        if self.config.combine == "rss":
            return rss(ifft2c(data.kspace)).to(data.kspace.dtype)
        return data.operator.adjoint(data.kspace)


MODELS.register(
    "zero_filled",
    ModelSpec(
        name="zero_filled",
        title="Zero-filled",
        paper="inverse FFT of the measured samples",
        config=ZeroFilledConfig,
        build=ZeroFilled,
        presets={"default": ZeroFilledConfig()},
        normalise="none",
    ),
)
