"""Weights of networks: published ones are imported; a network without any says what can be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from app.controllers.context import Context
from app.review.methods_panel import MethodsPanel
from engine.core.records.weights import WeightSource


class WeightsController(QObject):
    """Imports weights, and offers to.

    Signals
    -------
    imported()
        There are more weights than before: the methods are to be listed anew.
    training_requested(method)
        Weights of a network are to be made.
    """

    imported = Signal()
    training_requested = Signal(str)

    def __init__(self, context: Context, panel: MethodsPanel) -> None:
        super().__init__(context.window)
        self._c = context
        self._panel = panel
        panel.import_requested.connect(self.import_weights_dialog)
        panel.model.weights_missing.connect(self.no_weights_dialog)

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
        self.imported.emit()
