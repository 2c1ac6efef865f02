"""What follows from images by itself: the reference, the dynamic region, the scores. Each in a job, each made once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QObject

from app.controllers.context import Context
from app.document.case import Case, Result
from app.document.state import Topic
from app.review.selection import METRICS
from engine.api.contract import EngineApi
from engine.core.errors import InputError
from engine.core.geometry import Geometry
from engine.core.jobs import Reporter
from engine.core.types import Complex, ImageSeries, KSpaceSeries, Reconstruction, Region, Score


class ScoresController(QObject):
    """Keeps reference, region and scores in step with the session."""

    def __init__(self, context: Context) -> None:
        super().__init__(context.window)
        self._c = context
        # What was scored (or is being): result key -> images and percentile; case key -> slices of the reference and percentile.
        self._scored: dict[str, tuple[str, float]] = {}
        self._region_of: dict[str, tuple[frozenset[int], float]] = {}
        session = context.session
        session.listen(self._on_case, Topic.CURRENT)
        session.listen(self._on_view, Topic.VIEW)
        session.listen(self._on_reference, Topic.REFERENCE)
        session.listen(self._score_all, Topic.RESULTS)

    def _on_case(self) -> None:
        alive = {case.key for case in self._c.session.cases}
        self._region_of = {key: value for key, value in self._region_of.items() if key in alive}
        self._need_reference()
        self._on_reference()

    def _on_view(self) -> None:
        self._need_reference()
        self._need_region()
        self._score_all()

    def _on_reference(self) -> None:
        self._need_region()
        self._score_all()

    # --- reference -----------------------------------------------------------------------------------------------------

    def _need_reference(self) -> None:
        """Make the reference of the slice on screen, then of the others, nearest first."""
        case = self._c.session.current
        if case is None or self._c.runner.active("reference." + case.key):
            return
        data = case.data
        if isinstance(data, ImageSeries):
            if case.reference is None and case.comparable:
                self._submit(case, tuple(range(case.slices)), partial(_images, data))
            return
        if not data.fully_sampled:
            return
        shown = case.view.slice_index
        missing = [s for s in range(case.slices) if s not in case.reference_slices and s not in case.reference_failed]
        if missing:
            nearest = min(missing, key=lambda s: (s != shown, abs(s - shown)))
            self._submit(case, (nearest,), partial(_reference, self._c.api, data, nearest))

    def _submit(self, case: Case, slices: tuple[int, ...], work: Any) -> None:
        handle = self._c.runner.submit("io", "Reference", work, key="reference." + case.key, quiet=True, priority=5)
        handle.succeeded.connect(partial(self._c.session.set_reference, case.key, slices))
        handle.failed.connect(partial(self._on_reference_failed, case.key, slices))
        handle.finished.connect(self._need_reference)

    def _on_reference_failed(self, key: str, slices: tuple[int, ...], error: BaseException, details: str) -> None:
        case = self._c.session.find(key)
        if case is not None:
            self._c.session.edit(key, reference_failed=case.reference_failed | frozenset(slices))
        self._c.errors.report("Reference", error, details)

    # --- dynamic region ------------------------------------------------------------------------------------------------

    def _need_region(self) -> None:
        case = self._c.session.current
        if case is None or case.reference is None or case.frames < 2:
            return
        question = (case.reference_slices, case.view.region_percentile)
        if self._region_of.get(case.key) == question:
            return
        self._region_of[case.key] = question
        slices, geometry = sorted(case.reference_slices), case.data.geometry
        work = partial(_region, self._c.api, case.reference, slices, case.view.region_percentile, geometry)
        handle = self._c.runner.submit("io", "Dynamic region", work, key="region." + case.key, quiet=True, priority=4)
        handle.succeeded.connect(partial(self._set_region, case.key))
        handle.failed.connect(partial(self._c.errors.report, "Dynamic region"))

    def _set_region(self, key: str, region: Region | None) -> None:
        self._c.session.edit(key, region=region)

    # --- scores --------------------------------------------------------------------------------------------------------

    def _score_all(self) -> None:
        case = self._c.session.current
        if case is None or case.reference is None:
            return
        alive = {result.key for other in self._c.session.cases for result in other.results}
        self._scored = {key: value for key, value in self._scored.items() if key in alive}
        for result in case.results:
            percentile = case.view.region_percentile
            if result.scores and result.percentile == percentile:
                continue  # a run scores its slices as they come
            if self._scored.get(result.key) == (result.identity, percentile):
                continue
            if set(result.slices) <= case.reference_slices:
                self._scored[result.key] = (result.identity, percentile)
                self._score(case, result, case.reference, percentile)

    def _score(self, case: Case, result: Result, reference: Complex, percentile: float) -> None:
        work = partial(_scores, self._c.api, result.reconstruction, reference, percentile)
        handle = self._c.runner.submit("cpu", f"Scores of {result.title}", work, key=f"scores.{result.key}", quiet=True)
        handle.succeeded.connect(partial(self._set_scores, case.key, result, percentile))
        handle.failed.connect(partial(self._c.errors.report, f"Scores of {result.title}"))

    def _set_scores(self, key: str, scored: Result, percentile: float, scores: Mapping[tuple[str, str], Score]) -> None:
        case = self._c.session.find(key)
        now = None if case is None else case.result(scored.key)
        if now is None or now.identity == scored.identity:  # not those of images that are no longer there
            self._c.session.set_scores(key, scored.key, percentile, scores)


def _images(data: ImageSeries, report: Reporter) -> Complex:
    report.check()
    return data.images.astype(np.complex64)


def _reference(api: EngineApi, series: KSpaceSeries, slice_index: int, report: Reporter) -> Complex:
    images: Complex = api.reference(series, (slice_index,), None, report)
    return images


def _region(
    api: EngineApi, reference: Complex, slices: list[int], percentile: float, geometry: Geometry, report: Reporter
) -> Region | None:
    """Return the dynamic region of the slices that have a reference; a slice in which nothing moves has none."""
    pixels = np.zeros((reference.shape[0], *reference.shape[-2:]), np.bool_)
    words = ""
    for index in slices:
        report.check()
        try:
            found = api.dynamic_region(reference[index : index + 1], percentile)
        except InputError:
            continue
        pixels[index] = found.pixels[0]
        words = found.description
    return Region(pixels, "dynamic", words, geometry) if words else None


def _scores(
    api: EngineApi, made: Reconstruction, reference: Complex, percentile: float, report: Reporter
) -> Mapping[tuple[str, str], Score]:
    """Return the scores over all slices of a result, for the whole image and, when something moves, both regions."""
    truth = reference[list(made.slices)][:, list(made.frames)]
    regions: list[Region | None] = [None]
    if truth.shape[1] > 1:
        try:
            regions += [api.dynamic_region(truth, percentile), api.static_region(truth, percentile)]
        except InputError:
            # Nothing moves: the whole image is all there is.
            regions = [None]
    found: dict[tuple[str, str], Score] = {}
    for region in regions:
        for score in api.evaluate(made.image, truth, METRICS, region, report=report):
            if score.slice == "all":
                found[score.metric, score.region] = score
    return found
