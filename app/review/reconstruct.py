"""Running methods: one job for each method and slice on the GPU lane; the old result stays until a new one is there."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from app.controllers.context import Context
from app.display.words import seconds_text
from app.document.case import Case
from app.document.results import is_stale
from app.document.state import Topic
from app.jobs import JobHandle
from app.review.method_costs import MethodCostsController
from app.review.methods_model import MethodRow, Suitability, from_catalogue
from app.review.methods_panel import MethodsPanel
from engine.core.errors import InputError
from engine.core.jobs import Progress
from engine.core.records.methods import MethodInfo
from engine.core.records.weights import WeightSource
from engine.core.requests import MaskRequest, ReconRequest
from engine.core.types import Reconstruction


@dataclass
class _Run:
    """One press of the button: its jobs and how far they are."""

    case: Case
    total: int
    began: float = field(default_factory=time.monotonic)
    handles: list[JobHandle] = field(default_factory=list)
    ended: int = 0
    #: Methods that failed, and how many of their jobs did.
    failed: dict[str, int] = field(default_factory=dict)

    def fraction(self, current: float) -> float:
        """Share done when the running job has done ``current`` of its own."""
        return min(1.0, (self.ended + current) / max(1, self.total))

    def eta_seconds(self, fraction: float) -> float | None:
        """Seconds left, None until it can be told."""
        spent = time.monotonic() - self.began
        return spent * (1 - fraction) / fraction if fraction > 0.02 and spent > 0.3 else None


class ReconstructController(QObject):
    """Runs the ticked methods, cancels them, keeps their results.

    Signals
    -------
    running_changed(bool)
        A run began or ended.
    training_requested(method)
        Weights of a network are to be made.
    """

    running_changed = Signal(bool)
    training_requested = Signal(str)

    def __init__(self, context: Context, panel: MethodsPanel, mask_underway: Callable[[], JobHandle | None]) -> None:
        super().__init__(context.window)
        self._c = context
        self._panel = panel
        self._mask_underway = mask_underway
        self._run: _Run | None = None
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
        panel.import_requested.connect(self.import_weights_dialog)
        panel.model.weights_missing.connect(self.no_weights_dialog)
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

    def _start(self, methods: Sequence[MethodRow]) -> None:
        case = self._c.session.current
        if self._run is not None or case is None or case.kspace is None or case.mask is None:
            return
        if not methods:
            self._c.errors.report("Reconstruct", InputError("no method is ticked that can run", "Tick one in the Methods panel."))
            return
        shown = case.view.slice_index
        slices = [shown]
        if self._panel.all_slices.isChecked():
            slices += [s for s in range(case.slices) if s != shown]
        run = self._run = _Run(case, len(slices) * len(methods))
        self._panel.set_running(True)
        self.running_changed.emit(True)
        for row in methods:
            self._panel.model.set_status(row.name, "waiting")
        for slice_index in slices:
            for row in methods:
                run.handles.append(self._submit(run, row, slice_index))

    def _submit(self, run: _Run, row: MethodRow, slice_index: int) -> JobHandle:
        case = run.case
        assert case.kspace is not None
        request = ReconRequest(
            series=case.kspace,
            method=row.name,
            mask=None if case.mask is case.kspace.acquired else case.mask,
            weights=row.chosen,
            slices=(slice_index,),
            device=self._c.settings.get("methods/device"),
            reference=False,
            options=row.settings,
        )
        place = f", slice {slice_index + 1}" if case.slices > 1 else ""
        handle = self._c.runner.submit("gpu", f"{row.title}{place}", lambda report: self._c.api.reconstruct(request, report))
        handle.started.connect(partial(self._on_started, run, row))
        handle.progressed.connect(partial(self._on_progress, run, row))
        handle.succeeded.connect(partial(self._on_made, run, row))
        handle.failed.connect(partial(self._on_failed, run, row))
        handle.finished.connect(partial(self._on_finished, run))
        return handle

    def _on_started(self, run: _Run, row: MethodRow) -> None:
        self._panel.model.set_status(row.name, "running")
        fraction = run.fraction(0.0)
        self._panel.set_progress(fraction, row.title, run.eta_seconds(fraction))

    def _on_progress(self, run: _Run, row: MethodRow, progress: Progress) -> None:
        fraction = run.fraction(progress.fraction)
        self._panel.model.set_status(row.name, f"{100 * progress.fraction:.0f} %")
        stage = "" if progress.stage in ("", row.title) else f", {progress.stage}"
        self._panel.set_progress(fraction, row.title + stage, run.eta_seconds(fraction))

    def _on_made(self, run: _Run, row: MethodRow, made: Reconstruction) -> None:
        self._panel.model.set_status(row.name, f"done {seconds_text(made.seconds)}")
        keep = self._panel.keep_earlier.isChecked()
        title = f"{row.title}, {row.variant}" if row.variant else row.title
        self._c.session.add_result(run.case.key, row.name, title, made, keep, row.settings)

    def _on_failed(self, run: _Run, row: MethodRow, error: BaseException, details: str) -> None:
        self._panel.model.set_status(row.name, "failed")
        run.failed[row.name] = run.failed.get(row.name, 0) + 1
        self._c.errors.report(f"Reconstruct with {row.title}", error, details)

    def _on_finished(self, run: _Run) -> None:
        run.ended += 1
        if run is not self._run or run.ended < run.total:
            return
        self._run = None
        self._panel.set_running(False)
        self._failed[run.case.key] = set(run.failed)
        self._show_states(self._c.session.current)
        self._say_end(run)
        self.running_changed.emit(False)

    def _say_end(self, run: _Run) -> None:
        seconds = time.monotonic() - run.began
        if any(handle.token.cancelled for handle in run.handles):
            self._c.say("Reconstruction cancelled; what was finished is kept")
        elif run.failed:
            self._c.say(f"{sum(run.failed.values())} of {run.total} reconstructions failed")
        else:
            self._c.say(f"Reconstructed in {seconds_text(seconds)}")

    def cancel(self) -> None:
        """Ask the run to stop; methods that have finished keep their results."""
        if self._run is None:
            return
        self._panel.set_cancelling()
        self._c.runner.cancel(list(self._run.handles))

    # --- results -------------------------------------------------------------------------------------------------------

    def remove_selected(self) -> None:
        """Remove the result of the selected pane; undo brings it back."""
        case = self._c.session.current
        result = None if case is None else case.result(case.selected)
        if case is None or result is None:
            self._c.say("Click a result first")
            return
        self._c.session.remove_results(case.key, f"remove {result.title}", result.key)

    def remove_stale(self) -> None:
        """Remove the results that were made with other masks."""
        case = self._c.session.current
        if case is None:
            return
        stale = [result.key for result in case.results if is_stale(result, case)]
        if not stale:
            self._c.say("All results were made with the mask on screen")
            return
        self._c.session.remove_results(case.key, "remove results of other masks", *stale)

    def methods_dialog(self) -> None:
        """Show all methods in a large table."""
        from app.review.methods_dialog import MethodsTableDialog

        MethodsTableDialog(self._panel.model, self._suits, self._panel.selected(), self._c.window).open()

    # --- settings and weights ------------------------------------------------------------------------------------------

    def settings_dialog(self, name: str) -> None:
        """Ask for the settings of a method."""
        from app.review.method_dialog import MethodDialog

        row = self._panel.model.row_of(name)
        if row is None or not row.options:
            return
        dialog = MethodDialog(row, self._c.window)
        dialog.accepted.connect(lambda: self._panel.model.set_settings(name, dialog.settings()))
        dialog.open()

    def import_weights_dialog(self) -> None:
        """Ask for published weights and where they come from, and import them."""
        path, _ = QFileDialog.getOpenFileName(self._c.window, "Import weights", self._c.settings.get("files/folder"))
        if path:
            self._list_sources(partial(self._ask_source, path))

    def _list_sources(self, then: Callable[[Sequence[WeightSource]], None]) -> None:
        handle = self._c.runner.submit("io", "List sources", lambda _: self._c.api.weight_sources(), quiet=True)
        handle.succeeded.connect(then)
        handle.failed.connect(partial(self._c.errors.report, "Import weights"))

    def no_weights_dialog(self, name: str) -> None:
        """Say that a network has no weights, and offer to import or to train some."""
        self._list_sources(partial(self._tell_no_weights, name))

    def _tell_no_weights(self, name: str, sources: Sequence[WeightSource]) -> None:
        from app.review.no_weights_dialog import IMPORT, NoWeightsDialog

        row = self._panel.model.row_of(name)
        if row is None or row.weights:
            return
        self._panel.select(name)
        titles = [source.title for source in sources if name in source.networks]
        dialog = NoWeightsDialog(row, titles, self._c.window)
        dialog.chosen.connect(lambda way: self.import_weights_dialog() if way == IMPORT else self.training_requested.emit(name))
        dialog.open()

    def _ask_source(self, path: str, sources: Sequence[WeightSource]) -> None:
        from app.review.weights_dialog import WeightsDialog

        dialog = WeightsDialog(path, sources, self._c.window, self._panel.selected())
        dialog.accepted.connect(lambda: self.import_weights(path, dialog.source()))
        dialog.open()

    def import_weights(self, path: str, source: str) -> None:
        """Import weights in the background, then list the methods anew."""
        handle = self._c.runner.submit("gpu", "Import weights", lambda _: self._c.api.import_weights(path, source))
        handle.succeeded.connect(self._on_imported)
        handle.failed.connect(partial(self._c.errors.report, "Import weights"))

    def _on_imported(self, name: str) -> None:
        self._c.say(f"Weights {name} were imported")
        self.load_methods()

    # --- the same on the command line ----------------------------------------------------------------------------------

    def copy_command(self) -> None:
        """Put the lines that do the same on the command line on the clipboard."""
        case = self._c.session.current
        if case is None or case.kspace is None:
            self._c.errors.report("Copy as command", InputError("there is no k-space to reconstruct", "Open a series first."))
            return
        QGuiApplication.clipboard().setText("\n".join(self.commands(case)))
        self._c.say("The command is on the clipboard")

    def commands(self, case: Case) -> list[str]:
        """Return one line for each ticked method, after those that make the file."""
        lines = list(case.commands)
        path = case.path or case.data.source or "FILE.h5"
        where = [] if self._panel.all_slices.isChecked() or case.slices == 1 else ["--slices", str(case.view.slice_index)]
        for row in self._panel.model.ticked():
            words = ["myoscope", "reconstruct", path, *case.reading, "--method", row.name]
            if row.chosen:
                words += ["--weights", row.chosen]
            for name, value in row.settings.items():
                words += ["--option", f"{name}={value}"]
            words += [*mask_options(case), *where, "--out", f"{row.name}.h5"]
            lines.append(shlex.join(words))
        return lines


def mask_options(case: Case) -> list[str]:
    """Return the options that make the mask of a case on the command line."""
    if case.mask_file:
        return ["--mask-file", case.mask_file]
    request: MaskRequest | None = case.request
    if request is None:
        return []
    words = ["--mask", request.pattern, "-R", f"{request.acceleration:g}", "--acs", str(request.acs), "--seed", str(request.seed)]
    if request.per_frame is not None:
        words.append("--per-frame" if request.per_frame else "--same-frame")
    for name, value in request.options.items():
        words += ["--mask-option", f"{name}={value}"]
    return words
