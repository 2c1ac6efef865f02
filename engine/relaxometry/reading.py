"""From images to samples, and from what was fitted to maps: which pixels are fitted, what they read, and why others have no value.

Functions take NumPy arrays or torch tensors, whichever the fit is done with; ``xp`` is the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.geometry import UNKNOWN, Geometry
from engine.core.maps import Reason
from engine.core.types import ParameterMap
from engine.relaxometry.contract import SignalModel
from engine.relaxometry.signal import parameters
from engine.relaxometry.solution import Solution
from engine.relaxometry.uncertainty import degrees_of_freedom, variances

PERCENTILE = 99.0
TIME_LIMIT_MS = 10_000.0
FLAT = 1e-12  # share of the energy below which a change of the samples is rounding
QUANTITIES = {"t1_ms": "T1", "t1_star_ms": "T1*", "t2_ms": "T2", "a": "A", "b": "B", "c": "C"}
SD = "sd:"


def unit(name: str) -> str:
    """Return the unit of a parameter by its data-set name; "" for amplitudes, which are in units of the images."""
    return "ms" if name.endswith("_ms") else ""


def screen(images: Any, background: float, xp: ModuleType = np) -> Any:
    """Return why pixels of (..., sample, pixel) are not fitted, uint8 (..., pixel): a sample is not finite, or all are small.

    Small is below ``background`` times the 99th percentile of the largest samples of the slice's pixels.
    """
    peak = abs(images).max(-2) if xp is np else abs(images).amax(-2)
    finite = xp.isfinite(peak)
    if bool(finite.all()):
        limit = np.percentile(peak, PERCENTILE, axis=-1, keepdims=True) if xp is np else _quantile(peak)
    else:
        known = xp.where(finite, peak, xp.nan)
        limit = _nan_percentile(known) if xp is np else _quantile(known)
    empty = finite & ~((peak > 0) & (peak >= background * limit))
    reason = xp.where(empty, int(Reason.BACKGROUND), 0)
    return xp.where(finite, reason, int(Reason.NOT_FINITE))


def _nan_percentile(peak: NDArray[Any]) -> NDArray[Any]:
    """Return the percentile of the finite values of each row, 0 where there are none."""
    rows = peak.reshape(-1, peak.shape[-1])
    found = [np.percentile(row[~np.isnan(row)], PERCENTILE) if not np.isnan(row).all() else 0.0 for row in rows]
    return np.asarray(found, np.float64).reshape(*peak.shape[:-1], 1)


def _quantile(peak: Any) -> Any:
    return peak.nanquantile(PERCENTILE / 100.0, dim=-1, keepdim=True).nan_to_num(nan=0.0)


def samples_of(images: Any, mode: str, reason: Any, xp: ModuleType = np) -> Any:
    """Return the samples (sample, pixel) as the mode wants them, 0 where a pixel has one that is not finite."""
    samples = abs(images) if mode == "magnitude" else images
    bad = reason == int(Reason.NOT_FINITE)
    return xp.where(bad, 0.0 * xp.ones_like(samples), samples) if bool(bad.any()) else samples


def read(
    found: Solution, model: SignalModel, mode: str, samples: int, efficiency: float, reason: Any, xp: ModuleType = np
) -> dict[str, Any]:
    """Return parameters, standard deviations (``sd:NAME``), r2, residual, polarity and reason of each pixel, 0 without a value."""
    with np.errstate(all="ignore"):
        values = parameters(model, found.c0, found.c1, found.tau, efficiency)
        free = degrees_of_freedom(model, samples, mode)
        maps = dict(values)
        if free > 0:
            noise = found.rss / free
            for name, variance in variances(model, found.c0, found.c1, found.tau, found.cov, efficiency).items():
                maps[SD + name] = xp.sqrt(variance * noise)
        maps["r2"] = xp.where(found.spread > 0, 1.0 - found.rss / found.spread, 0.0)
        maps["residual"] = xp.sqrt(found.rss / (samples * (2 if mode == "complex" else 1)))
        main = values[model.parameters[0]]
        why = _reason(found, model, mode, samples, main, reason, xp)
        if free > 0:  # a value that may as well be 0 is none
            why = xp.where((why == 0) & ~(maps[SD + model.parameters[0]] <= main), int(Reason.UNSURE), why)
    valid = why == 0
    out = {name: xp.where(valid, value, 0.0) for name, value in maps.items()}
    return {**out, "polarity": xp.where(valid, found.polarity, 0), "reason": why}


def _reason(found: Solution, model: SignalModel, mode: str, samples: int, main: Any, reason: Any, xp: ModuleType) -> Any:
    bound = found.edge | (main > TIME_LIMIT_MS) | ~(xp.isfinite(main) & xp.isfinite(found.c1) & xp.isfinite(found.rss))
    if model.offset:  # samples that do not change tell no time
        bound = bound | (found.spread <= FLAT * samples * found.c0 * found.c0)
    if mode == "magnitude" and not model.inverts:
        bound = bound | (found.c1 <= 0)
    why = xp.where(bound, int(Reason.BOUND), 0)
    if model.look_locker:
        why = xp.where((main <= 0) & ~found.edge, int(Reason.CORRECTION), why)
    return xp.where(reason == 0, why, reason)


def as_arrays(maps: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    """Return maps as NumPy arrays of ``shape``: polarity and reason uint8, the others float32."""
    found = {}
    for name, values in maps.items():
        plain = values if isinstance(values, np.ndarray) else _on_the_way(values, name).cpu().numpy()
        found[name] = plain.astype(np.uint8 if name in ("polarity", "reason") else np.float32, copy=False).reshape(shape)
    return found


def _on_the_way(values: Any, name: str) -> Any:
    """Return a tensor in the type it is wanted in: half as much has to come from the device."""
    import torch

    return values.to(torch.uint8 if name in ("polarity", "reason") else torch.float32)


def parameter_maps(
    found: Mapping[str, NDArray[Any]], model: SignalModel, valid: NDArray[np.bool_], geometry: Geometry = UNKNOWN
) -> dict[str, ParameterMap]:
    """Return the maps of the model's parameters, the asked one first."""
    return {
        name: ParameterMap(
            values=found[name],
            quantity=QUANTITIES[name],
            unit=unit(name),
            valid=valid,
            sd=found.get(SD + name),
            residual=found["residual"] if name == model.parameters[0] else None,
            geometry=geometry,
        )
        for name in model.parameters
    }
