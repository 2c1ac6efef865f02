"""Fitting maps: one job for all ticked images, told one after the other; the old maps stay until the new ones are there."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from app.controllers.context import Context
from app.display.map_state import FitSettings
from app.display.words import TIME_NAMES, seconds_text
from app.document.case import Case, MapResult
from app.document.state import Topic
from app.jobs import JobHandle
from app.maps.fit_panel import FitPanel, SourceRow
from app.maps.sources import (
    QUANTITIES,
    Source,
    edited_times,
    needs_fit,
    picked,
    source_times,
    sources_of,
    times_of,
    why_no_maps,
    why_stale,
)
from engine.api.contract import EngineApi
from engine.core.errors import Cancelled, InputError
from engine.core.jobs import Progress, Reporter
from engine.core.maps import FitRequest, MapSet
from engine.core.records.registries import FitModelInfo
from engine.core.types import Kind

LANE = "io"
"""Not the lane of previews and scores: a map that takes a moment does not wait for them."""
PRIORITY = 20
USUAL = {Kind.MOLLI: "molli3", Kind.T2PREP: "t2prep2"}
"""Model that a series of a kind begins with."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Fit one source: with these times, which are asked for by ``settings``."""

    source: Source
    settings: FitSettings
    request: FitRequest


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Maps of a task, with motion correction also those without; or the error that it ended with."""

    task: Task
    maps: MapSet | None = None
    before: MapSet | None = None
    error: Exception | None = None
    details: str = ""


@dataclass(slots=True, eq=False)
class FitRun:
    """Fits under way: the job that makes them, and those that it has not told yet."""

    case_key: str
    number: int
    handle: JobHandle
    left: list[str]
    began: float = field(default_factory=time.monotonic)
    failed: int = 0


class MapsFitController(QObject):
    """Keeps the form in step with the session, and fits.

    Signals
    -------
    running_changed(bool)
        A fit began or ended.
    """

    running_changed = Signal(bool)

    def __init__(self, context: Context, panel: FitPanel) -> None:
        super().__init__(context.window)
        self._c, self._panel = context, panel
        self._models: tuple[FitModelInfo, ...] = ()
        self._run: FitRun | None = None
        self._numbers = 0
        #: What was fitted last, or tried: settings, images, slices. Not tried again by itself, whether it failed, was cancelled, or
        #: was undone.
        self._tried: dict[tuple[str, str], tuple[FitSettings, str, tuple[int, ...]]] = {}
        self._active = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._refresh)
        panel.live.setChecked(context.settings.get("maps/live"))
        self._connect()

    def _connect(self) -> None:
        session, panel = self._c.session, self._panel
        session.listen(self._later, Topic.CURRENT, Topic.RESULTS, Topic.REFERENCE, Topic.MAPS, Topic.FIT, Topic.VIEW)
        panel.ticked.connect(self._on_ticked)
        panel.changed.connect(self._on_changed)
        panel.time_edited.connect(self._on_time)
        panel.times_typed.connect(self._on_times)
        panel.times_reset.connect(self.reset_times)
        panel.run_requested.connect(self.run)
        panel.cancel_requested.connect(self.cancel)
        panel.live_toggled.connect(self._on_live)

    @property
    def running(self) -> bool:
        """Whether a fit is under way."""
        return self._run is not None

    @property
    def models(self) -> tuple[FitModelInfo, ...]:
        """What the engine can fit; () until it has told."""
        return self._models

    # --- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Ask what can be fitted, and make the first fit instant (the workspace is opened for the first time)."""
        handle = self._c.runner.submit(LANE, "List fit models", lambda _: self._c.api.fit_models(), quiet=True, priority=PRIORITY)
        handle.succeeded.connect(self._on_models)
        handle.failed.connect(partial(self._c.errors.report, "List fit models"))
        warm = self._c.runner.submit("cpu", "Prepare fits", lambda _: self._c.api.warm_up_fit(), quiet=True, priority=PRIORITY)
        warm.failed.connect(partial(self._c.errors.report, "Prepare fits"))

    def set_active(self, active: bool) -> None:
        """Say whether the workspace is on screen: only then does it fit by itself."""
        self._active = active
        if active:
            self._later()

    def stop(self) -> None:
        """Stand still (the window closes)."""
        self._timer.stop()
        self._active = False

    def _on_models(self, models: Sequence[FitModelInfo]) -> None:
        self._models = tuple(models)
        self._later()

    def _later(self) -> None:
        self._timer.start(0)

    # --- the form ------------------------------------------------------------------------------------------------------

    def suited(self, case: Case) -> tuple[FitModelInfo, ...]:
        """Return the models for the kind of a series, all of them when it is not known."""
        quantity = QUANTITIES.get(case.data.kind)
        return tuple(model for model in self._models if quantity in (None, model.quantity))

    def _refresh(self) -> None:
        case, panel = self._c.session.current, self._panel
        why = why_no_maps(case)
        if case is None or why:
            panel.set_sources(())
            panel.set_times(None, None, "Time")
            panel.set_able(False, why)
            return
        models = self.suited(case)
        if models and case.fit.model not in [model.name for model in models]:
            names = [model.name for model in models]
            usual = USUAL.get(case.data.kind, "")
            self._c.session.edit(case.key, fit=replace(case.fit, model=usual if usual in names else names[0]))
            return  # the change brings it back here
        panel.set_models(models, case.fit.model)
        panel.set_settings(case.fit)
        panel.set_sources([self._row(case, source) for source in sources_of(case)])
        at = min(case.view.slice_index, case.slices - 1)
        times, own = times_of(case), case.data.times_ms
        name = TIME_NAMES.get(case.data.kind, "Time")
        panel.set_times(None if times is None else times[at], None if own is None else own[at], name)
        why = "" if self._ready(case) else self._why_not(case)
        panel.set_able(not why, why)
        if self._active and self._panel.live.isChecked() and not why:
            self._fit_by_itself(case)

    def _row(self, case: Case, source: Source) -> SourceRow:
        made = next((result for result in case.maps if result.key == source.key), None)
        state = ""
        if self._run is not None and self._run.case_key == case.key and source.key in self._run.left:
            state = "fitting…"
        elif made is not None:
            state = "stale" if why_stale(made, source, case.fit) else "✓"
        return SourceRow(source.key, source.title, source.key not in case.fit.skipped, source.why, state)

    def _ready(self, case: Case) -> tuple[Source, ...]:
        """Return the ticked sources that can be fitted now."""
        if not self._models or times_of(case) is None:
            return ()
        return tuple(s for s in sources_of(case) if not s.why and s.key not in case.fit.skipped)

    def _why_not(self, case: Case) -> str:
        if not self._models:
            return "The fit models are being loaded."
        if times_of(case) is None:
            return "The times of the frames are not known: type them below, in milliseconds."
        return "Tick at least one image series."

    # --- edits ---------------------------------------------------------------------------------------------------------

    def _on_ticked(self, key: str, on: bool) -> None:
        case = self._c.session.current
        if case is not None:
            skipped = case.fit.skipped - {key} if on else case.fit.skipped | {key}
            self._c.session.edit(case.key, fit=replace(case.fit, skipped=skipped))

    def _on_changed(self, text: str, fields: dict[str, Any]) -> None:
        case = self._c.session.current
        if case is not None:
            self._c.session.edit(case.key, text, fit=replace(case.fit, **fields))

    def _on_time(self, frame: int, value: float) -> None:
        case = self._c.session.current
        if case is not None:
            self._set_times(case, frame, (value,))

    def _on_times(self, values: tuple[float, ...]) -> None:
        case = self._c.session.current
        if case is None:
            return
        if len(values) != case.frames:
            error = InputError(
                f"the times do not fit the frames (expected {case.frames} / found {len(values)})",
                "Give one time in ms for each frame.",
            )
            self._c.errors.report("Times", error)
            return
        self._set_times(case, None, values)

    def _set_times(self, case: Case, frame: int | None, values: tuple[float, ...]) -> None:
        times = edited_times(case, case.view.slice_index, frame, values)
        own = case.data.times_ms
        same = own is not None and np.array_equal(times, own)
        self._on_changed("change the times", {"times_ms": None if same else times})

    def reset_times(self) -> None:
        """Take the times of the series again."""
        self._on_changed("reset the times", {"times_ms": None})

    def _on_live(self, on: bool) -> None:
        self._c.settings.set("maps/live", on)
        self._tried.clear()
        self._later()

    # --- fit -----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Fit the ticked images of the series on screen."""
        case = self._c.session.current
        if case is None or why_no_maps(case):
            self._c.errors.report("Fit maps", InputError("there is nothing to fit", why_no_maps(case)))
            return
        ready = self._ready(case)
        if not ready:
            self._c.errors.report("Fit maps", InputError("nothing can be fitted", self._why_not(case)))
            return
        self._start(case, ready)

    def _fit_by_itself(self, case: Case) -> None:
        """Fit what has no maps or stale ones, when that takes but a moment and did not just fail."""
        if self._run is not None or case.fit.motion != "none" or self._is_network(case.fit.model):
            return
        wanted = [s for s in self._ready(case) if needs_fit(case, s)]
        wanted = [s for s in wanted if not self._was_tried(case, s)]
        if wanted:
            self._start(case, wanted)

    def _is_network(self, model: str) -> bool:
        return any(one.name == model and one.network for one in self._models)

    def _was_tried(self, case: Case, source: Source) -> bool:
        tried = self._tried.get((case.key, source.key))
        return tried is not None and tried[1:] == (source.identity, source.slices) and tried[0].alike(case.fit)

    def _start(self, case: Case, sources: Sequence[Source]) -> None:
        if self._run is not None:
            return
        self._numbers += 1
        tasks = [Task(source, case.fit, case.fit.request(source_times(case, source))) for source in sources]
        for source in sources:
            self._tried[case.key, source.key] = (case.fit, source.identity, source.slices)
        work = partial(_fit_all, self._c.api, tasks, case.data.kind)
        title = f"Maps of {', '.join(source.title for source in sources)}"
        handle = self._c.runner.submit(LANE, title, work, priority=PRIORITY)
        run = self._run = FitRun(case.key, self._numbers, handle, [source.key for source in sources])
        handle.progressed.connect(self._on_progress)
        handle.delivered.connect(partial(self._on_fitted, run))
        handle.failed.connect(partial(self._on_failed, run))
        handle.finished.connect(partial(self._on_finished, run))
        self._panel.set_running(True)
        self.running_changed.emit(True)

    def _on_progress(self, progress: Progress) -> None:
        self._panel.set_progress(progress.fraction, progress.stage.rstrip(", "), progress.eta_seconds)

    def _on_fitted(self, run: FitRun, fitted: Fitted) -> None:
        source = fitted.task.source
        run.left.remove(source.key)
        if fitted.error is not None:
            run.failed += 1
            self._c.errors.report(f"Fit maps of {source.title}", fitted.error, fitted.details)
            return
        made = fitted.maps
        assert made is not None
        number = self._c.session.number()
        result = MapResult(source.key, source.title, made, fitted.task.settings, source.identity, fitted.before, number)
        text = f"fit {made.main.quantity} maps"
        # Maps of one run are one step.
        self._c.session.edit_with(run.case_key, partial(_with_maps, result), text, f"{text} {run.number}")

    def _on_failed(self, run: FitRun, error: BaseException, details: str) -> None:
        run.failed += len(run.left)
        self._c.errors.report("Fit maps", error, details)

    def _on_finished(self, run: FitRun) -> None:
        self._run = None
        self._panel.set_running(False)
        if run.handle.token.cancelled:
            self._c.say("Fit cancelled; maps that were finished are kept")
        elif not run.failed:
            self._c.say(f"Fitted in {seconds_text(time.monotonic() - run.began)}")
        self.running_changed.emit(False)
        self._later()

    def cancel(self) -> None:
        """Ask the fit to stop; maps that are finished stay."""
        if self._run is not None:
            self._panel.set_cancelling()
            self._run.handle.cancel()

    # --- maps ----------------------------------------------------------------------------------------------------------

    def remove(self, key: str) -> None:
        """Remove the maps of one source; undo brings them back."""
        case = self._c.session.current
        gone = None if case is None else next((result for result in case.maps if result.key == key), None)
        if case is None or gone is None:
            self._c.say("Click a map first")
            return
        kept = tuple(result for result in case.maps if result is not gone)
        fit = replace(case.fit, skipped=case.fit.skipped | {key})
        self._c.session.edit(case.key, f"remove the maps of {gone.title}", fit=fit, maps=kept)


