"""Single samples drawn at random from a density over the (ky, kx) plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.core.records.options import Option
from engine.core.types import Bool
from engine.sampling.acs import centre_square
from engine.sampling.contract import MASKS, MaskSpec
from engine.sampling.density import drawn


def radius(ky: int, kx: int) -> NDArray[np.float64]:
    """Return the distance from the zero frequency, (ky, kx), 1 on the ellipse inscribed in the matrix, above 1 in the corners."""
    y = (np.arange(ky) - ky // 2) / max(ky / 2, 1)
    x = (np.arange(kx) - kx // 2) / max(kx / 2, 1)
    return np.asarray(np.sqrt(y[:, None] ** 2 + x[None, :] ** 2))


def build(
    frames: int, ky: int, kx: int, acceleration: float, acs: int, rng: np.random.Generator, power: float = 2.0, floor: float = 0.02
) -> Bool:
    """Return bool (frames, ky, kx): samples drawn from the density (1 - r)^power, and the ACS square.

    r is 0 in the centre and 1 on the inscribed ellipse; ``floor`` is added to the density (peak 1), also in the corners.
    *Budget*: exactly round((ky kx - acs^2) / R) samples outside the ACS square, which is not counted.
    """
    density = (np.maximum(1 - radius(ky, kx), 0) ** power + floor) / (1 + floor)
    return drawn(frames, density, centre_square(ky, kx, acs), acceleration, rng)


MASKS.register(
    "random2d",
    MaskSpec(
        name="random2d",
        title="Random 2D",
        description="Single samples drawn from a density that falls with the distance from the centre, and a full central square.",
        build=build,
        cartesian_1d=False,
        options=(
            Option("power", 2.0, "power of the density (1 - r)^power; 0 is uniform", 0.0, 20.0),
            Option("floor", 0.02, "share of the peak density that every sample has at least", 0.0, 1.0),
        ),
        source="Lustig et al., Magn Reson Med 2007;58:1182",
    ),
)
