"""From what a session file holds, and the data it refers to, to the document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from app.display.map_state import FitSettings, MapView
from app.display.state import ViewState
from app.document.case import Case, MapResult, Origin, Pending, Result
from app.document.saved import SavedCase, SavedFit, SavedResult
from engine.core.errors import FormatError
from engine.core.requests import MaskRequest
from engine.core.types import ImageSeries, KSpaceSeries, Reconstruction, SamplingMask

_HINT = "The session file is damaged or was edited by hand: open another one, or the last session."


def bare_case(saved: SavedCase, data: KSpaceSeries | ImageSeries, origin: Origin, masks: Sequence[SamplingMask]) -> Case:
    """Return a case of a session file with its data, its settings and its drawings; without results and maps.

    Raises
    ------
    FormatError
        When a value cannot be: a mask that is not in the file, a percentile of 400.
    """
    case = Case(
        key=saved.key,
        title=saved.title,
        data=data,
        path=saved.path,
        commands=saved.commands,
        origin=origin,
        reading=saved.reading,
        mask_file=saved.mask_file,
        selected=saved.selected,
        seen=True,
        fit=fit_of(saved.fit),
        map_view=_map_view(saved.map_view, data),
        map_selected=saved.map_selected,
    )
    mask = None if saved.mask is None else mask_of(saved.mask, masks)
    if mask is not None and isinstance(data, KSpaceSeries):
        mask.check_fits(data.shape)
    if case.fit.times_ms is not None and case.fit.times_ms.shape != (case.slices, case.frames):
        raise FormatError(
            f"the times of {saved.title} do not fit (expected {(case.slices, case.frames)} / found {case.fit.times_ms.shape})",
            _HINT,
        )
    request = saved.request
    return replace(
        case,
        mask=mask,
        request=None
        if request is None
        else MaskRequest(
            request.pattern, request.acceleration, request.acs, request.seed, request.per_frame, dict(request.options)
        ),
        view=_view(saved.view, case),
        drawings={index: drawn for index, drawn in saved.drawings.items() if 0 <= index < case.slices},
    )


def mask_of(number: int, masks: Sequence[SamplingMask]) -> SamplingMask:
    """Return a mask of the file by its number."""
    if not 0 <= number < len(masks):
        raise FormatError(f"a mask is not in the session file (expected a number below {len(masks)} / found {number})", _HINT)
    return masks[number]


def pending_of(saved: SavedResult, masks: Sequence[SamplingMask]) -> Pending:
    """Return what must be known to make a result again."""
    return Pending(
        saved.key,
        saved.method,
        saved.title,
        mask_of(saved.mask, masks),
        saved.slices,
        dict(saved.options),
        saved.weights,
        saved.weights_sha256,
    )


def read_result(
    saved: SavedResult, case: Case, made: Reconstruction, masks: Sequence[SamplingMask], stamp: int, file: str
) -> Result:
    """Return a result from the reconstruction in its file.

    Raises
    ------
    FormatError
        When it is not one of this case.
    """
    size = tuple(case.data.shape[-2:])
    fits = tuple(made.image.shape[-2:]) == size and max(made.slices, default=-1) < case.slices
    if not fits or max(made.frames, default=-1) >= case.frames:
        raise FormatError(
            f"{saved.title} does not fit {case.title} (expected {size} pixels / found {made.image.shape[-2:]})", "It is made again."
        )
    return Result(
        saved.key,
        saved.method,
        saved.title,
        mask_of(saved.mask, masks),
        replace(made, reference=None),
        options=dict(saved.options),
        stamp=stamp,
        file=file,
    )


def in_order(
    case: Case, saved: SavedCase, results: Sequence[Result], pending: Sequence[Pending], maps: Sequence[MapResult]
) -> Case:
    """Return a case with its results and maps in the order of the file."""
    order = {one.key: place for place, one in enumerate(saved.results)}
    ordered = tuple(sorted(results, key=lambda result: order.get(result.key, len(order))))
    return replace(case, results=ordered, pending=tuple(pending), maps=tuple(maps))


def fit_of(saved: SavedFit) -> FitSettings:
    """Return how maps are fitted."""
    times = None
    if saved.times_ms is not None:
        if len({len(row) for row in saved.times_ms}) != 1:
            raise FormatError("times of unequal length (expected one for each frame of each slice)", _HINT)
        times = np.asarray(saved.times_ms, np.float32)
        times.flags.writeable = False
    return FitSettings(
        saved.model,
        saved.signed,
        saved.motion,
        saved.efficiency,
        saved.background,
        times,
        saved.weights,
        frozenset(saved.skipped),
    )


def _view(view: ViewState, case: Case) -> ViewState:
    """Return a view that can be shown: positions within the series, a window that is one."""
    _check("region percentile", view.region_percentile, 0, 100)
    _check("gain of the error maps", view.error_gain, 1e-3, 1e6)
    _check("divider", 0.0 if view.divider is None else view.divider, 0, 1)
    return replace(
        view,
        slice_index=min(max(view.slice_index, 0), case.slices - 1),
        frame=min(max(view.frame, 0), case.frames - 1),
        window=view.window if view.window is not None and view.window[0] < view.window[1] else None,
        quarter_turns=view.quarter_turns % 4,
    )


def _map_view(view: MapView, data: KSpaceSeries | ImageSeries) -> MapView:
    height, width = data.shape[-2:]
    inside = view.pixel is not None and 0 <= view.pixel[0] < width and 0 <= view.pixel[1] < height
    ranges: Mapping[str, tuple[float, float]] = {name: ends for name, ends in view.ranges.items() if ends[0] < ends[1]}
    return replace(view, pixel=view.pixel if inside else None, ranges=ranges)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise FormatError(f"the {name} cannot be (expected {low:g} to {high:g} / found {value:g})", _HINT)
