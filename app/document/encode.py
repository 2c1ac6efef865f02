"""From the document to what its file holds."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from app.display.map_state import FitSettings
from app.document.case import Case, MapResult, Origin, Pending, Result, Source, Value
from app.document.file import packed
from app.document.locate import Known, reference
from app.document.saved import (
    FORMAT,
    VERSION,
    SavedCase,
    SavedFit,
    SavedMaps,
    SavedMask,
    SavedOrigin,
    SavedRequest,
    SavedResult,
    SavedSession,
    SavedWindow,
)
from app.document.state import Document
from engine.core.requests import MaskRequest
from engine.core.types import SamplingMask


def encoded(document: Document, window: SavedWindow, program: str, folder: Path | None, known: Known) -> SavedSession:
    """Return a document as its file holds it; reads the files it refers to, to hash them: call it from a job.

    ``folder`` is that of the session file; None writes no paths relative to it. ``known`` keeps hashes from call to call.
    """
    writer = _Writer(folder, known)
    cases = tuple(writer.case(case) for case in document.cases)
    return SavedSession(
        format=FORMAT,
        version=VERSION,
        program=program,
        current=document.current_key,
        cases=cases,
        masks=tuple(writer.masks),
        window=window,
    )


class _Writer:
    """Collects the masks that cases and results share."""

    def __init__(self, folder: Path | None, known: Known) -> None:
        self._folder, self._known = folder, known
        self.masks: list[SavedMask] = []
        self._places: list[SamplingMask] = []

    def case(self, case: Case) -> SavedCase:
        """Return a case as it is written."""
        return SavedCase(
            key=case.key,
            title=case.title,
            origin=self._origin(case.origin),
            path=case.path,
            commands=case.commands,
            reading=case.reading,
            request=None if case.request is None else _request(case.request),
            mask=None if case.mask is None else self._mask(case.mask),
            mask_file=case.mask_file,
            results=(*map(self._result, case.results), *map(self._pending, case.pending)),
            view=case.view,
            selected=case.selected,
            maps=tuple(map(self._maps, case.maps)),
            fit=_fit(case.fit),
            map_view=case.map_view,
            map_selected=case.map_selected,
            drawings=dict(case.drawings),
        )

    def _origin(self, origin: Origin) -> SavedOrigin:
        on_disk = origin.source in (Source.FILE, Source.RESULT)
        coils, snr = origin.simulation or (None, None)
        return SavedOrigin(
            source=origin.source,
            name="" if on_disk else origin.name,
            options=_values(origin.options),
            coils=coils,
            snr=snr,
            data=reference(origin.name, self._folder, self._known) if on_disk else None,
        )

    def _mask(self, mask: SamplingMask) -> int:
        """Return the number of a mask in the file; the same one is written once."""
        for place, there in enumerate(self._places):
            if there is mask or (_words(there) == _words(mask) and np.array_equal(there.lines, mask.lines)):
                return place
        self._places.append(mask)
        self.masks.append(packed(mask))
        return len(self.masks) - 1

    def _result(self, result: Result) -> SavedResult:
        made = result.reconstruction
        weights = made.provenance.get("weights")
        sha256 = weights.get("sha256") if isinstance(weights, Mapping) else None
        return SavedResult(
            key=result.key,
            title=result.title,
            method=result.method,
            mask=self._mask(result.mask),
            slices=made.slices,
            options=_values(result.options),
            weights=made.weights,
            weights_sha256=str(sha256 or ""),
            file=reference(result.file, self._folder, self._known) if result.file else None,
        )

    def _pending(self, pending: Pending) -> SavedResult:
        return SavedResult(
            key=pending.key,
            title=pending.title,
            method=pending.method,
            mask=self._mask(pending.mask),
            slices=pending.slices,
            options=_values(pending.options),
            weights=pending.weights,
            weights_sha256=pending.weights_sha256,
        )

    def _maps(self, maps: MapResult) -> SavedMaps:
        file = reference(maps.file, self._folder, self._known) if maps.file else None
        return SavedMaps(key=maps.key, title=maps.title, fit=_fit(maps.settings), file=file)


def _words(mask: SamplingMask) -> tuple[Any, ...]:
    return mask.pattern, mask.nominal_acceleration, mask.acs, mask.seed


def _request(request: MaskRequest) -> SavedRequest:
    return SavedRequest(
        pattern=request.pattern,
        acceleration=float(request.acceleration),
        acs=request.acs,
        seed=request.seed,
        per_frame=request.per_frame,
        options=_values(request.options),
    )


def _fit(settings: FitSettings) -> SavedFit:
    return SavedFit(
        model=settings.model,
        signed=settings.signed,
        motion=settings.motion,
        efficiency=float(settings.efficiency),
        background=float(settings.background),
        times_ms=None if settings.times_ms is None else np.asarray(settings.times_ms, np.float64).tolist(),
        weights=settings.weights,
        skipped=sorted(settings.skipped),
    )


def _values(options: Mapping[str, Any]) -> dict[str, Value]:
    return {str(name): _value(value) for name, value in options.items()}


def _value(value: Any) -> Value:
    """Return an option as JSON has it: enumerations and paths as their words, arrays as numbers."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no infinity
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, np.bool_ | np.integer | np.floating):
        plain: bool | int | float = value.item()
        return plain
    if isinstance(value, tuple | list | np.ndarray):
        return tuple(float(one) if isinstance(one, float | np.floating) else int(one) for one in value)
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
