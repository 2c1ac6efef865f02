"""Edits a person may want back, as commands on one stack. Computations are not undone: they are kept as results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtGui import QUndoCommand

from app.display.state import ViewState
from app.session import Case, Result, Session

# Successive commands of one id merge: a drag of the window or of the profile is one step.
_MERGE_IDS = {"window": 1, "region_percentile": 2, "profile": 3}


class ChangeView(QUndoCommand):
    """Change one field of the view: window, region percentile, profile line, orientation. Moves of one ``drag`` are one step."""

    def __init__(self, session: Session, case: Case, text: str, drag: int = 0, **changes: Any) -> None:
        super().__init__(text)
        self._session = session
        self._case = case
        self._drag = drag
        self._new = changes
        self._old = {name: getattr(case.view, name) for name in changes}

    def id(self) -> int:
        """Return the merge group."""
        return _MERGE_IDS.get(next(iter(self._new)), -1) if len(self._new) == 1 else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take a later change of the same field in the same drag into this one."""
        if not isinstance(other, ChangeView) or other._case is not self._case or other._drag != self._drag:
            return False
        if other._new.keys() != self._new.keys():
            return False
        self._new = other._new
        return True

    def redo(self) -> None:
        """Apply the change."""
        self._session.set_view(self._case, _changed(self._case.view, self._new))

    def undo(self) -> None:
        """Take it back."""
        self._session.set_view(self._case, _changed(self._case.view, self._old))


def _changed(view: ViewState, changes: dict[str, Any]) -> ViewState:
    return replace(view, **changes)


class SetResults(QUndoCommand):
    """Replace the list of results: removing one, or all those of other masks."""

    def __init__(self, session: Session, case: Case, text: str, results: tuple[Result, ...]) -> None:
        super().__init__(text)
        self._session = session
        self._case = case
        self._gone = {result.key for result in case.results} - {result.key for result in results}
        self._removed: list[tuple[int, Result]] = []

    def redo(self) -> None:
        """Take the results away, as they are now: slices may have joined them since they were put back."""
        self._removed = [(index, result) for index, result in enumerate(self._case.results) if result.key in self._gone]
        self._session.set_results(self._case, tuple(r for r in self._case.results if r.key not in self._gone))

    def undo(self) -> None:
        """Put them back where they stood; what was made since stays."""
        results = list(self._case.results)
        for index, result in self._removed:
            results.insert(min(index, len(results)), result)
        self._session.set_results(self._case, tuple(results))


class RestoreReplaced(QUndoCommand):
    """A method was run again with another mask: undo brings the earlier result back beside the new one."""

    def __init__(self, session: Session, case: Case, text: str, replaced: list[Result]) -> None:
        super().__init__(text)
        self._session = session
        self._case = case
        self._replaced = replaced
        self._first = True

    def redo(self) -> None:
        """Leave the earlier results out (the first time they are out already)."""
        if self._first:
            self._first = False
            return
        gone = {result.key for result in self._replaced}
        # As they are now: slices may have joined them since they were put back.
        self._replaced = [r for r in self._case.results if r.key in gone]
        self._session.set_results(self._case, tuple(r for r in self._case.results if r.key not in gone))

    def undo(self) -> None:
        """Show the earlier results again."""
        self._session.set_results(self._case, (*self._case.results, *self._replaced))


class RemoveCase(QUndoCommand):
    """Take a series, with all that was made from it, off the list."""

    def __init__(self, session: Session, case: Case) -> None:
        super().__init__(f"remove {case.title}")
        self._session = session
        self._case = case
        self._index = 0

    def redo(self) -> None:
        """Take it off."""
        self._index = self._session.remove_case(self._case)

    def undo(self) -> None:
        """Put it back."""
        self._session.insert_case(self._case, self._index)


class ReplaceCase(QUndoCommand):
    """Put a series in the place of another one on the list: k-space of simulated coils in that of its images."""

    def __init__(self, session: Session, text: str, case: Case, made: Case) -> None:
        super().__init__(text)
        self._session = session
        self._case = case
        self._made = made

    def redo(self) -> None:
        """Show the new one."""
        self._swap(self._case, self._made)

    def undo(self) -> None:
        """Show the earlier one."""
        self._swap(self._made, self._case)

    def _swap(self, old: Case, new: Case) -> None:
        self._session.insert_case(new, after=old)
        self._session.remove_case(old)
