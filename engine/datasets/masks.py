"""Masks that training draws from: patterns, accelerations and ACS lines mixed, so that one network serves several."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from engine.core.errors import InputError
from engine.core.requests import MaskRequest
from engine.core.types import SamplingMask
from engine.sampling import MASKS, make_mask


@dataclass(frozen=True, slots=True)
class Masks:
    """Patterns to mix, each drawn alike; acceleration and ACS lines are drawn from their ranges."""

    patterns: tuple[str, ...] = field(default=("equispaced", "kt_uniform"), metadata={"help": "Patterns to mix"})
    acceleration: tuple[float, float] = field(default=(4.0, 12.0), metadata={"help": "Lowest and highest nominal R"})
    acs: tuple[int, int] = field(default=(16, 24), metadata={"help": "Fewest and most ACS lines"})

    def __post_init__(self) -> None:
        if not self.patterns:
            raise InputError("no mask pattern to train with (expected at least one)", "Use for example equispaced.")
        for pattern in self.patterns:
            MASKS.get(pattern)
        for name, least in (("acceleration", 1), ("acs", 0)):
            low, high = getattr(self, name)
            if not least <= low <= high < math.inf:
                raise InputError(
                    f"{name} {low:g} to {high:g} is no range (expected {least} or more, low before high)", "Give low and high."
                )

    @property
    def full_readout(self) -> bool:
        """Whether every pattern measures whole readout lines, so that crops along the readout are exact."""
        return all(MASKS.get(pattern).cartesian_1d for pattern in self.patterns)

    def draw(self, shape: tuple[int, int, int], rng: np.random.Generator) -> SamplingMask:
        """Return a mask for (frame, ky, kx); ACS and R are cut to what the matrix can hold."""
        frames, ky, kx = shape
        pattern = self.patterns[int(rng.integers(len(self.patterns)))]
        acceleration = float(rng.uniform(*self.acceleration))
        acs = int(rng.integers(self.acs[0], self.acs[1] + 1))
        if MASKS.get(pattern).cartesian_1d and pattern == "equispaced":
            acceleration = float(round(acceleration))
        request = MaskRequest(pattern, min(acceleration, ky / 4), min(acs, ky // 2, kx), seed=int(rng.integers(1 << 31)))
        return make_mask(request, frames, ky, kx)
