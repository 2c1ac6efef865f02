"""Low-rank plus sparse: a background that hardly changes, and dynamics that are few in temporal frequency."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.core.errors import InputError
from engine.models.contract import MODELS, ModelSpec, ReconInput, no_stages
from engine.models.parts.proximal import normal_of_columns
from engine.physics.gram import GramOperator
from engine.physics.svt import relative_threshold
from engine.physics.wavelet import shrink


@dataclass(frozen=True, slots=True)
class LowRankSparseConfig:
    """Settings of :class:`LowRankSparse`."""

    low_rank: float = field(
        default=0.01, metadata={"help": "lambda_L: singular values are lowered by this share of the largest one"}
    )
    sparse: float = field(
        default=0.01,
        metadata={"help": "lambda_S: temporal frequencies are lowered by this share of the largest zero-filled magnitude"},
    )
    iterations: int = field(default=50, metadata={"help": "most iterations"})
    tolerance: float = field(default=0.0025, metadata={"help": "relative change of the image at which iterations stop"})

    def __post_init__(self) -> None:
        if not (0.0 <= self.low_rank < 1.0 and 0.0 <= self.sparse < 1.0):
            raise InputError(
                f"lambda_L and lambda_S must be from 0 to 1 (found {self.low_rank:g} and {self.sparse:g})", "Use about 0.01."
            )
        if self.iterations < 1 or not 0.0 <= self.tolerance < 1.0:
            raise InputError(
                f"at least 1 iteration and a tolerance from 0 to 1 are needed (found {self.iterations} and {self.tolerance:g})",
                "Use iterations=50 and tolerance=0.0025.",
            )


class LowRankSparse:
    """``min_{L,S} 1/2 ||A(L + S) - k||^2 + lambda_L ||L||_* + lambda_S ||T S||_1`` with T the Fourier transform along frames.

    In each iteration L takes the singular-value thresholding of ``M - S`` as a Casorati matrix (pixel, frame), S the soft
    thresholding of the temporal frequencies of ``M - L`` with the L before, and ``M = L + S - A^H (A (L + S) - k)``.
    ``A^H A`` is a product with the Gram matrices where the mask consists of whole lines.

    Source: Otazo, Candes and Sodickson, MRM 73 (2015), 1125, algorithm 1 (table 1). The singular-value threshold is a share of the
    largest singular value of the current matrix and the other one a share of the largest magnitude of ``A^H k``, as in the
    authors' programs.
    """

    def __init__(self, config: LowRankSparseConfig) -> None:
        self.config = config

    @torch.no_grad()
    def __call__(self, data: ReconInput) -> Tensor:
        """Return the image L + S, complex64 (batch, frame, y, x). Its parts are left as stages ``low_rank`` and ``sparse``."""
        config, report = self.config, data.report
        to_image = GramOperator.to_image
        total = config.iterations + 1
        report.step(0, total, "low rank + sparse")
        start = GramOperator.to_columns(data.operator.adjoint(data.kspace))  # (batch, x, y, frame)
        normal = normal_of_columns(data.operator, report)
        sets = len(start) // len(data.kspace)  # images of several sets of coil maps: more pixels of the same matrix
        largest = start.reshape(-1, sets, *start.shape[1:]).abs().amax((1, 2, 3, 4))
        threshold = config.sparse * largest.repeat_interleave(sets)[:, None, None, None]
        m, s = start, torch.zeros_like(start)
        image = low = start
        for iteration in range(config.iterations):
            report.step(1 + iteration, total, "low rank + sparse")
            # Both take the step from the last pair: S from the L before, not from the one just found.
            frequencies = torch.fft.fft(m - low, dim=-1, norm="ortho")
            casorati = (m - s).reshape(-1, sets * m.shape[1] * m.shape[2], m.shape[3])
            low = relative_threshold(casorati, config.low_rank, report.check).reshape(m.shape)
            shrink(frequencies, threshold)
            s = torch.fft.ifft(frequencies, dim=-1, norm="ortho")
            image = low + s
            report.check()
            previous, m = m, image - normal(image).sub_(start)
            if data.stages is not no_stages:
                for part, value in (("image", image), ("low_rank", low), ("sparse", s)):
                    data.stages(iteration, part, to_image(value))
            change = torch.linalg.vector_norm(m - previous, dim=(1, 2, 3))
            if bool((change <= config.tolerance * torch.linalg.vector_norm(previous, dim=(1, 2, 3))).all()):
                break
        return to_image(image)


MODELS.register(
    "low_rank_sparse",
    ModelSpec(
        name="low_rank_sparse",
        title="Low rank + sparse",
        paper="Otazo et al., MRM 2015;73:1125",
        config=LowRankSparseConfig,
        build=LowRankSparse,
        map_sets=2,
        presets={"default": LowRankSparseConfig()},
        notes=(
            "Made for masks that differ from frame to frame; with one mask for all frames it is as good as SENSE and no better.",
        ),
    ),
)
