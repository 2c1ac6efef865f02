"""The list of runs: shown, compared, resumed, used again; their weights taken to Review."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject

from app.controllers.context import Context
from app.jobs import JobHandle
from app.train.controller import TrainController
from app.train.form import LANE, PRIORITY, TrainFormController
from app.train.run import RunRecord, of_history
from app.train.runs_panel import TrainRunsPanel
from engine.api.contract import EngineApi
from engine.core.jobs import Reporter
from engine.core.records.training import RunInfo

PREVIEWS = "preview-*.npy"


class TrainRunsController(QObject):
    """Keeps the list in step with the runs' folder. ``review(network, weights)`` opens Review with these weights."""

    def __init__(
        self,
        context: Context,
        panel: TrainRunsPanel,
        train: TrainController,
        form: TrainFormController,
        review: Callable[[str, Sequence[str]], None],
    ) -> None:
        super().__init__(context.window)
        self._c, self._panel, self._train, self._form, self._review = context, panel, train, form, review
        self._offered = False
        panel.selected.connect(lambda folder: self._show((folder,)))
        panel.compared.connect(self._on_compared)
        panel.resume_requested.connect(self._on_resume)
        panel.settings_requested.connect(self._on_settings)
        panel.review_requested.connect(self._on_review)
        train.running_changed.connect(lambda _: self.refresh())
        train.validated.connect(self.refresh)
        train.ended.connect(lambda _: form.refresh_weights())

    def refresh(self) -> None:
        """List the runs anew."""
        handle = self._submit("List runs", lambda _: self._c.api.runs(), "train.runs")
        handle.succeeded.connect(self._on_runs)
        handle.failed.connect(partial(self._c.errors.report, "List runs"))

    def _submit(self, title: str, work: Callable[[Reporter], Any], key: str = "") -> JobHandle:
        return self._c.runner.submit(LANE, title, work, key=key, quiet=True, priority=PRIORITY)

    def _on_runs(self, records: Sequence[RunInfo]) -> None:
        run = self._train.run
        live = run.folder if run is not None and self._train.running else ""
        self._panel.set_records(records, live)
        self._panel.set_busy(self._train.running)
        if not self._offered:
            self._offered = True
            left = self._c.settings.get("train/active")
            record = next((r for r in records if r.folder == left), None)
            if record is not None and record.step < record.steps:
                self._train.offer(record)

    def _record(self, folder: str) -> RunInfo | None:
        return next((record for record in self._panel.model.records if record.folder == folder), None)

    # --- curves --------------------------------------------------------------------------------------------------------

    def _on_compared(self, folders: tuple[str, ...]) -> None:
        self._show(folders or tuple(filter(None, (self._panel.folder(),))))

    def _show(self, folders: Sequence[str]) -> None:
        live = self._train.run if self._train.running else None
        records = [record for folder in folders if (record := self._record(folder)) is not None]
        if not records:
            return
        work = partial(_read_runs, self._c.api, records, "" if live is None else live.folder)
        handle = self._submit("Read runs", lambda _: work(), "train.logs")
        handle.succeeded.connect(partial(self._on_read, live))
        handle.failed.connect(partial(self._c.errors.report, "Read runs"))

    def _on_read(self, live: RunRecord | None, runs: Sequence[RunRecord | None]) -> None:
        there = (live if run is None else run for run in runs)
        self._train.show_runs([run for run in there if run is not None])

    # --- what can be done with a run -----------------------------------------------------------------------------------

    def _on_resume(self, folder: str) -> None:
        record = self._record(folder)
        if record is None or self._train.running:
            return
        handle = self._submit("Read run", lambda _: _read_runs(self._c.api, [record], "")[0], "train.logs")
        handle.succeeded.connect(lambda run: self._train.resume(folder, run))
        handle.failed.connect(partial(self._c.errors.report, "Resume"))

    def _on_settings(self, folder: str) -> None:
        handle = self._submit("Read settings", lambda _: self._c.api.run_config(folder))
        handle.succeeded.connect(self._form.set_values)
        handle.failed.connect(partial(self._c.errors.report, "Read settings"))

    def _on_review(self, folder: str) -> None:
        record = self._record(folder)
        if record is not None and record.weights:
            self._review(record.network, [*([record.parent] if record.parent else []), record.weights])


def _read_runs(api: EngineApi, records: Sequence[RunInfo], live: str) -> list[RunRecord | None]:
    """Return runs with their curves and previews; None in the place of the one that is on."""
    found: list[RunRecord | None] = []
    for record in records:
        if record.folder == live:
            found.append(None)
            continue
        run = of_history(record, api.run_log(record.folder))
        previews = sorted(Path(record.folder).glob(PREVIEWS))
        if previews:
            run.first_preview, run.last_preview = str(previews[0]), str(previews[-1])
            run.last_preview_step = int(previews[-1].stem.rpartition("-")[2])
        found.append(run)
    return found
