"""How far maps lie from those of the reference, and methods from each other: agreement per region and per segment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.axes import MAP_SLICE
from engine.core.errors import InputError, ShapeError
from engine.core.maps import MapSet
from engine.core.records.relaxometry import Agreement, MapComparison, SegmentAgreement
from engine.core.records.values import tabled
from engine.core.types import Bool, ParameterMap, Region
from engine.relaxometry.segments import NAMES

LIMITS = 1.96  # standard deviations on either side of the bias that hold 95 % of a normal distribution


def agreement(difference: NDArray[Any], reference: NDArray[Any]) -> Agreement:
    """Return bias and limits of agreement of paired values (Bland and Altman, Lancet 1986;327:307).

    Parameters
    ----------
    difference, reference
        (pair,): estimate minus reference, and the reference.
    """
    d, r = np.asarray(difference, np.float64), np.asarray(reference, np.float64)
    n = int(d.size)
    bias = float(d.mean()) if n else math.nan
    sd = float(d.std(ddof=1)) if n > 1 else math.nan
    mean = float(r.mean()) if n else math.nan
    return Agreement(
        n=n,
        bias=bias,
        sd=sd,
        lower=bias - LIMITS * sd,
        upper=bias + LIMITS * sd,
        median=float(np.median(d)) if n else math.nan,
        rmse=float(np.sqrt(np.mean(d * d))) if n else math.nan,
        mae=float(np.abs(d).mean()) if n else math.nan,
        reference_mean=mean,
        bias_percent=100.0 * bias / mean if n and mean else math.nan,
    )


def compare_maps(
    maps: MapSet,
    reference: MapSet,
    region: Region | None = None,
    *,
    masks: Mapping[int, Mapping[int, Bool]] | None = None,
) -> MapComparison:
    """Return how the main map (T1 or T2) of one fit differs from that of the reference, pixel by pixel.

    Only pixels that are valid in both count. Slices are those of the series that both have.

    Parameters
    ----------
    maps, reference
        Fits of the same quantity on the same grid.
    region
        Pixels (slice, y, x) that count, in the slices of ``maps``; None takes all.
    masks
        Number of a slice in the series -> segments, as :func:`engine.relaxometry.segments.segments` gives.

    Raises
    ------
    InputError, ShapeError
        The quantities differ, the grids differ, no slice is common, or the region does not fit.
    """
    _check_alike([maps, reference])
    slices = _common([maps, reference])
    here, there = _rows(maps, slices), _rows(reference, slices)
    estimate, truth = maps.main.values[here], reference.main.values[there]
    valid, known = maps.valid[here], reference.valid[there]
    both = valid & known
    chosen = np.ones(both.shape, dtype=bool) if region is None else _region(region, maps)[here]
    change = np.where(both, estimate - truth, np.float32(0.0))
    counted = chosen & both
    difference = ParameterMap(change, f"{maps.main.quantity} difference", maps.main.unit, both, geometry=maps.geometry.select(here))
    rows: tuple[SegmentAgreement, ...] = ()
    means: Agreement | None = None
    if masks is not None:
        rows, means = _by_segment(difference, truth, slices, masks)
    return MapComparison(
        agreement=agreement(change[counted], truth[counted]),
        quantity=maps.main.quantity,
        unit=maps.main.unit,
        title=maps.title,
        reference_title=reference.title,
        region="whole" if region is None else region.name,
        slices=slices,
        n_invalid=int((chosen & ~both).sum()),
        n_lost=int((chosen & known & ~valid).sum()),
        means=(0.5 * (estimate + truth))[counted],
        differences=change[counted],
        difference=difference,
        notes=_notes(maps, reference),
        segments=rows,
        segment_agreement=means,
    )


def disagreement(fits: Sequence[MapSet]) -> ParameterMap:
    """Return the standard deviation (n - 1) of T1 or T2 across methods, where every one of them has a value.

    Raises
    ------
    InputError, ShapeError
        Fewer than two fits, other quantities, other grids, or no common slice.
    """
    if len(fits) < 2:
        raise InputError(f"one method cannot disagree (expected at least 2 maps / found {len(fits)})", "Fit another method too.")
    _check_alike(fits)
    slices = _common(fits)
    values = np.stack([fit.main.values[_rows(fit, slices)] for fit in fits])
    valid = np.all([fit.valid[_rows(fit, slices)] for fit in fits], axis=0)
    spread = np.std(values, axis=0, ddof=1, dtype=np.float64)
    main = fits[0].main
    where = main.geometry.select(_rows(fits[0], slices))
    return ParameterMap(np.where(valid, spread, 0.0), f"{main.quantity} disagreement", main.unit, valid, geometry=where)


def _by_segment(
    difference: ParameterMap, truth: NDArray[Any], slices: tuple[int, ...], masks: Mapping[int, Mapping[int, Bool]]
) -> tuple[tuple[SegmentAgreement, ...], Agreement]:
    rows = []
    for number in sorted(set(masks) & set(slices)):
        at = slices.index(number)
        change, valid, known = difference.values[at], difference.valid[at], truth[at]
        for segment, mask in masks[number].items():
            if np.shape(mask) != valid.shape:
                raise ShapeError(
                    f"the segment does not fit the map (expected {valid.shape} / found {np.shape(mask)})", "Draw it there."
                )
            counted = valid & mask
            row = agreement(change[counted], known[counted])
            lost = int((mask & ~valid).sum())
            mean = row.reference_mean + row.bias
            rows.append(SegmentAgreement(number, segment, NAMES.get(segment, ""), mean, lost, row))
    pairs = [row.agreement for row in rows if row.agreement.n]
    return tuple(rows), agreement(np.array([p.bias for p in pairs]), np.array([p.reference_mean for p in pairs]))


def _check_alike(fits: Sequence[MapSet]) -> None:
    first = fits[0].main
    for fit in fits[1:]:
        if fit.main.quantity != first.quantity:
            raise InputError(
                f"the maps show different things (expected {first.quantity} / found {fit.main.quantity})",
                "Compare T1 with T1, or T2 with T2.",
            )
        if fit.main.values.shape[1:] != first.values.shape[1:]:
            raise ShapeError(
                f"the maps have other sizes (expected {first.values.shape[1:]} / found {fit.main.values.shape[1:]}, axes y, x)",
                "Compare maps of the same series.",
            )


def _common(fits: Sequence[MapSet]) -> tuple[int, ...]:
    """Return the numbers of the slices of the series that all fits have, in the order of the first."""
    common = tuple(number for number in fits[0].slices if all(number in fit.slices for fit in fits))
    if not common:
        raise InputError(
            f"the maps have no slice in common (found {' and '.join(str(tuple(fit.slices)) for fit in fits)})",
            "Fit the same slices.",
        )
    return common


def _rows(fit: MapSet, slices: tuple[int, ...]) -> list[int]:
    return [fit.slices.index(number) for number in slices]


def _region(region: Region, maps: MapSet) -> Bool:
    if region.pixels.shape != maps.valid.shape:
        raise ShapeError(
            f"region {region.name} does not fit the maps (expected {maps.valid.shape} / found {region.pixels.shape}, "
            f"axes slice, y, x; {maps.valid.shape[MAP_SLICE]} slices)",
            "Draw it on these maps.",
        )
    return region.pixels


def _notes(maps: MapSet, reference: MapSet) -> tuple[str, ...]:
    """Return what was fitted in another way: then a difference is not the reconstruction's alone."""
    notes = []
    mine, its = (tabled(one.provenance.get("fit", {})) for one in (maps, reference))
    for name in ("model", "signed", "efficiency", "motion"):
        if name in mine and name in its and mine[name] != its[name]:
            notes.append(f"fitted with other settings: {name} {mine[name]}, reference {its[name]}")
    if maps.times_ms.shape[1] != reference.times_ms.shape[1]:
        notes.append(f"fitted to other samples: {maps.times_ms.shape[1]}, reference {reference.times_ms.shape[1]}")
    return tuple(notes)