def _with_maps(result: MapResult, case: Case) -> Case:
    """Return a case with maps in the place of the earlier ones of their source, or behind the others."""
    if any(earlier.key == result.key for earlier in case.maps):
        return replace(case, maps=tuple(result if earlier.key == result.key else earlier for earlier in case.maps))
    return replace(case, maps=(*case.maps, result))


def _fit_all(api: EngineApi, tasks: Sequence[Task], kind: Kind, report: Reporter) -> None:
    """Fit one source after the other; each is delivered as soon as it is there, and one that fails does not stop the others."""
    for position, task in enumerate(tasks):
        part = report.part(position / len(tasks), 1 / len(tasks), f"{task.source.title}, ")
        try:
            made, before = _fit(api, task.source, task.request, kind, part)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - whatever one source cannot do, the others can
            details = traceback.format_exc()
            report.deliver(Fitted(task, error=error.with_traceback(None), details=details))
            continue
        report.deliver(Fitted(task, made, before))


def _fit(api: EngineApi, source: Source, request: FitRequest, kind: Kind, report: Reporter) -> tuple[MapSet, MapSet | None]:
    """Return the maps, and with motion correction also those without, for the flip between before and after."""
    report.check()
    fit = partial(api.fit_maps, picked(source), title=source.title, kind=kind, slices=source.slices, geometry=source.geometry)
    if request.motion == "none":
        return fit(request, report), None
    before: MapSet = fit(replace(request, motion="none"), report.part(0.0, 0.1))
    return fit(request, report.part(0.1, 0.9)), before
