"""The Train workspace put together: its panels, its controllers, where they go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtWidgets import QWidget

from app.dialogs.closing import ClosingChoice
from app.train.controller import TrainController
from app.train.form import TrainFormController
from app.train.form_panel import TrainFormPanel
from app.train.panel import TrainPanel
from app.train.runs import TrainRunsController
from app.train.runs_panel import TrainLogPanel, TrainRunsPanel
from app.workspaces import LEFT, RIGHT, DockSpec, Panels


class TrainPage:
    """See :class:`app.workspaces.Page`. ``window`` is the main window."""

    def __init__(self, window: Any) -> None:
        context = window.context
        self._window = window
        self.panel, self.form_panel = TrainPanel(), TrainFormPanel()
        self.runs_panel, self.log_panel = TrainRunsPanel(), TrainLogPanel()
        self.widget: QWidget = self.panel
        self.docks: tuple[tuple[DockSpec, QWidget], ...] = (
            (DockSpec("train_form", "Training", LEFT, scrolls=False), self.form_panel),
            (DockSpec("train_runs", "Runs", RIGHT, scrolls=False), self.runs_panel),
            (DockSpec("train_log", "Log", RIGHT, scrolls=False), self.log_panel),
        )
        self.form = TrainFormController(context, self.form_panel)
        self.train = TrainController(context, self.panel, self.log_panel)
        self.runs = TrainRunsController(context, self.runs_panel, self.train, self.form, self._review)
        self.form.start_requested.connect(self.train.start_run)
        self.train.running_changed.connect(self.form.set_busy)
        self.train.running_changed.connect(self._on_running)
        self.train.progressed.connect(lambda text: window.top_bar.set_note("train", text))
        self._on_running(False)
        self.form.start()
        self.runs.refresh()

    def _on_running(self, on: bool) -> None:
        for key in ("train.pause", "train.stop", "train.discard"):
            self._window.actions_by_key[key].setEnabled(on)
        self._window.actions_by_key["train.start"].setEnabled(not on)

    def _review(self, network: str, weights: Sequence[str]) -> None:
        self._window.show_workspace("review")
        self._window.reconstruct.compare_weights(network, weights)
        if self._window.session.current is None:
            self._window.files.open_sample(SAMPLE)

    def set_active(self, active: bool) -> None:
        """Look for runs that were made elsewhere when it comes on screen."""
        if active:
            self.runs.refresh()

    def set_flip(self, on: bool) -> None:
        """Show the preview before training in the place of the one now."""
        self.panel.preview.set_flip(on)

    def zoom(self, factor: float) -> None:
        """Nothing here zooms."""

    def zoom_reset(self) -> None:
        """Nothing here zooms."""

    def closing_choice(self) -> ClosingChoice | None:
        """Return what must be decided about a run that is on."""
        return self.train.closing_choice()

    def close_with(self, way: str, then: Callable[[], Any]) -> None:
        """End the run as it was decided, then call ``then``."""
        self.train.close_with(way, then)

    def keep(self) -> Panels:
        """Return nothing: runs have folders of their own."""
        return {}

    def recall(self, panels: Panels) -> None:
        """Take nothing back."""

    def stop(self) -> None:
        """Stand still (the window closes)."""
        self.form.stop()
        self.train.stop()


SAMPLE = "porcine_cine"
"""What weights are compared on when nothing is open."""
