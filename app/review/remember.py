"""What is set in the panels of Review, kept for the session file and taken back."""

from __future__ import annotations

import json
from collections.abc import Mapping

from PySide6.QtCore import QObject

from app.display.camera import camera_of, camera_values
from app.document.saved import PanelValue
from app.review.methods_panel import MethodsPanel
from app.review.panel import ReviewPanel
from app.workspaces import Panels
from engine.core.records.plain import Plain

WEIGHTS, SETTINGS = "weights ", "settings "


class ReviewMemory(QObject):
    """Keeps ticked methods with their weights and settings, how the player plays, zoom and pan."""

    def __init__(self, panel: ReviewPanel, methods: MethodsPanel, parent: QObject) -> None:
        super().__init__(parent)
        self._panel, self._methods = panel, methods
        #: Taken back when the table of methods is there: it needs torch.
        self._waiting: Mapping[str, PanelValue] = {}
        methods.model.modelReset.connect(self._recall_methods)

    def keep(self) -> Panels:
        """Return what is set."""
        chosen: dict[str, PanelValue] = {
            "ticked": list(self._methods.model.ticked_names()),
            "all_slices": self._methods.all_slices.isChecked(),
            "keep_earlier": self._methods.keep_earlier.isChecked(),
        }
        for row in self._methods.model.rows():
            if row.chosen:
                chosen[WEIGHTS + row.name] = row.chosen
            if row.settings:
                chosen[SETTINGS + row.name] = json.dumps(dict(row.settings))
        return {
            "review.camera": camera_values(self._panel.grid.camera),
            "review.player": self._panel.player.keep(),
            "review.methods": chosen,
        }

    def recall(self, panels: Panels) -> None:
        """Set the panels as they were kept; what is not there stays."""
        self._panel.grid.set_camera(camera_of(panels.get("review.camera", {})))
        self._panel.player.recall(panels.get("review.player", {}))
        self._waiting = panels.get("review.methods", {})
        if self._methods.model.rows():
            self._recall_methods()

    def _recall_methods(self) -> None:
        kept, self._waiting = self._waiting, {}
        model = self._methods.model
        ticked = kept.get("ticked")
        if isinstance(ticked, list):
            model.set_ticked([str(name) for name in ticked])
        for switch, name in ((self._methods.all_slices, "all_slices"), (self._methods.keep_earlier, "keep_earlier")):
            on = kept.get(name)
            if isinstance(on, bool):
                switch.setChecked(on)
        for row in model.rows():
            weights, settings = kept.get(WEIGHTS + row.name), kept.get(SETTINGS + row.name)
            if isinstance(weights, str) and weights in row.weights:
                model.choose_weights(row.name, weights)
            if isinstance(settings, str):
                model.set_settings(row.name, _settings(settings, {option.name for option in row.options}))


def _settings(text: str, known: set[str]) -> dict[str, Plain]:
    """Return the settings of a method that it still has."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {name: value for name, value in found.items() if name in known} if isinstance(found, dict) else {}
