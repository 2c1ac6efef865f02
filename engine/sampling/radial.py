"""Pseudo-radial sampling: spokes rounded to the Cartesian grid, so that the readout is undersampled as well."""

from __future__ import annotations

import math

import numpy as np

from engine.core.axes import KX, KY
from engine.core.records.options import Option
from engine.core.types import Bool
from engine.sampling import draw
from engine.sampling.acs import centre_square
from engine.sampling.contract import MASKS, MaskSpec
from engine.sampling.spokes import draw_spoke

GOLDEN_DEGREES = 137.5
"""The golden angle as CMRxRecon rounds it."""


def _add_square(grid: Bool, acs: int) -> None:
    """Set the centred ACS square of bool (frame, ky, kx) in place."""
    grid[:, *centre_square(grid.shape[KY], grid.shape[KX], acs)] = True


def kt_radial(
    frames: int,
    ky: int,
    kx: int,
    acceleration: float,
    acs: int,
    rng: np.random.Generator,
    angle: float = GOLDEN_DEGREES,
    spokes: int = 0,
) -> Bool:
    """Return bool (frames, ky, kx): the k-t radial sampling of CMRxRecon 2024 and 2025, with an ACS square.

    floor(180 / (0.6 R)) spokes per frame, evenly spread over 180 degrees, turned by ``angle`` from frame to frame; directions are
    in index units and a spoke is as long as the longer axis. *Budget*: the challenge's rule does not look at the matrix, so
    nominal R is a name: at ky 204, kx 448, ACS 20 the effective R is 4.5, 8.8 and 25.2 for R = 4, 8 and 24; on a smaller matrix it
    is lower; ``spokes`` above 0 sets their number instead. The ACS is not counted. No randomness.

    *Deviation*: the challenge turns a picture of a line by nearest neighbours; here each spoke is drawn without gaps.
    """
    del rng
    count = spokes or max(1, math.floor(round(180 / (0.6 * acceleration), 9)))
    grid = np.zeros((frames, ky, kx), dtype=bool)
    half = max(ky, kx) / 2
    for frame in range(frames):
        for spoke in range(count):
            draw_spoke(grid[frame], angle * frame + spoke * 180 / count, half, half)
    _add_square(grid, acs)
    return grid


def pseudo_radial(frames: int, ky: int, kx: int, acceleration: float, acs: int, rng: np.random.Generator, lines: int = 16) -> Bool:
    """Return bool (frames, ky, kx): ``lines`` diameters per frame, evenly spread, each frame turned by a random angle.

    A diameter ends on the ellipse inscribed in the matrix. *Budget*: ``lines`` says it all; R and ACS are not used (the centre is
    dense by itself). This is the sampling of the single-coil experiments with 16 and 30 lines.
    """
    del acceleration, acs
    grid = np.zeros((frames, ky, kx), dtype=bool)
    turns = draw.units(rng, frames)
    for frame in range(frames):
        for line in range(lines):
            draw_spoke(grid[frame], (line + float(turns[frame])) * 180 / lines, ky / 2, kx / 2, ky, kx)
    return grid


def _wheel(ky: int, kx: int, count: int, start: float) -> Bool:
    grid = np.zeros((ky, kx), dtype=bool)
    reach = float(ky + kx)
    for spoke in range(count):
        draw_spoke(grid, start + spoke * 180 / count, reach, reach, ky, kx)
    return grid


def radial2d(
    frames: int, ky: int, kx: int, acceleration: float, acs: int, rng: np.random.Generator, angle: float = 111.246
) -> Bool:
    """Return bool (frames, ky, kx): evenly spread spokes from border to border, as many as come nearest to R, and an ACS square.

    Per frame, the wheel is turned by ``angle``. *Budget*: the spokes alone (first frame, before the ACS square) come as near to
    1 / R of k-space as a whole number of spokes can; the ACS square is not counted. No randomness.
    """
    del rng
    target = ky * kx / acceleration
    # No spoke holds more samples than the longer axis, so fewer spokes than this cannot do.
    low = high = max(1, math.floor(target / max(ky, kx)))
    # So many reach every sample, or nearly.
    most = 2 * (ky + kx)
    while high < most and np.count_nonzero(_wheel(ky, kx, high, 0.0)) < target:
        low, high = high + 1, min(2 * high, most)
    while low < high:
        middle = (low + high) // 2
        if np.count_nonzero(_wheel(ky, kx, middle, 0.0)) < target:
            low = middle + 1
        else:
            high = middle
    fewer = max(low - 1, 1)
    count = min((fewer, low), key=lambda n: abs(np.count_nonzero(_wheel(ky, kx, n, 0.0)) - target))
    grid = np.stack([_wheel(ky, kx, count, angle * frame) for frame in range(frames)])
    _add_square(grid, acs)
    return grid


MASKS.register(
    "kt_radial",
    MaskSpec(
        name="kt_radial",
        title="k-t radial",
        description="Spokes on the Cartesian grid, turned by the golden angle from frame to frame, and a full central square.",
        build=kt_radial,
        per_frame=True,
        cartesian_1d=False,
        uses_seed=False,
        options=(
            Option("angle", GOLDEN_DEGREES, "degrees by which the spokes turn from frame to frame", 0.0, 360.0),
            Option("spokes", 0, "spokes per frame; 0 is the challenge's 180 / (0.6 R)", 0, 1000),
        ),
        source="CMRxRecon challenge 2024 and 2025, ktRadial; Wang et al., Radiol Artif Intell 2025;7:e240443",
    ),
)

MASKS.register(
    "pseudo_radial",
    MaskSpec(
        name="pseudo_radial",
        title="Pseudo-radial",
        description="A given number of diameters on the Cartesian grid, turned by a random angle in each frame.",
        build=pseudo_radial,
        per_frame=True,
        cartesian_1d=False,
        uses_acceleration=False,
        uses_acs=False,
        options=(Option("lines", 16, "diameters per frame (16 and 30 in the paper)", 1, 1000),),
        source="JotlasNet, section 4.2; Lingala et al., IEEE Trans Med Imaging 2011;30:1042",
    ),
)

MASKS.register(
    "radial2d",
    MaskSpec(
        name="radial2d",
        title="Radial 2D",
        description="Evenly spread spokes through all of k-space, as many as R allows, and a full central square.",
        build=radial2d,
        cartesian_1d=False,
        uses_seed=False,
        options=(Option("angle", 111.246, "degrees by which the spokes turn from frame to frame", 0.0, 360.0),),
        source="IMA, experiments; Winkelmann et al., IEEE Trans Med Imaging 2007;26:68",
    ),
)
