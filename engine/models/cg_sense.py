"""SENSE: regularised least squares, solved exactly where the sampling allows it and by conjugate gradients elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.core.errors import InputError
from engine.models.contract import MODELS, ModelSpec, ReconInput


@dataclass(frozen=True, slots=True)
class CGSenseConfig:
    """Settings of :class:`CGSense`."""

    weight: float = field(
        default=0.02, metadata={"help": "Tikhonov weight; the norm of the operator is 1, so it is relative to the data term"}
    )
    iterations: int = field(default=30, metadata={"help": "most conjugate-gradient iterations, where the solve is not direct"})
    tolerance: float = field(default=1e-4, metadata={"help": "relative residual at which conjugate gradients stop"})

    def __post_init__(self) -> None:
        if not 0.0 < self.weight < float("inf"):
            raise InputError(f"the weight must be positive and finite (found {self.weight:g})", "Use about 0.02.")
        if self.iterations < 1 or not 0.0 <= self.tolerance < 1.0:
            raise InputError(
                f"conjugate gradients need at least 1 iteration and a tolerance from 0 to 1 (found {self.iterations} and "
                f"{self.tolerance:g})",
                "Use iterations=30 and tolerance=1e-4.",
            )


class CGSense:
    """``x = (1 + w) (A^H A + w I)^-1 A^H k``: SENSE with Tikhonov regularisation.

    With a mask of whole lines that few sets of frames share, the equations are solved directly by Cholesky factors of the Gram
    matrices; with other masks by conjugate gradients (:meth:`engine.physics.operator.SenseOperator.solve`).

    Source: Pruessmann et al., MRM 46 (2001), 638, eqs. (22) to (26).

    *Deviation*: the factor ``1 + w`` undoes the shrinkage that the penalty causes where the data are complete, so that full
    sampling returns the data exactly.
    """

    def __init__(self, config: CGSenseConfig) -> None:
        self.config = config

    @torch.no_grad()
    def __call__(self, data: ReconInput) -> Tensor:
        """Return the image, complex64 (batch, frame, y, x)."""
        config, report = self.config, data.report
        total = config.iterations + 2
        report.step(0, total, "SENSE")
        rhs = data.operator.adjoint(data.kspace)
        # Matrices are made and factored a few columns at a time; the steps that are counted are iterations.
        direct = data.operator.prepare(report.check) is not None
        done = 1

        def advance() -> None:
            nonlocal done
            report.step(done, total, "SENSE")
            done += 1

        advance()
        check = report.check if direct else advance
        image = data.operator.solve(rhs, config.weight, None, config.iterations, config.tolerance, check)
        report.check()
        return image * (1.0 + config.weight)


MODELS.register(
    "cg_sense",
    ModelSpec(
        name="cg_sense",
        title="CG-SENSE",
        paper="Pruessmann et al., MRM 2001;46:638",
        config=CGSenseConfig,
        build=CGSense,
        map_sets=2,
        presets={"default": CGSenseConfig()},
        notes=("Solved directly, not iteratively, where whole lines are sampled alike in the frames.",),
    ),
)
