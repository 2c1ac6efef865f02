"""All of k-space."""

from __future__ import annotations

import numpy as np

from engine.core.types import Bool
from engine.sampling.contract import MASKS, MaskSpec


def build(frames: int, ky: int, kx: int, acceleration: float, acs: int, rng: np.random.Generator) -> Bool:
    """Return bool (frames, ky, 1), all true: effective acceleration 1."""
    del kx, acceleration, acs, rng
    return np.ones((frames, ky, 1), dtype=bool)


MASKS.register(
    "full",
    MaskSpec(
        name="full",
        title="Full",
        description="Every line is measured: nothing is left to reconstruct.",
        build=build,
        uses_acceleration=False,
        uses_acs=False,
        uses_seed=False,
        source="none needed",
    ),
)
