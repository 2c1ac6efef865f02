"""The layers of a map: which numbers, which colours, between which ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.display.map_state import FitOutput, MapView
from app.display.scene import CACHE
from app.maps.snapshot import MapEntry
from engine.core.maps import MapSet
from engine.core.types import Float

COLORMAPS: Final = {"T1": "lipari", "T2": "navia"}
APPARENT: Final = "t1_star_ms"
SMALLEST: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Scale:
    """The colour scale of all panes of a row.

    Parameters
    ----------
    key
        Under which its range is kept (:attr:`~app.display.map_state.MapView.ranges`).
    colormap, levels, label, unit
        Name of the colours, values at their ends, what they are, in which unit ("" for none).
    automatic
        Whether the range follows the data.
    """

    key: str
    colormap: str
    levels: tuple[float, float]
    label: str
    unit: str
    automatic: bool = True


def quantity(maps: MapSet) -> str:
    """Return what was asked for: "T1" or "T2"."""
    return maps.main.quantity


def has_layer(maps: MapSet, layer: FitOutput) -> bool:
    """Whether a fit has this layer: T1* is of Look-Locker models only, a spread not of every estimator."""
    if layer is FitOutput.APPARENT:
        return APPARENT in maps.maps
    return layer is not FitOutput.SD or maps.main.sd is not None


def values_of(maps: MapSet, layer: FitOutput, at: int) -> Float:
    """Return a layer of one slice (``at`` counts the fitted slices), float32 (y, x), NaN where the fit does not hold."""
    return CACHE.get((maps.reason, maps.main.values), ("map", layer, at), lambda: _values(maps, layer, at))


def _values(maps: MapSet, layer: FitOutput, at: int) -> Float:
    if layer is FitOutput.VALUE:
        source = maps.main.values
    elif layer is FitOutput.SD and maps.main.sd is not None:
        source = maps.main.sd
    elif layer is FitOutput.R2:
        source = maps.r2
    elif layer is FitOutput.APPARENT and APPARENT in maps.maps:
        source = maps.maps[APPARENT].values
    else:
        source = maps.residual
    shown = np.where(maps.valid[at], source[at], np.float32(np.nan)).astype(np.float32, copy=False)
    shown.flags.writeable = False
    return shown


def difference(estimate: MapSet, at: int, reference: MapSet, reference_at: int, layer: FitOutput) -> Float:
    """Return one slice of the difference from the reference's map, float32 (y, x), NaN where either does not hold."""

    def make() -> Float:
        out: Float = values_of(estimate, layer, at) - values_of(reference, layer, reference_at)
        out.flags.writeable = False
        return out

    sources = (estimate.main.values, reference.main.values, estimate.reason, reference.reason)
    return CACHE.get(sources, ("map difference", layer, at, reference_at), make)


def scale_key(maps: MapSet, layer: FitOutput) -> str:
    """Return the name under which a range of a layer is kept."""
    if layer is FitOutput.VALUE:
        return quantity(maps)
    return "T1*" if layer is FitOutput.APPARENT else str(layer)


def scale_of(entries: Sequence[MapEntry], view: MapView) -> Scale:
    """Return the scale of the upper row: the range a person chose, else one that fits the first map."""
    maps = entries[0].maps
    layer, key = view.layer, scale_key(maps, view.layer)
    label, unit, colormap = {
        FitOutput.VALUE: (quantity(maps), "ms", COLORMAPS.get(quantity(maps), "lipari")),
        FitOutput.APPARENT: ("T1*", "ms", "lipari"),
        FitOutput.SD: (f"SD of {quantity(maps)}", "ms", "batlow"),
        FitOutput.R2: ("R²", "", "batlow"),
        FitOutput.RESIDUAL: ("residual (rms)", "", "batlow"),
    }[layer]
    chosen = view.ranges.get(key)
    if chosen is not None:
        return Scale(key, colormap, chosen, label, unit, automatic=False)
    holder = next((entry.maps for entry in entries if has_layer(entry.maps, layer)), maps)
    return Scale(key, colormap, auto_range(holder, layer), label, unit)


def auto_range(maps: MapSet, layer: FitOutput) -> tuple[float, float]:
    """Return a range of round numbers for a layer, the same for all slices, so that it does not move while one steps through."""

    def make() -> tuple[float, float]:
        slices = range(maps.main.values.shape[0])
        values = np.concatenate([_finite(values_of(maps, layer, at)) for at in slices])
        if layer is FitOutput.R2:
            low = float(np.percentile(values, 5)) if values.size else 0.9
            return (min(0.95, max(0.0, math.floor(20 * low + 1e-3) / 20)), 1.0)
        top = float(np.percentile(values, 97 if layer in (FitOutput.VALUE, FitOutput.APPARENT) else 95)) if values.size else 1.0
        return 0.0, round_up(max(top, SMALLEST))

    return CACHE.get((maps.reason, maps.main.values), ("map range", layer), make)


def difference_scale(entries: Sequence[MapEntry], view: MapView) -> Scale | None:
    """Return the scale of the lower row, symmetrical about zero; None when nothing can be compared."""
    reference, others = entries[0], entries[1:]
    name = "T1*" if view.layer is FitOutput.APPARENT else quantity(reference.maps)
    key = f"d{name}"
    chosen = view.ranges.get(key)
    if chosen is not None:
        return Scale(key, "vik", chosen, f"Δ{name} from the reference", "ms", automatic=False)
    tops = []
    for maps in (entry.maps for entry in others if entry.maps.main.values.shape[1:] == reference.maps.main.values.shape[1:]):
        for index in sorted(set(maps.slices) & set(reference.maps.slices)):
            at, there = maps.slices.index(index), reference.maps.slices.index(index)
            found = _finite(difference(maps, at, reference.maps, there, view.layer))
            if found.size:
                tops.append(float(np.percentile(np.abs(found), 90)))
    if not others:
        return None
    # The middle one of several methods: one bad method must not hide the differences of the good ones.
    top = round_up(max(float(np.median(tops)) if tops else 1.0, 1.0))
    return Scale(key, "vik", (-top, top), f"Δ{name} from the reference", "ms")


def round_up(value: float) -> float:
    """Return the next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten at or above a positive value."""
    power = 10.0 ** math.floor(math.log10(value))
    for digit in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0):
        if digit * power >= value * (1 - 1e-9):
            return float(f"{digit * power:.6g}")
    return 10.0 * power


def _finite(values: Float) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values[np.isfinite(values)]
    return found
