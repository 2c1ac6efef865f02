"""What takes long only the first time is done before somebody waits for it."""

from __future__ import annotations

import numpy as np

from engine.core.jobs import silent
from engine.core.requests import MaskRequest, ReconRequest
from engine.core.types import ArrayReader, KSpaceSeries
from engine.evaluation.score import score
from engine.reconstruction.plan import reconstruct
from engine.sampling import make_mask

SHAPE = (1, 3, 2, 32, 32)


def warm_up() -> None:
    """Reconstruct and score a tiny series: loads torch's linear algebra, and compiles the SSIM kernel on a new machine."""
    rng = np.random.default_rng(0)
    kspace = rng.standard_normal(SHAPE) + 1j * rng.standard_normal(SHAPE)
    series = KSpaceSeries(reader=ArrayReader(kspace))
    mask = make_mask(MaskRequest("equispaced", 2.0, 16), SHAPE[1], SHAPE[-2], SHAPE[-1])
    result = reconstruct(ReconRequest(series, "cg_sense", mask, device="cpu"), silent())
    if result.reference is not None:
        score(result.image, result.reference, ["ssim"])
