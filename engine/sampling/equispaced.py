"""Equally spaced lines with a fully sampled centre: the sampling of CMRxRecon."""

from __future__ import annotations

import numpy as np

from engine.core.records.options import Option
from engine.core.types import Bool
from engine.sampling.acs import centre_lines
from engine.sampling.contract import MASKS, MaskSpec

_MOST = 10_000
"""Largest offset and shift: beyond any matrix."""


def build(
    frames: int, ky: int, kx: int, acceleration: float, acs: int, rng: np.random.Generator, offset: int = 0, shift: int = 1
) -> Bool:
    """Return bool (frames, ky, 1): line index = offset + frame * shift (mod R), plus the centred ACS lines.

    A fractional R takes the lines floor(start + i R). *Budget*: nominal R does not count the ACS, so the effective acceleration
    is lower (CMRxRecon 2023, ky 204, ACS 24: 2.96, 4.34 and 4.86 for R = 4, 8 and 10). No randomness.
    """
    del kx, rng
    lines = np.zeros((frames, ky, 1), dtype=bool)
    for frame in range(frames):
        # 1e-9: a product such as 10 * 1.7 must not fall below its integer by one rounding, nor 11 mod 1.1 stay just below 1.1.
        start = (offset + frame * shift) % acceleration
        start = 0.0 if acceleration - start < 1e-9 else start
        index = np.floor(np.round(start + acceleration * np.arange(int(ky / acceleration) + 1), 9)).astype(np.intp)
        index = index[index < ky]
        # A start beyond the last line happens when R is nearly ky and fractional.
        lines[frame, index if index.size else [ky - 1]] = True
    lines[:, centre_lines(ky, acs)] = True
    return lines


MASKS.register(
    "equispaced",
    MaskSpec(
        name="equispaced",
        title="Equispaced",
        description="Every R-th line and the full centre; the rule of CMRxRecon. Nominal R does not count the centre.",
        build=build,
        uses_seed=False,
        options=(
            Option("offset", 0, "first line, counted modulo R", 0, _MOST),
            Option("shift", 1, "lines by which the pattern moves from frame to frame, when it differs per frame", 0, _MOST),
        ),
        source="CMRxRecon challenge 2023, UniformSampling; Wang et al., Radiol Artif Intell 2025;7:e240443",
    ),
)

MASKS.register(
    "kt_uniform",
    MaskSpec(
        name="kt_uniform",
        title="k-t uniform",
        description="Every R-th line, moved by one line from frame to frame, and the full centre.",
        build=build,
        per_frame=True,
        uses_seed=False,
        options=(
            Option("offset", 0, "first line of the first frame, counted modulo R", 0, _MOST),
            Option("shift", 1, "lines by which the pattern moves from frame to frame", 0, _MOST),
        ),
        source="CMRxRecon challenge 2024, ktUniform; Tsao et al., Magn Reson Med 2003;50:1031",
    ),
)
