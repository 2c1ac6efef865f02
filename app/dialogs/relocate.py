"""Data of a session that are not where they were: find them, use what is there, or open without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QGridLayout, QLabel, QWidget

from app.dialogs.base import FormDialog
from app.document.locate import Found, Verdict
from app.document.saved import SavedCase
from app.panels.parts import NORMAL, button, label

EXPLANATION = (
    "These data are not where they were, or their content is another. They were looked for beside the session file too. "
    "Those that stay missing are left out."
)


class RelocateDialog(FormDialog):
    """A line for each file: what it is, what was found, and a button to look for it.

    Signals
    -------
    file_chosen(key, path)
        A person says that the data of a case are here; :meth:`set_found` answers.
    """

    file_chosen = Signal(str, str)

    def __init__(self, session: str, lost: Sequence[SavedCase], found: Mapping[str, Found], parent: QWidget | None) -> None:
        super().__init__(f"Where are the data of {session}?", EXPLANATION, "Open", "relocate", parent)
        self.setMinimumWidth(620)
        self._places: dict[str, Path] = {}
        self._states: dict[str, QLabel] = {}
        self._folder = ""
        grid = QGridLayout()
        grid.setHorizontalSpacing(NORMAL)
        grid.setColumnStretch(0, 1)
        self.form.addRow(grid)
        for row, case in enumerate(lost):
            was = "" if case.origin.data is None else case.origin.data.path
            title, place = label(case.title, f"relocate.{case.key}.title"), label(was, f"relocate.{case.key}.place", "dim")
            place.setToolTip(was)
            state = self._states[case.key] = label("", f"relocate.{case.key}.state", "warning")
            state.setMinimumWidth(150)
            find = button("Find…", f"relocate.{case.key}.find", f"Choose where the data of {case.title} are now")
            find.clicked.connect(partial(self._ask, case.key, Path(was).name))
            for column, part in enumerate((title, state, find)):
                grid.addWidget(part, 2 * row, column)
            grid.addWidget(place, 2 * row + 1, 0, 1, 3)
            there = found[case.key]
            if there.verdict is Verdict.CHANGED and there.path is not None:
                self._show(case.key, there.path, False)
            else:
                state.setText("not found")
        self._refresh()

    def places(self) -> dict[str, Path]:
        """Return where data are, by the key of their case."""
        return dict(self._places)

    def set_found(self, checked: Mapping[str, tuple[str, bool]]) -> None:
        """Show what was found: path, and whether the content is the same."""
        for key, (path, same) in checked.items():
            self._show(key, Path(path), same)
        self._refresh()

    def _show(self, key: str, path: Path, same: bool) -> None:
        self._places[key] = path
        state = self._states[key]
        state.setText("found" if same else "another content: used as it is")
        state.setProperty("warning", not same)
        state.setProperty("good", same)
        state.style().unpolish(state)
        state.style().polish(state)
        state.setToolTip(str(path))

    def _refresh(self) -> None:
        missing = len(self._states) - len(self._places)
        accept = self.buttons.button(self.buttons.StandardButton.Ok)
        accept.setText("Open" if not missing else f"Open without {'it' if missing == 1 else f'{missing} of them'}")

    def _ask(self, key: str, name: str) -> None:
        path, _ = QFileDialog.getOpenFileName(self, f"Find {name}", self._folder, f"{name} ({name});;All files (*)")
        if path:
            self._folder = str(Path(path).parent)
            self.file_chosen.emit(key, path)
