"""The list of results: what is taken off it, and how the same is made on the command line."""

from __future__ import annotations

import shlex

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from app.controllers.context import Context
from app.document.case import Case
from app.document.results import is_stale
from app.review.methods_panel import MethodsPanel
from engine.core.errors import InputError
from engine.core.requests import MaskRequest


class ResultsController(QObject):
    """Removes results (undo brings them back), and writes commands."""

    def __init__(self, context: Context, panel: MethodsPanel) -> None:
        super().__init__(context.window)
        self._c = context
        self._panel = panel

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
