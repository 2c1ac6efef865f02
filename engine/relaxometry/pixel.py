"""The fit of one pixel: its samples with the sign that was recovered, its curve, and the intervals of its parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError
from engine.core.maps import MapSet, PixelFit, Reason
from engine.core.records.values import number, tabled
from engine.relaxometry.contract import MODELS, SignalModel
from engine.relaxometry.reading import samples_of, unit
from engine.relaxometry.signal import amplitudes, parameters
from engine.relaxometry.solve import solve
from engine.relaxometry.uncertainty import degrees_of_freedom, half_width, variances

CURVE_POINTS = 200
BEYOND = 1.1  # the curve ends this many times the last time

Fitted = dict[str, tuple[float, float, float, str]]


@dataclass(slots=True, eq=False)
class _Curve:
    """Samples with sign, and the signal ``c0 + c1 exp(-t / tau)`` through them."""

    samples: NDArray[np.float64]
    c0: float
    c1: float
    tau: float
    fitted: Fitted


def fit_pixel(maps: MapSet, slice_index: int, y: int, x: int) -> PixelFit:
    """Return samples, curve and parameters of one pixel, fitted anew in the way the maps were.

    The intervals of the parameters are those of the Jacobian (:mod:`engine.relaxometry.uncertainty`) with Student's t for the
    degrees of freedom; their ends are NaN where there are none, and for a network, whose curve is that of its maps.

    Raises
    ------
    InputError
        There is no such pixel.
    """
    slices, _, ny, nx = maps.images.shape
    if not (0 <= slice_index < slices and 0 <= y < ny and 0 <= x < nx):
        raise InputError(
            f"there is no pixel slice {slice_index}, y {y}, x {x} (expected below {slices}, {ny}, {nx})", "Click inside the map."
        )
    model = MODELS.get(maps.model)
    times = np.asarray(maps.times_ms[slice_index], np.float64)
    samples = np.asarray(maps.images[slice_index, :, y, x])
    reason = Reason(int(maps.reason[slice_index, y, x]))
    if reason == Reason.NOT_FINITE or (model.network is not None and reason != Reason.VALID):
        return _without_curve(times, np.abs(samples), reason)
    settings = tabled(maps.provenance.get("fit", {}))
    if model.network is not None:
        values = {name: float(one.values[slice_index, y, x]) for name, one in maps.maps.items()}
        curve = _of_network(model, times, np.abs(samples), values)
    else:
        mode = str(settings.get("signed", "magnitude"))
        curve = _fitted(model, times, samples, mode, number(settings.get("efficiency", 1.0)))
    if reason not in (Reason.VALID, Reason.UNSURE):
        curve.fitted = {}
    return _drawn(times, curve, float(maps.r2[slice_index, y, x]), reason)


def _fitted(model: SignalModel, times: NDArray[np.float64], samples: NDArray[Any], mode: str, efficiency: float) -> _Curve:
    order = np.argsort(times, kind="stable")
    ready = samples_of(samples[order, None], mode, np.zeros(1, np.uint8))
    found = solve(ready, times[order], model, mode, "cpu")
    signed = np.empty(len(times))
    signed[order] = np.real(ready[:, 0] * np.exp(-1j * found.phase[0])) if mode == "complex" else ready[:, 0]
    if mode == "magnitude":
        signed[order[: int(found.polarity[0])]] *= -1.0
    c0, c1, tau = (float(v[0]) for v in (found.c0, found.c1, found.tau))
    free = degrees_of_freedom(model, len(times), mode)
    noise = float(found.rss[0]) / free if free > 0 else math.nan
    width = half_width(free)
    with np.errstate(all="ignore"):
        spread = variances(model, found.c0, found.c1, found.tau, found.cov, efficiency)
        values = parameters(model, found.c0, found.c1, found.tau, efficiency)
    fitted = {}
    for name, value in values.items():
        half = width * math.sqrt(max(float(spread[name][0]) * noise, 0.0)) if free > 0 else math.nan
        fitted[name] = (float(value[0]), float(value[0]) - half, float(value[0]) + half, unit(name))
    return _Curve(signed, c0, c1, tau, fitted)


def _of_network(model: SignalModel, times: NDArray[np.float64], samples: NDArray[Any], values: Mapping[str, float]) -> _Curve:
    c0, c1, tau = amplitudes(model, values)
    sign = np.where(c0 + c1 * np.exp(-times / tau) < 0, -1.0, 1.0)
    fitted = {name: (value, math.nan, math.nan, unit(name)) for name, value in values.items()}
    return _Curve(sign * samples, c0, c1, tau, fitted)


def _drawn(times: NDArray[np.float64], curve: _Curve, r2: float, reason: Reason) -> PixelFit:
    fine = np.linspace(0.0, BEYOND * times.max(), CURVE_POINTS)
    return PixelFit(
        times_ms=times.astype(np.float32),
        samples=curve.samples.astype(np.float32),
        curve_times_ms=fine.astype(np.float32),
        curve=(curve.c0 + curve.c1 * np.exp(-fine / curve.tau)).astype(np.float32),
        residuals=(curve.samples - curve.c0 - curve.c1 * np.exp(-times / curve.tau)).astype(np.float32),
        parameters=curve.fitted,
        r2=r2,
        reason=reason,
    )


def _without_curve(times: NDArray[np.float64], samples: NDArray[Any], reason: Reason) -> PixelFit:
    nothing = np.zeros(0, np.float32)
    return PixelFit(
        times_ms=times.astype(np.float32),
        samples=samples.astype(np.float32),
        curve_times_ms=nothing,
        curve=nothing,
        residuals=np.zeros(len(times), np.float32),
        parameters={},
        r2=0.0,
        reason=reason,
    )
