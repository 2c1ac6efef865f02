"""Which actions can be used now, and which switches are on: read from the session, written nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction

from app.controllers.context import Context
from app.display.state import Component
from app.document.state import Topic
from app.review.reconstruct import ReconstructController


class AvailabilityController(QObject):
    """Keeps actions in step with the session and the run."""

    def __init__(self, context: Context, actions: Mapping[str, QAction], reconstruct: ReconstructController) -> None:
        super().__init__(context.window)
        self._c = context
        self._actions = actions
        self._reconstruct = reconstruct
        session = context.session
        session.listen(self.refresh, Topic.CURRENT, Topic.RESULTS, Topic.SAMPLING)
        session.listen(self._show_history, Topic.HISTORY)
        reconstruct.running_changed.connect(lambda _: self.refresh())
        session.listen(self.check, Topic.CURRENT, Topic.VIEW)
        self.refresh()
        self.check()
        self._show_history()

    def _show_history(self) -> None:
        """Say in the menu what can be taken back and made again."""
        history = self._c.session.history
        for key, word, step in (("edit.undo", "&Undo", history.undo_step), ("edit.redo", "&Redo", history.redo_step)):
            self._actions[key].setText(word if step is None else f"{word} {step.text}")
            self._actions[key].setEnabled(step is not None)

    def refresh(self) -> None:
        """Enable what can be used."""
        case = self._c.session.current
        loaded, kspace = case is not None, case is not None and case.kspace is not None
        results, running = bool(case is not None and case.results), self._reconstruct.running
        states = {
            "file.close_series": loaded,
            "file.simulate": case is not None and case.kspace is None and case.saved is None,
            "file.save_result": results,
            "edit.remove_result": results,
            "edit.remove_stale": results,
            "edit.copy_command": kspace,
            "edit.copy_scores": results,
            "edit.export_scores": results,
            "recon.run": kspace and not running,
            "recon.cancel": running,
            "recon.mask_file": kspace,
            **{key: loaded for key in self._actions if key.startswith("play.")},
        }
        for key, enabled in states.items():
            self._actions[key].setEnabled(enabled)

    def check(self) -> None:
        """Set the marks of switches."""
        case = self._c.session.current
        if case is not None:
            for component in Component:
                self._actions[f"view.{component}"].setChecked(case.view.component is component)
            self._actions["view.region"].setChecked(case.view.show_region)
            self._actions["view.profile"].setChecked(case.view.show_profile)
            self._actions["view.divider"].setChecked(case.view.divider is not None)
            for key in self._actions:
                if key.startswith("tool."):
                    self._actions[key].setChecked(key == f"tool.{case.view.tool}")
        self._actions[f"view.{self._c.settings.get('window/theme')}"].setChecked(True)
