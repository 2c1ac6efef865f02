"""Which actions can be used now, and which switches are on: read from the session, written nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction

from app.controllers.context import Context
from app.display.state import Component
from app.review.reconstruct import ReconstructController


class AvailabilityController(QObject):
    """Keeps actions in step with the session, the run and the undo stack."""

    def __init__(self, context: Context, actions: Mapping[str, QAction], reconstruct: ReconstructController) -> None:
        super().__init__(context.window)
        self._c = context
        self._actions = actions
        self._reconstruct = reconstruct
        session, undo = context.session, context.undo
        for signal in (session.case_changed, session.results_changed, session.mask_changed):
            signal.connect(self.refresh)
        for signal in (reconstruct.running_changed, undo.canUndoChanged, undo.canRedoChanged):
            signal.connect(self._refresh_later)
        undo.undoTextChanged.connect(lambda text: actions["edit.undo"].setText(f"&Undo {text}".rstrip()))
        undo.redoTextChanged.connect(lambda text: actions["edit.redo"].setText(f"&Redo {text}".rstrip()))
        session.view_changed.connect(self.check)
        self.refresh()
        self.check()

    def _refresh_later(self, _: bool) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Enable what can be used."""
        case, undo = self._c.session.current, self._c.undo
        loaded, kspace = case is not None, case is not None and case.kspace is not None
        results, running = bool(case is not None and case.results), self._reconstruct.running
        states = {
            "file.close_series": loaded,
            "file.simulate": case is not None and case.kspace is None and case.saved is None,
            "file.save_result": results,
            "edit.undo": undo.canUndo(),
            "edit.redo": undo.canRedo(),
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
        self._actions[f"view.{self._c.settings.get('window/theme')}"].setChecked(True)
