"""Running methods: one press of the button is one run, in one job on the GPU lane.

A request goes its way once: :func:`app.review.selection.select` says what is asked; the engine's plan measures, calibrates, builds
and runs; each slice comes back as it is finished and goes into the session; the run ends with a sentence. The old result stays
until a new one is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from PySide6.QtCore import QObject, Signal

from app.controllers.context import Context
from app.display.words import seconds_text
from app.document.case import Case
from app.document.results import is_stale
from app.document.state import Topic
from app.jobs import JobHandle
from app.review.method_costs import MethodCostsController
from app.review.methods_model import MethodRow, Suitability, from_catalogue
from app.review.methods_panel import MethodsPanel
from app.review.selection import Selection, select
from engine.api.contract import EngineApi
from engine.core.errors import InputError
from engine.core.jobs import Progress, Reporter
from engine.core.records.methods import MethodInfo
from engine.core.requests import MethodFailed, RunRequest, SliceDone


@dataclass(slots=True, eq=False)
class Run:
    """A run under way: what was asked, the job that does it, the methods that failed."""

    selection: Selection
    handle: JobHandle
    began: float = field(default_factory=time.monotonic)
    failed: list[str] = field(default_factory=list)
    #: Method -> slices of it that are in the session, in their order there.
    shown: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def last_words(self) -> str:
        """What is said when it has ended."""
        if self.handle.token.cancelled:
            return "Reconstruction cancelled; what was finished is kept"
        if self.failed:
            return f"{len(self.failed)} of {len(self.selection.rows)} methods failed"
        return f"Reconstructed in {seconds_text(time.monotonic() - self.began)}"


class ReconstructController(QObject):
    """Runs the ticked methods, cancels them, keeps their results.

    Signals
    -------
    running_changed(bool)
        A run began or ended.
    """

    running_changed = Signal(bool)

    def __init__(self, context: Context, panel: MethodsPanel, mask_underway: Callable[[], JobHandle | None]) -> None:
        super().__init__(context.window)
        self._c = context
        self._panel = panel
        self._mask_underway = mask_underway
        self._run: Run | None = None
        self._run_when_ready: tuple[str, ...] = ()
        #: A method and the weights that are to be compared as soon as they, a series and a mask are there.
        self._compare: tuple[str, tuple[str, ...]] | None = None
        # Case -> methods that failed in its last run.
        self._failed: dict[str, set[str]] = {}
        self._suits = Suitability()
        panel.model.set_ticked(context.settings.get("methods/ticked"))
        panel.all_slices.setChecked(context.settings.get("methods/all_slices"))
        panel.all_slices.toggled.connect(lambda on: context.settings.set("methods/all_slices", on))
        panel.model.ticked_changed.connect(self._remember_ticks)
        panel.run_requested.connect(self.run)
        panel.cancel_requested.connect(self.cancel)
        panel.weights_chosen.connect(panel.model.choose_weights)
        panel.table_requested.connect(self.methods_dialog)
        self.costs = MethodCostsController(context, panel, lambda: self.running)
        panel.settings_requested.connect(self.settings_dialog)
        panel.model.ticked_changed.connect(self._refresh)
        session = context.session
        session.listen(self._on_case, Topic.CURRENT)
        session.listen(self._refresh, Topic.SAMPLING, Topic.RESULTS)
        self._on_case()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    def _remember_ticks(self) -> None:
        if self._panel.model.rows():
            self._c.settings.set("methods/ticked", self._panel.model.ticked_names())

    # --- the table -----------------------------------------------------------------------------------------------------

    def load_methods(self) -> None:
        """Fill the table in the background (the catalogue needs torch)."""
        handle = self._c.runner.submit("gpu", "List methods", lambda _: self._c.api.methods(costs=False), quiet=True)
        handle.succeeded.connect(self._on_methods)
        handle.failed.connect(partial(self._c.errors.report, "List methods"))

    def _on_methods(self, methods: Sequence[MethodInfo]) -> None:
        # What can run at once comes first: methods without weights, networks with, networks without.
        rows = sorted(map(from_catalogue, methods), key=lambda row: (row.trainable, row.trainable and not row.weights))
        self._panel.set_methods(rows)
        self._c.session.set_titles({row.name: row.title for row in rows})
        self._refresh()
        if self._run_when_ready:
            self.run_methods(self._run_when_ready)
        self._run_comparison()

    def _on_case(self) -> None:
        case = self._c.session.current
        series = None if case is None else case.kspace
        self._suits = Suitability() if series is None else Suitability(str(series.kind), int(series.shape[2]))
        self._panel.model.set_series(self._suits)
        self._refresh()

    def _refresh(self) -> None:
        case = self._c.session.current
        if case is None:
            self._panel.set_able(False, "Open a series first.")
        elif case.saved is not None:
            self._panel.set_able(False, "A saved result has no k-space: open the series it was made from.")
        elif case.kspace is None:
            self._panel.set_able(False, "Images have no k-space: simulate coils first.")
        elif case.mask is None:
            self._panel.set_able(False, "There is no mask yet.")
        else:
            self._panel.set_able(True)
        if self._run is None:
            self._show_states(case)

    def _show_states(self, case: Case | None) -> None:
        for row in self._panel.model.rows():
            made = [r for r in case.results if r.method == row.name] if case is not None else []
            status = ""
            if case is not None and row.name in self._failed.get(case.key, ()):
                status = "failed"
            elif case is not None and made:
                fresh = [r for r in made if not is_stale(r, case)]
                alike = [r for r in fresh if r.options == row.settings and r.reconstruction.weights in (None, row.chosen)]
                done = f"done {seconds_text(alike[-1].reconstruction.seconds)}" if alike else ""
                status = done or ("other settings" if fresh else "other mask")
            self._panel.model.set_status(row.name, status.strip())

    def methods_dialog(self) -> None:
        """Show all methods in a large table."""
        from app.review.methods_dialog import MethodsTableDialog

        MethodsTableDialog(self._panel.model, self._suits, self._panel.selected(), self._c.window).open()

    def settings_dialog(self, name: str) -> None:
        """Ask for the settings of a method."""
        from app.review.method_dialog import MethodDialog

        row = self._panel.model.row_of(name)
        if row is None or not row.options:
            return
        dialog = MethodDialog(row, self._c.window)
        dialog.accepted.connect(lambda: self._panel.model.set_settings(name, dialog.settings()))
        dialog.open()

    # --- run -----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run the ticked methods with the mask of the panel on the slice on screen, or on all slices, that one first."""
        making = self._mask_underway()
        if making is None:
            self._start(self._panel.model.ticked())
            return
        # Not with the mask before. One that cannot be made is told, and nothing runs.
        for ended in (making.succeeded, making.cancelled):
            ended.connect(partial(self._run_again, self._c.session.state.current_key))

    def _run_again(self, key: str, *_: object) -> None:
        if key == self._c.session.state.current_key:
            self.run()

    def run_methods(self, names: Sequence[str]) -> None:
        """Tick and run these methods; when the table or the mask is not there yet, as soon as both are."""
        self._run_when_ready = tuple(names)
        self._panel.model.set_ticked(names)
        case = self._c.session.current
        if self._panel.model.rows() and case is not None and case.mask is not None and not self.running:
            self._run_when_ready = ()
            self.run()

    def mask_ready(self) -> None:
        """Start what was waiting for a mask."""
        if self._run_when_ready:
            self.run_methods(self._run_when_ready)
        self._run_comparison()

    def compare_weights(self, method: str, weights: Sequence[str]) -> None:
        """Run one method with several weights beside each other, as soon as the table knows them and there is a series."""
        self._compare = (method, tuple(weights))
        self.load_methods()

    def _run_comparison(self) -> None:
        case = self._c.session.current
        if self._compare is None or case is None or case.mask is None or self.running:
            return
        name, weights = self._compare
        row = self._panel.model.row_of(name)
        if row is None or weights[-1] not in row.weights:
            return  # the table is being read again
        self._compare = None
        self._panel.model.choose_weights(name, weights[-1])
        self._panel.model.set_ticked([name])
        self._panel.select(name)
        self._panel.keep_earlier.setChecked(True)
        if not self._panel.model.ticked():
            hint = "Open a series that the network is made for, then compare again."
            self._c.errors.report("Compare weights", InputError(f"{row.title} cannot run on {case.title}", hint))
            return
        self._start([replace(row, chosen=one) for one in weights])

    def _start(self, rows: Sequence[MethodRow]) -> None:
        """Select; the engine measures, calibrates, builds and runs; every slice is shown as it comes; finish."""
        case = self._c.session.current
        if self._run is not None or case is None or case.kspace is None or case.mask is None:
            return
        panel = self._panel
        device = self._c.settings.get("methods/device")
        selection = select(case, rows, panel.all_slices.isChecked(), panel.keep_earlier.isChecked(), device)
        if selection is None:
            self._c.errors.report("Reconstruct", InputError("no method is ticked that can run", "Tick one in the Methods panel."))
            return
        titles = ", ".join(row.title for row in rows)
        work = partial(_work, self._c.api, selection.request)
        run = self._run = Run(selection, self._c.runner.submit("gpu", titles, work))
        panel.set_running(True)
        self.running_changed.emit(True)
        for row in rows:
            panel.model.set_status(row.name, "waiting")
        run.handle.progressed.connect(partial(self._on_progress, run))
        run.handle.delivered.connect(partial(self._on_delivered, run))
        run.handle.failed.connect(partial(self._on_failed, run))
        run.handle.finished.connect(partial(self._on_finished, run))

    def _on_progress(self, run: Run, progress: Progress) -> None:
        self._panel.set_progress(progress.fraction, progress.stage, progress.eta_seconds)
        for row in run.selection.rows:
            if row.title in progress.stage:
                self._panel.model.set_status(row.name, f"{100 * progress.fraction:.0f} %")

    def _on_delivered(self, run: Run, part: SliceDone | MethodFailed) -> None:
        selection = run.selection
        row = selection.rows[part.index]
        if isinstance(part, MethodFailed):
            run.failed.append(row.name)
            self._panel.model.set_status(row.name, "failed")
            self._c.errors.report(f"Reconstruct with {row.title}", part.error, part.details)
            return
        made = part.result
        if part.finished and run.shown.get(part.index) == made.slices:
            return  # as it is on screen
        run.shown[part.index] = made.slices
        self._panel.model.set_status(row.name, f"done {seconds_text(made.seconds)}")
        self._c.session.add_result(
            selection.case_key,
            row.name,
            selection.title_of(row),
            made,
            selection.keep_earlier,
            row.settings,
            part.scores,
            selection.percentile if part.scores else None,
        )

    def _on_failed(self, run: Run, error: BaseException, details: str) -> None:
        run.failed += [row.name for row in run.selection.rows if row.name not in run.failed]
        self._c.errors.report("Reconstruct", error, details)

    def _on_finished(self, run: Run) -> None:
        self._run = None
        self._panel.set_running(False)
        self._failed[run.selection.case_key] = set(run.failed)
        self._show_states(self._c.session.current)
        self._c.say(run.last_words)
        self.running_changed.emit(False)

    def cancel(self) -> None:
        """Ask the run to stop; what it has finished is kept."""
        if self._run is not None:
            self._panel.set_cancelling()
            self._run.handle.cancel()


def _work(api: EngineApi, request: RunRequest, report: Reporter) -> None:
    api.run(request, report, report.deliver)
