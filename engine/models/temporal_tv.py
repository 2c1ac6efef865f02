"""Total variation along frames: what does not move is drawn once, what moves does so in few steps."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts.proximal import check_settings, solve


@dataclass(frozen=True, slots=True)
class TemporalTVConfig:
    """Settings of :class:`TemporalTV`."""

    weight: float = field(
        default=0.002, metadata={"help": "weight of the variation, relative to the 99th percentile of the zero-filled image"}
    )
    noise_weight: float = field(default=0.1, metadata={"help": "further weight, relative to the noise found in the rim of k-space"})
    iterations: int = field(default=25, metadata={"help": "iterations"})

    def __post_init__(self) -> None:
        check_settings("temporal_tv", self.weight, self.noise_weight, self.iterations)


class TemporalTV:
    """``min_x 1/2 ||A x - k||^2 + t sum_f ||x_(f+1) - x_f||_1``.

    Solved by proximal gradient steps with optimised momentum from the average of all frames. The proximal step of the variation is
    a projection in the dual, which begins where the one before ended and so needs a few steps only. The series is not taken as
    circular, so that mapping series are served too.

    Source: Adluru et al., J. Magn. Reson. Imaging 29 (2009), 466 (temporal total variation in cardiac MRI); Feng et al., MRM 70
    (2013), 64 (in cine); the dual projection: Chambolle, J. Math. Imaging Vis. 20 (2004), 89.
    """

    def __init__(self, config: TemporalTVConfig) -> None:
        self.config = config

    @torch.no_grad()
    def __call__(self, data: ReconInput) -> Tensor:
        """Return the image, complex64 (batch, frame, y, x)."""
        config = self.config
        return solve("temporal TV", data, _Variation(), config.weight, config.noise_weight, config.iterations)


DUAL_STEPS = 3


class _Variation:
    """The proximal step of ``t sum_f |x_(f+1) - x_f|`` on columns (batch, x, y, frame), with the dual variable of the last one."""

    def __init__(self) -> None:
        self._dual: Tensor | None = None

    def __call__(self, columns: Tensor, threshold: Tensor, iteration: int) -> Tensor:
        """Return the image nearest to ``columns`` whose variation is weighted by ``threshold`` (batch, 1, 1, 1)."""
        del iteration
        if columns.shape[-1] < 2:
            return columns
        if self._dual is None:
            self._dual = torch.zeros_like(columns[..., 1:])
        dual = self._dual
        image = _minus_adjoint(columns, dual)
        for _ in range(DUAL_STEPS):
            dual.add_(image[..., 1:] - image[..., :-1], alpha=0.25)  # 1 / ||D||^2
            _clip(dual, threshold)
            image = _minus_adjoint(columns, dual)
        return image


def _minus_adjoint(columns: Tensor, dual: Tensor) -> Tensor:
    """Return ``columns - D^H dual`` with ``(D x)_f = x_(f+1) - x_f``."""
    image = columns.clone()
    image[..., :-1].add_(dual)
    image[..., 1:].sub_(dual)
    return image


def _clip(values: Tensor, limit: Tensor) -> None:
    """Lower magnitudes of complex values to ``limit``, in place."""
    energy = values.real.square()
    energy.addcmul_(values.imag, values.imag)
    values.mul_(energy.clamp_(min=torch.finfo(energy.dtype).tiny).rsqrt_().mul_(limit).clamp_(max=1.0))


MODELS.register(
    "temporal_tv",
    ModelSpec(
        name="temporal_tv",
        title="Temporal TV",
        paper="Adluru et al., JMRI 2009;29:466; Feng et al., MRM 2013;70:64",
        config=TemporalTVConfig,
        build=TemporalTV,
        map_sets=2,
        presets={"default": TemporalTVConfig()},
        notes=("Made for masks that differ from frame to frame.",),
    ),
)
