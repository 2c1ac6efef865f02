"""Samples drawn at random from a density: the rule, and the patterns whose density lies over ky."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError
from engine.core.records.options import Option
from engine.core.types import Bool
from engine.sampling import draw
from engine.sampling.acs import budget, centre_lines
from engine.sampling.contract import MASKS, MaskSpec


def _distance(ky: int) -> NDArray[np.float64]:
    """Return each line's distance from the zero frequency in units of half the axis, 0 .. 1."""
    return np.abs(np.arange(ky) - ky // 2) / max(ky // 2, 1)


def kt_density(ky: int, alpha: float) -> NDArray[np.float64]:
    """Return the density of the k-t patterns over ky: 0.1 + alpha / (1 - alpha) exp(-(p / (ky / 5))^2), p from the centre."""
    p = np.arange(ky) - ky // 2
    return np.asarray(0.1 + alpha / (1 - alpha) * np.exp(-((p / (ky / 5)) ** 2)))


def drawn(frames: int, density: NDArray[np.float64], acs: tuple[slice, ...], acceleration: float, rng: np.random.Generator) -> Bool:
    """Return bool (frames, ky, kx or 1): each frame draws its own samples from ``density`` outside the ACS; the ACS is added.

    ``density`` is (ky, kx or 1) with peak 1; ``acs`` are the indices of the fully measured centre along its axes. *Budget*:
    exactly round((samples - ACS samples) / R) samples outside the ACS.

    Raises
    ------
    InputError
        R is so low that the budget reaches beyond the samples whose density is above 0.
    """
    weights = draw.quantised(density)
    weights[acs] = 0
    count = budget(density.size, density[acs].size, acceleration)
    possible = int(np.count_nonzero(weights))
    if count > possible:
        raise InputError(
            f"R = {acceleration:g} needs {count} samples (expected at most {possible}, those of a density above 0)",
            "Choose a higher R, or a floor above 0.",
        )
    grid = np.zeros((frames, *density.shape), dtype=bool)
    for frame in grid:
        frame.flat[draw.weighted(rng, weights.ravel(), count)] = True
    grid[:, *acs] = True
    return grid


def _lines(frames: int, density: NDArray[np.float64], acceleration: float, acs: int, rng: np.random.Generator) -> Bool:
    return drawn(frames, density[:, None], (centre_lines(density.size, acs),), acceleration, rng)


def random(frames: int, ky: int, kx: int, acceleration: float, acs: int, rng: np.random.Generator) -> Bool:
    """Return bool (frames, ky, 1): lines drawn with equal chances, and the ACS.

    *Budget*: exactly round((ky - acs) / R) lines outside the ACS, which is not counted.
    """
    del kx
    return _lines(frames, np.ones(ky), acceleration, acs, rng)


def gaussian(
    frames: int,
    ky: int,
    kx: int,
    acceleration: float,
    acs: int,
    rng: np.random.Generator,
    sigma: float = 1 / 6,
    floor: float = 0.02,
) -> Bool:
    """Return bool (frames, ky, 1): lines drawn from a Gaussian over ky with standard deviation ``sigma`` * ky, and the ACS.

    ``floor`` is added to the density (peak 1) so that the outermost lines are drawn as well. *Budget*: exactly
    round((ky - acs) / R) lines outside the ACS, which is not counted.
    """
    del kx
    z = (np.arange(ky) - ky // 2) / (sigma * ky)
    return _lines(frames, (np.exp(-0.5 * z * z) + floor) / (1 + floor), acceleration, acs, rng)


def variable_density(
    frames: int, ky: int, kx: int, acceleration: float, acs: int, rng: np.random.Generator, power: float = 3.0, floor: float = 0.02
) -> Bool:
    """Return bool (frames, ky, 1): lines drawn from the density (1 - |ky| / ky_max)^power, and the ACS.

    ``floor`` is added to the density (peak 1) so that the outermost lines are drawn as well. *Budget*: exactly
    round((ky - acs) / R) lines outside the ACS, which is not counted.
    """
    del kx
    return _lines(frames, ((1 - _distance(ky)) ** power + floor) / (1 + floor), acceleration, acs, rng)


def kt_gaussian(frames: int, ky: int, kx: int, acceleration: float, acs: int, rng: np.random.Generator, alpha: float = 0.2) -> Bool:
    """Return bool (frames, ky, 1): the k-t Gaussian sampling of CMRxRecon 2024 and 2025, and the ACS.

    Each frame draws round(ky / R) times, centre included, from :func:`kt_density`; a line drawn again goes to the nearest free
    one. *Budget*: exactly round(ky / R) lines before the ACS is added, which is not counted.

    *Deviation*: same rule, other random numbers than the challenge's MATLAB generator.
    """
    del kx
    density = kt_density(ky, alpha)
    bounds = np.cumsum(draw.quantised(density / density.max()))
    count = max(int(ky / acceleration + 0.5), 1)
    lines = np.zeros((frames, ky, 1), dtype=bool)
    for frame in range(frames):
        targets = [draw.below(rng, int(bounds[-1])) for _ in range(count)]
        drawn, times = np.unique(np.searchsorted(bounds, targets, side="right"), return_counts=True)
        lines[frame, drawn] = True
        for line in np.repeat(drawn, times - 1):
            vacant = np.flatnonzero(~lines[frame, :, 0])
            lines[frame, vacant[np.argmin(np.abs(vacant - line))]] = True
    lines[:, centre_lines(ky, acs)] = True
    return lines


_FLOOR = Option("floor", 0.02, "share of the peak density that every line has at least", 0.0, 1.0)

MASKS.register(
    "random",
    MaskSpec(
        name="random",
        title="Random",
        description="Lines drawn with equal chances outside the full centre.",
        build=random,
        source="Lustig et al., Magn Reson Med 2007;58:1182",
    ),
)

MASKS.register(
    "gaussian",
    MaskSpec(
        name="gaussian",
        title="Gaussian",
        description="Lines drawn from a Gaussian density around the full centre.",
        build=gaussian,
        options=(Option("sigma", 1 / 6, "standard deviation of the density as a share of ky", 0.02, 2.0), _FLOOR),
        source="Schlemper et al., IEEE Trans Med Imaging 2018;37:491",
    ),
)

MASKS.register(
    "variable_density",
    MaskSpec(
        name="variable_density",
        title="Variable density",
        description="Lines drawn from a density that falls as a power of the distance from the centre.",
        build=variable_density,
        options=(Option("power", 3.0, "power of the density (1 - |ky|)^power; 0 is uniform", 0.0, 20.0), _FLOOR),
        source="Lustig et al., Magn Reson Med 2007;58:1182",
    ),
)

MASKS.register(
    "kt_gaussian",
    MaskSpec(
        name="kt_gaussian",
        title="k-t Gaussian",
        description="Lines drawn anew for each frame from a Gaussian density, and the full centre.",
        build=kt_gaussian,
        per_frame=True,
        options=(Option("alpha", 0.2, "how much the density prefers the centre; 0 is uniform", 0.0, 0.99),),
        source="CMRxRecon challenge 2024 and 2025, ktGaussian; Wang et al., Radiol Artif Intell 2025;7:e240443",
    ),
)
