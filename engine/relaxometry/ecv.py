"""Extracellular volume from T1 before and after contrast.

``ECV = (1 - Hct) (1 / T1_post - 1 / T1_native) / (1 / T1_blood,post - 1 / T1_blood,native)`` (Messroghli et al., J Cardiovasc Magn
Reson 2017;19:75; the ratio of the changes of R1 is the partition coefficient of Arheden et al., Radiology 1999;211:698).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError, ShapeError
from engine.core.maps import MapSet
from engine.core.records.relaxometry import EcvSummary, Pool, WallEcv
from engine.core.types import ParameterMap, Region

PERCENT = 100.0
FEW_PIXELS = 20


def ecv(
    native: MapSet,
    post: MapSet,
    blood: Region,
    haematocrit: float,
    myocardium: Region | None = None,
    *,
    haematocrit_sd: float = 0.0,
    blood_post: Region | None = None,
    myocardium_post: Region | None = None,
) -> tuple[ParameterMap, EcvSummary]:
    """Return the map of the extracellular volume in percent, and numbers of blood pool and myocardium.

    The T1 of blood is the mean over the valid pixels of its region. Standard deviations are propagated to first order from those
    of both maps, the standard error of the mean of blood (its spread over pixels, taken as independent), and the haematocrit's.

    Parameters
    ----------
    native, post
        T1 maps of the same slices on the same grid, in register: a pixel of one is that of the other.
    blood, myocardium
        Regions (slice, y, x) of the blood pool and, for its summary, of the myocardium.
    haematocrit
        Share of the red cells, between 0 and 1.
    haematocrit_sd
        Its standard deviation, 0 when it is taken as known.
    blood_post, myocardium_post
        Regions on the post-contrast map, where they lie elsewhere than on the native one.

    Returns
    -------
    map, summary
        Map: values and ``sd`` in percent; valid where both T1 are and the value is between 0 and 100. The summary has a myocardium
        where there is a region of it.

    Raises
    ------
    InputError, ShapeError
        The maps are not T1, do not fit each other, the haematocrit is no share, a region has no valid pixel, or contrast does not
        shorten the T1 of blood.
    """
    _check(native, post, haematocrit, haematocrit_sd)
    pools = (_pool(native, blood, "blood", "native"), _pool(post, blood_post or blood, "blood", "post-contrast"))
    (blood_native, _, _), (blood_later, _, _) = pools
    if not blood_later < blood_native:
        raise InputError(
            f"contrast does not shorten the T1 of blood (expected below {blood_native:.4g} ms / found {blood_later:.4g} ms)",
            "Swap the native and the post-contrast map, or draw the blood region again.",
        )
    share = 1.0 - haematocrit
    change = 1.0 / blood_later - 1.0 / blood_native
    change_var = sum((sd / math.sqrt(n) / mean**2) ** 2 for mean, sd, n in pools)
    scale = (share, haematocrit_sd, change, change_var)
    made, outside = _map(native, post, scale)
    notes = [f"the blood region is small ({pools[0][2]} pixels)"] if pools[0][2] < FEW_PIXELS else []
    if native.main.sd is None or post.main.sd is None:
        notes.append("a T1 map has no standard deviation: the noise of single pixels is not in that of the ECV")
    wall = None
    if myocardium is not None:
        walls = (
            _pool(native, myocardium, "myocardium", "native"),
            _pool(post, myocardium_post or myocardium, "myocardium", "post-contrast"),
        )
        wall = WallEcv(_pooled(walls), *_of_means(walls, scale), *_of_map(made, myocardium))
        if walls[0][2] < FEW_PIXELS:
            notes.append(f"the myocardial region is small ({walls[0][2]} pixels)")
    return made, EcvSummary(haematocrit, _pooled(pools), outside, wall, tuple(notes))


Counted = tuple[float, float, int]  # mean, standard deviation, pixels
Scale = tuple[float, float, float, float]  # 1 - Hct, its SD, change of blood's R1, its variance


def _check(native: MapSet, post: MapSet, haematocrit: float, haematocrit_sd: float) -> None:
    for maps in (native, post):
        if maps.main.quantity != "T1":
            raise InputError(f"the ECV needs T1 maps (found {maps.main.quantity})", "Choose T1 maps before and after contrast.")
    if native.valid.shape != post.valid.shape:
        raise ShapeError(
            f"the maps have other sizes (expected {native.valid.shape} / found {post.valid.shape}, axes slice, y, x)",
            "Fit the same slices before and after contrast.",
        )
    if not (math.isfinite(haematocrit) and 0.0 < haematocrit < 1.0):
        raise InputError(
            f"the haematocrit is no share (expected between 0 and 1 / found {haematocrit:g})",
            f"Give {haematocrit / PERCENT:g} for {haematocrit:g} %." if 1.0 <= haematocrit < PERCENT else "Give for example 0.42.",
        )
    if not (math.isfinite(haematocrit_sd) and 0.0 <= haematocrit_sd < 1.0):
        raise InputError(
            f"the standard deviation of the haematocrit cannot be used (expected 0 to below 1 / found {haematocrit_sd:g})",
            "Give for example 0.02.",
        )


def _pool(maps: MapSet, region: Region, what: str, when: str) -> Counted:
    if region.pixels.shape != maps.valid.shape:
        raise ShapeError(
            f"the {what} region does not fit the {when} map (expected {maps.valid.shape} / found {region.pixels.shape})",
            "Draw it on that map.",
        )
    values = maps.main.values[region.pixels & maps.valid].astype(np.float64)
    if values.size == 0:
        raise InputError(
            f"the {what} region has no valid pixel in the {when} map (expected at least 1 of {int(region.pixels.sum())})",
            "Draw it where the map has values.",
        )
    return float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else 0.0, int(values.size)


def _share(change: Any, variance: Any, scale: Scale) -> tuple[Any, Any]:
    """Return the ECV and its standard deviation, in percent, of a change of R1 and its variance."""
    share, share_sd, blood, blood_var = scale
    ratio = change / blood
    spread = np.sqrt(share**2 * (variance + ratio**2 * blood_var) / blood**2 + (ratio * share_sd) ** 2)
    return PERCENT * share * ratio, PERCENT * spread


def _map(native: MapSet, post: MapSet, scale: Scale) -> tuple[ParameterMap, int]:
    known = native.valid & post.valid
    before, after = (np.where(known, m.main.values, 1.0).astype(np.float64) for m in (native, post))
    variance = sum(_variance(m, t) for m, t in ((native, before), (post, after)))
    values, sd = _share(1.0 / after - 1.0 / before, variance, scale)
    valid = known & (values > 0.0) & (values < PERCENT)
    shown = ParameterMap(np.where(valid, values, 0.0), "ECV", "%", valid, sd=np.where(valid, sd, 0.0), geometry=native.geometry)
    return shown, int((known & ~valid).sum())


def _variance(maps: MapSet, t1: NDArray[np.float64]) -> Any:
    """Return the variance of R1 of each pixel, 0 where the map does not know its own."""
    return 0.0 if maps.main.sd is None else (maps.main.sd.astype(np.float64) / t1**2) ** 2


def _of_means(walls: tuple[Counted, Counted], scale: Scale) -> tuple[float, float, float]:
    """Return ECV and its standard deviation of mean T1, and the partition coefficient."""
    (before, _, _), (after, _, _) = walls
    change = 1.0 / after - 1.0 / before
    variance = sum((sd / math.sqrt(n) / mean**2) ** 2 for mean, sd, n in walls)
    value, sd = _share(change, variance, scale)
    return float(value), float(sd), change / scale[2]


def _of_map(made: ParameterMap, region: Region) -> tuple[float, float, int]:
    """Return mean and spread of the map in a region, and its pixels with a value."""
    values = made.values[region.pixels & made.valid].astype(np.float64)
    n = int(values.size)
    mean = float(values.mean()) if n else math.nan
    return mean, float(values.std(ddof=1)) if n > 1 else math.nan, n


def _pooled(pools: tuple[Counted, Counted]) -> Pool:
    return Pool(*pools[0], *pools[1])
