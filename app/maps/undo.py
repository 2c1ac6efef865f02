"""Edits of the Maps workspace that a person may want back: settings, ranges, contours, removed and replaced maps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtGui import QUndoCommand

from app.display.map_state import Drawing, FitSettings
from app.session import Case, MapResult, Session

_MAPS = 10
_RANGE = 11
_POINT = 12


class SetMaps(QUndoCommand):
    """Replace the list of maps: a fit took the place of an earlier one, or maps were removed. Maps of one ``run`` are one step."""

    def __init__(self, session: Session, case: Case, text: str, maps: tuple[MapResult, ...], run: int = 0) -> None:
        super().__init__(text)
        self._session, self._case, self._run = session, case, run
        self._old, self._new = case.maps, maps

    def id(self) -> int:
        """Return the merge group."""
        return _MAPS if self._run else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take the next map of the same run into this step."""
        if not isinstance(other, SetMaps) or other._case is not self._case or other._run != self._run:
            return False
        self._new = other._new
        return True

    def redo(self) -> None:
        """Show the new list."""
        self._session.set_maps(self._case, self._new)

    def undo(self) -> None:
        """Show the earlier one."""
        self._session.set_maps(self._case, self._old)


class ChangeFit(QUndoCommand):
    """Change how maps are fitted: model, times, sign, motion, efficiency."""

    def __init__(self, session: Session, case: Case, text: str, settings: FitSettings) -> None:
        super().__init__(text)
        self._session, self._case = session, case
        self._old, self._new = case.fit, settings

    def redo(self) -> None:
        """Apply the change."""
        self._session.set_fit(self._case, self._new)

    def undo(self) -> None:
        """Take it back."""
        self._session.set_fit(self._case, self._old)


class ChangeMapView(QUndoCommand):
    """Change how maps are looked at: the range of a scale. Moves of one ``drag`` are one step."""

    def __init__(self, session: Session, case: Case, text: str, drag: int = 0, **changes: Any) -> None:
        super().__init__(text)
        self._session, self._case, self._drag = session, case, drag
        self._new = changes
        self._old = {name: getattr(case.map_view, name) for name in changes}

    def id(self) -> int:
        """Return the merge group."""
        return _RANGE if "ranges" in self._new else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take a later move of the same drag into this one."""
        if not isinstance(other, ChangeMapView) or other._case is not self._case or other._drag != self._drag:
            return False
        self._new = other._new
        return True

    def redo(self) -> None:
        """Apply the change."""
        self._session.set_map_view(self._case, replace(self._case.map_view, **self._new))

    def undo(self) -> None:
        """Take it back."""
        self._session.set_map_view(self._case, replace(self._case.map_view, **self._old))


class Draw(QUndoCommand):
    """Change what was drawn on one or several slices. Moves of one ``drag`` are one step; 0 never merges."""

    def __init__(self, session: Session, case: Case, text: str, changes: dict[int, Drawing], drag: int = 0) -> None:
        super().__init__(text)
        self._session, self._case, self._drag = session, case, drag
        self._new = changes
        self._old = {index: case.drawings.get(index, Drawing()) for index in changes}

    def id(self) -> int:
        """Return the merge group."""
        return _POINT if self._drag else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take a later move of the same drag into this one."""
        if not isinstance(other, Draw) or other._case is not self._case or other._drag != self._drag:
            return False
        if other._new.keys() != self._new.keys():
            return False
        self._new = other._new
        return True

    def redo(self) -> None:
        """Apply the change."""
        self._apply(self._new)

    def undo(self) -> None:
        """Take it back."""
        self._apply(self._old)

    def _apply(self, changes: dict[int, Drawing]) -> None:
        drawings = {**self._case.drawings, **changes}
        self._session.set_drawings(self._case, {index: drawn for index, drawn in drawings.items() if not drawn.empty})
