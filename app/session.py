"""The document in the window: its state, the one way to change it, and the one signal that says what changed. Does no work."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from PySide6.QtCore import QObject, Signal

from app.display.snapshot import SessionSnapshot
from app.display.state import ViewState
from app.document.case import Case
from app.document.history import History
from app.document.patch import patch_between
from app.document.results import saved_result, snapshot, with_reference, with_result
from app.document.state import Change, Changed, Document, Topic, difference, edited, settled
from engine.core.records.plain import Plain
from engine.core.types import Complex, ImageSeries, KSpaceSeries, Reconstruction, Score

BUDGET_BYTES: Final = 1 << 30
"""What undo may hold until the settings say."""
_NUMBER: Final = re.compile(r"-([0-9]{1,9})$")


def highest_number(document: Document) -> int:
    """Return the largest number in the keys and stamps of a document, 0 when there is none."""
    used = [0]
    for case in document.cases:
        keys = [case.key, *(result.key for result in case.results), *(pending.key for pending in case.pending)]
        used += [int(found[0]) for key in keys if (found := _NUMBER.findall(key))]
        used += [*(result.stamp for result in case.results), *(maps.stamp for maps in case.maps)]
    return max(used)


class Session(QObject):
    """All cases, and what can be undone. Changed on the GUI thread only, by :meth:`apply`.

    Signals
    -------
    changed(Changed)
        The state is another one.
    """

    changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = Document()
        self.history = History(BUDGET_BYTES)
        #: Names of methods on screen, by registry name; empty until the catalogue is there.
        self.titles: Mapping[str, str] = {}
        self._numbers = itertools.count(1)

    @property
    def cases(self) -> tuple[Case, ...]:
        """All cases as they are now."""
        return self.state.cases

    @property
    def current(self) -> Case | None:
        """The case on screen as it is now."""
        return self.state.current

    def find(self, key: str) -> Case | None:
        """Return the case with this key as it is now."""
        return self.state.find(key)

    def number(self) -> int:
        """Return a number that was not used before, for keys and stamps."""
        return next(self._numbers)

    def listen(self, slot: Callable[[], Any], *topics: Topic) -> None:
        """Call ``slot()`` once after each change of one of these topics: of the list, or of the case on screen."""
        wanted = frozenset(topics)
        self.changed.connect(lambda change: slot() if change.topics & wanted else None)

    def set_budget(self, budget_bytes: int) -> None:
        """Say how much memory undo may hold; steps that are too much are forgotten, the oldest first."""
        self.history.budget_bytes = budget_bytes
        self.history.trim(self.state)
        self.changed.emit(Changed(frozenset({Topic.HISTORY})))

    # --- change --------------------------------------------------------------------------------------------------------

    def apply(self, change: Change) -> None:
        """Take the next state; say what changed; keep what it needs to be undone when the change has words for that."""
        old = self.state
        new = settled(old, change.make(old))
        if new is old:
            return
        final = ""
        if change.text:
            patch = patch_between(old, new)
            if patch:
                self.history.add(change.text, change.merge, patch)
                self.history.trim(new)
                final = "" if self.history.undo_step is not None else change.text
        self._take(new, bool(change.text), final=final)

    def edit(self, key: str, text: str = "", merge: str = "", **fields: Any) -> None:
        """Change fields of a case; those that stay the same are no change. See :class:`~app.document.state.Change`."""
        self.edit_with(key, lambda case: edited(case, fields), text, merge)

    def edit_with(self, key: str, make: Callable[[Case], Case], text: str = "", merge: str = "") -> None:
        """Put what ``make`` returns for a case in its place; one that was taken off the list is changed where undo keeps it."""
        case = self.find(key)
        if case is None:
            self.history.edit_absent(key, make)
            return
        made = make(case)
        if made is not case:
            self.apply(Change(lambda document: document.with_case(made), text, f"{merge} of {key}" if merge else ""))

    def undo(self) -> None:
        """Take the last edit back, and show the case it was made in."""
        step = self.history.undo_step
        if step is not None:
            self._take(self.history.undo(self.state), True, undone=step.text)

    def redo(self) -> None:
        """Make the edit again that was taken back last."""
        step = self.history.redo_step
        if step is not None:
            self._take(self.history.redo(self.state), True, redone=step.text)

    def _take(self, new: Document, undoable: bool, **words: str) -> None:
        old, self.state = self.state, settled(self.state, new)
        topics, cases = difference(old, self.state)
        if undoable:
            topics |= {Topic.HISTORY}
        self.changed.emit(Changed(topics, cases, **words))

    # --- cases ---------------------------------------------------------------------------------------------------------

    def new_case(self, data: KSpaceSeries | ImageSeries, title: str, path: str = "", commands: tuple[str, ...] = ()) -> Case:
        """Return a case that is not yet part of the session; the view starts in the middle slice."""
        view = ViewState(slice_index=int(data.shape[0]) // 2)
        return Case(f"case-{self.number()}", title, data, path, commands, view=view)

    def insert(self, case: Case) -> None:
        """Add a case at the end of the list and show it."""
        self.apply(Change(lambda document: Document((*document.cases, case), case.key)))

    def put_in_place(self, key: str, case: Case, text: str) -> None:
        """Put a case in the place of another one and show it; undo gives the place back."""

        def make(document: Document) -> Document:
            return Document(tuple(case if other.key == key else other for other in document.cases), case.key)

        self.apply(Change(make, text))

    def remove(self, key: str) -> None:
        """Take a case off the list; undo brings it back. A neighbour comes on screen."""
        case = self.find(key)
        if case is not None:
            rest = tuple(other for other in self.cases if other is not case)
            self.apply(Change(lambda document: replace(document, cases=rest), f"remove {case.title}"))

    def select(self, key: str) -> None:
        """Show a case."""
        if self.find(key) is not None:
            self.apply(Change(lambda document: document if document.current_key == key else replace(document, current_key=key)))

    # --- what is made from a case --------------------------------------------------------------------------------------

    def set_reference(self, key: str, slices: tuple[int, ...], images: Complex) -> None:
        """Add reference images (slice, frame, y, x) of ``slices``."""
        self.edit_with(key, lambda case: with_reference(case, slices, images))

    def add_result(
        self,
        key: str,
        method: str,
        title: str,
        made: Reconstruction,
        keep_earlier: bool = False,
        options: Mapping[str, Plain] | None = None,
        scores: Mapping[tuple[str, str], Score] | None = None,
        percentile: float | None = None,
    ) -> None:
        """Add what a method made to a case, or what it has made by now: see :func:`app.document.results.with_result`.

        A result of the same method that was made otherwise is replaced in place unless ``keep_earlier``; undo shows it again,
        beside the new one.
        """
        number, replaced = self.number(), None

        def make(case: Case) -> Case:
            nonlocal replaced
            case, replaced = with_result(case, number, method, title, made, options or {}, keep_earlier, scores or {}, percentile)
            return case

        self.edit_with(key, make)
        if replaced is not None:
            self.remove_results(key, f"replace {title}", replaced.key)

    def remove_results(self, key: str, text: str, *results: str) -> None:
        """Remove results by their keys; undo brings them back."""
        self.edit_with(key, lambda case: replace(case, results=tuple(r for r in case.results if r.key not in results)), text)

    def add_saved(self, key: str, title: str, made: Reconstruction, file: str) -> None:
        """Add a reconstruction that was read from a file, beside all others."""
        number = self.number()

        def make(case: Case) -> Case:
            result = saved_result(case, f"{made.method}-{number}", title, made, number, file)
            return replace(case, results=(*case.results, result))

        self.edit_with(key, make)

    def set_file(self, key: str, result: str, stamp: int, file: str) -> None:
        """Say where the images of a result lie on disk, unless they are others by now."""

        def make(case: Case) -> Case:
            there = (replace(r, file=file) if (r.key, r.stamp) == (result, stamp) else r for r in case.results)
            return replace(case, results=tuple(there))

        self.edit_with(key, make)

    def open(self, document: Document) -> None:
        """Take another document in the place of this one; nothing of this one can be undone."""
        self.history.clear()
        self._numbers = itertools.count(1 + max(next(self._numbers), highest_number(document)))
        self._take(document, True)

    def set_titles(self, titles: Mapping[str, str]) -> None:
        """Say what methods are called; results that were read before it was known get their names."""
        self.titles = titles
        for case in self.cases:
            if case.saved is not None:
                self.edit(case.key, results=tuple(replace(r, title=titles.get(r.method, r.title)) for r in case.results))

    def set_scores(self, key: str, result: str, percentile: float, scores: Mapping[tuple[str, str], Score]) -> None:
        """Set the scores of one result, taken with the dynamic region at ``percentile``."""

        def make(case: Case) -> Case:
            scored = (replace(r, scores=dict(scores), percentile=percentile) if r.key == result else r for r in case.results)
            return replace(case, results=tuple(scored))

        self.edit_with(key, make)

    def snapshot(self) -> SessionSnapshot:
        """Return the current case, frozen for drawing."""
        return snapshot(self.current)
