"""Locally low rank: in a small block of pixels a few courses over time explain everything."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from engine.core.errors import InputError
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts.proximal import check_settings, solve
from engine.physics.eigen import eigh


@dataclass(frozen=True, slots=True)
class LocallyLowRankConfig:
    """Settings of :class:`LocallyLowRank`."""

    weight: float = field(
        default=0.01,
        metadata={"help": "singular values are lowered by this share of the zero-filled image's 99th percentile"},
    )
    noise_weight: float = field(default=0.5, metadata={"help": "further weight, relative to the noise found in the rim of k-space"})
    block: int = field(default=8, metadata={"help": "side of a block in pixels"})
    iterations: int = field(default=25, metadata={"help": "iterations"})
    seed: int = field(default=0, metadata={"help": "seed of the random shifts of the blocks"})

    def __post_init__(self) -> None:
        check_settings("locally_low_rank", self.weight, self.noise_weight, self.iterations)
        if self.block < 2:
            raise InputError(f"a block of {self.block} pixels cannot be used (expected 2 or more)", "Use 8.")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"the seed must be a whole number from 0 to 2^63 - 1 (found {self.seed})", "Use 0.")


class LocallyLowRank:
    """``min_x 1/2 ||A x - k||^2 + t sum_b ||R_b x||_*`` with R_b x the matrix (pixel, frame) of a block of pixels.

    Solved by proximal gradient steps with optimised momentum from the average of all frames; the blocks are shifted at random in
    each of them, so that no grid shows.

    Source: Trzasko and Manduca, ISMRM 19 (2011), 4371; Zhang, Pauly and Levesque, MRM 73 (2015), 655.

    *Deviation*: with new shifts in each iteration there is no single objective; the limit is that of the shift-averaged prior.
    """

    def __init__(self, config: LocallyLowRankConfig) -> None:
        self.config = config

    @torch.no_grad()
    def __call__(self, data: ReconInput) -> Tensor:
        """Return the image, complex64 (batch, frame, y, x)."""
        config = self.config
        prior = _Blocks(config.block, config.seed)
        return solve("locally low rank", data, prior, config.weight, config.noise_weight, config.iterations)


class _Blocks:
    """Singular-value thresholding of blocks of columns (batch, x, y, frame), on a grid with a new random shift each time."""

    def __init__(self, side: int, seed: int) -> None:
        self._side = side
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, columns: Tensor, threshold: Tensor, iteration: int) -> Tensor:
        """Return columns whose blocks have singular values lowered by ``threshold`` (batch, 1, 1, 1)."""
        del iteration
        side = self._side
        shift = tuple(int(n) for n in torch.randint(0, side, (2,), generator=self._generator))
        batch, width, height, frames = columns.shape
        # Rows of zeros change no singular value, so that blocks at the rims are simply smaller.
        after = [(-(n + s)) % side for n, s in zip((width, height), shift, strict=True)]
        padded = functional.pad(torch.view_as_real(columns), (0, 0, 0, 0, shift[1], after[1], shift[0], after[0]))
        x, y = padded.shape[1] // side, padded.shape[2] // side
        blocks = torch.view_as_complex(padded).reshape(batch, x, side, y, side, frames).transpose(2, 3)
        matrices = blocks.reshape(batch, x * y, side * side, frames)
        lowered = matrices @ _weights(matrices, threshold.reshape(-1, 1, 1))
        image = lowered.reshape(batch, x, y, side, side, frames).transpose(2, 3).reshape(batch, x * side, y * side, frames)
        return image[:, shift[0] : shift[0] + width, shift[1] : shift[1] + height].contiguous()


def _weights(matrices: Tensor, threshold: Tensor) -> Tensor:
    """Return V f V^H with ``f = max(0, 1 - t / s)`` over the singular values s of matrices (..., pixel, frame)."""
    # A Gram matrix squares the condition number, and small singular values are what is cut: double precision.
    gram = (matrices.mH @ matrices).to(torch.complex128 if matrices.device.type != "mps" else matrices.dtype)
    values, vectors = eigh(gram)
    singular = values.clamp_min(torch.finfo(values.dtype).tiny).sqrt()
    gain = (1.0 - threshold / singular).clamp_min(0.0)
    weights: Tensor = (vectors * gain.unsqueeze(-2)) @ vectors.mH
    return weights.to(matrices.dtype)


MODELS.register(
    "locally_low_rank",
    ModelSpec(
        name="locally_low_rank",
        title="Locally low rank",
        paper="Trzasko and Manduca, ISMRM 2011;4371; Zhang et al., MRM 2015;73:655",
        config=LocallyLowRankConfig,
        build=LocallyLowRank,
        map_sets=2,
        presets={"default": LocallyLowRankConfig()},
        notes=("Made for masks that differ from frame to frame.",),
    ),
)
