"""The mapping network M: parameter maps of a relaxation series by a U-Net that learns from the signal model alone.

Source: Y. Zhao, Y. Zhang, Q. Tao, "Relaxometry Guided Quantitative Cardiac Magnetic Resonance Image Reconstruction", STACOM 2023,
section 2.2, eqs. (10) to (12), and section 3.2 (256 filters, 1 pool).

The input channels are the times in seconds, each as a constant image, and the magnitude images. With the softplus of the output
channels and k = 1 + softplus, the signals are

``T1: |A - B exp(-t / T1*)| = |A (1 - k exp(-t / T1*))|`` with ``B = k A``, and ``T1 = (B / A - 1) T1* = (k - 1) T1*``,
``T2: A exp(-t / T2)``.

*Deviation*: T1* and T2 are held at 1 microsecond or above, where the gradient of the signal is still a number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import InputError, ShapeError
from engine.models.contract import ModelSpec
from engine.models.parts.unet import UNet2d, start_kaiming

QUANTITIES = ("T1", "T2")
SHORTEST_S = 1e-6


@dataclass(frozen=True, slots=True)
class MappingConfig:
    """Sizes of the network."""

    quantity: str = field(default="T1", metadata={"help": "What is mapped: T1 (A, k, T1*) or T2 (A, T2)", "choices": QUANTITIES})
    samples: int = field(default=9, metadata={"help": "Number of times and images: 9 for MOLLI, 3 for T2 preparation"})
    filters: int = field(default=256, metadata={"help": "First-level channels of the U-Net", "range": (1, 512)})
    pools: int = field(default=1, metadata={"help": "Poolings of the U-Net", "range": (0, 4)})

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise InputError(f"a mapping network maps T1 or T2 (found {self.quantity!r})", "Choose T1 for MOLLI, T2 for T2prep.")
        if min(self.samples, self.filters) < 1 or self.pools < 0:
            raise InputError(
                f"sizes of the mapping network are out of range (expected at least 1 sample and filter, 0 pools / found "
                f"{self.samples}, {self.filters}, {self.pools})",
                "The paper's network has 256 filters and 1 pool.",
            )


PRESETS = {
    "paper": MappingConfig(),
    "t2": MappingConfig(quantity="T2", samples=3),
    "small": MappingConfig(filters=32),
    "small-t2": MappingConfig(quantity="T2", samples=3, filters=32),
}


class MappingNetwork(nn.Module):
    """Parameter maps (A, k, T1*) or (A, T2) of magnitude images, any matrix size. Amplitudes are in units of the images.

    The amplitude depends on the scale of the images, so they must be scaled as those of its training were.
    """

    def __init__(self, config: MappingConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = UNet2d(2 * config.samples, 3 if config.quantity == "T1" else 2, config.filters, config.pools)
        start_kaiming(self)

    def forward(self, times_s: Tensor, magnitudes: Tensor, check: Callable[[], None] | None = None) -> Tensor:
        """Return the maps, real (batch, 3 or 2, y, x), times in seconds.

        Parameters
        ----------
        times_s
            Inversion times or durations of the preparation in seconds, (frame,) or (batch, frame).
        magnitudes
            Real (batch, frame, y, x).
        check
            Called before each layer; raises to stop.

        Raises
        ------
        ShapeError
            When there are not as many times and images as the network was built for.
        """
        samples = self.config.samples
        if magnitudes.ndim != 4 or magnitudes.shape[1] != samples or times_s.shape[-1] != samples:
            raise ShapeError(
                f"the mapping network was built for another number of images (expected (batch, {samples}, y, x) and {samples} "
                f"times / found {tuple(magnitudes.shape)} and {tuple(times_s.shape)})",
                "Choose weights for this number of images.",
            )
        planes = _column(times_s).to(magnitudes.dtype).expand_as(magnitudes)
        raw = self.unet(torch.cat((planes, magnitudes), dim=1), check)
        positive = functional.softplus(raw.float() if raw.dtype in (torch.float16, torch.bfloat16) else raw)
        if self.config.quantity == "T1":
            amplitude, k, time = positive.unbind(1)
            return torch.stack((amplitude, k + 1, time.clamp_min(SHORTEST_S)), dim=1)
        amplitude, time = positive.unbind(1)
        return torch.stack((amplitude, time.clamp_min(SHORTEST_S)), dim=1)

    def signal(self, maps: Tensor, times_s: Tensor) -> Tensor:
        """Return the magnitudes (batch, frame, y, x) that maps (batch, 3 or 2, y, x) give at times (frame,) or (batch, frame)."""
        if self.config.quantity == "T1":
            amplitude, k, time = maps[:, 0:1], maps[:, 1:2], maps[:, 2:3]
            return (amplitude * (1 - k * torch.exp(-_column(times_s) / time))).abs()
        return maps[:, 0:1] * torch.exp(-_column(times_s) / maps[:, 1:2])

    def relaxation_time(self, maps: Tensor) -> Tensor:
        """Return T1 or T2 in seconds, (batch, y, x), of maps (batch, 3 or 2, y, x)."""
        return (maps[:, 1] - 1) * maps[:, 2] if self.config.quantity == "T1" else maps[:, 1]


def _column(times_s: Tensor) -> Tensor:
    """Return times as (batch or 1, frame, 1, 1)."""
    return times_s.reshape(-1, times_s.shape[-1], 1, 1)


# Not a method: it makes maps of images, not images of k-space. Its weights are kept, imported and described like theirs.
MAPPING = ModelSpec(
    name="mapping_network",
    title="Mapping network",
    paper="Zhao, Zhang, Tao: Relaxometry Guided Quantitative Cardiac Magnetic Resonance Image Reconstruction, STACOM 2023",
    config=MappingConfig,
    build=MappingNetwork,
    presets=PRESETS,
    kinds=("molli", "t2prep"),
    trainable=True,
    frames=lambda config: int(config.samples),
    normalise="kspace_p99_all",
    notes=("Amplitudes depend on the scale of the images: scale them as those of its training were.",),
)
