"""CG-SENSE."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from engine.models.contract import MODELS, ModelSpec, ReconInput


@dataclass(frozen=True, slots=True)
class CGSenseConfig:
    """Settings of :class:`CGSense`."""

    weight: float = field(default=1e-2, metadata={"help": "Tikhonov weight"})
    iterations: int = field(default=30, metadata={"help": "most CG iterations"})


class CGSense:
    """``(A^H A + w I)^-1 A^H k``."""

    def __init__(self, config: CGSenseConfig) -> None:
        self.config = config

    def __call__(self, data: ReconInput) -> Tensor:
        """Return the image, complex64 (batch, frame, y, x)."""
        data.report.step(0, 1, "SENSE")
        return data.operator.solve(data.operator.adjoint(data.kspace), self.config.weight)


MODELS.register(
    "cg_sense",
    ModelSpec(
        name="cg_sense",
        title="CG-SENSE",
        paper="Pruessmann et al., MRM 2001",
        config=CGSenseConfig,
        build=CGSense,
        presets={"default": CGSenseConfig()},
    ),
)
