"""What can be undone and made again, under a budget of memory: the oldest steps go first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from app.document.case import Case
from app.document.memory import RECORD_BYTES, arrays_of
from app.document.patch import ABSENT, Patch, Was, put_back
from app.document.state import TOPICS, Document, Topic

STEPS: Final = 1000
"""More steps than this are never kept, however small they are."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One edit: its words, the name under which it merges, and what is to be put back."""

    text: str
    merge: str
    patch: Patch

    @property
    def case_keys(self) -> tuple[str, ...]:
        """Keys of the cases it touched; those that it takes off the list are last."""
        came = [place[1] for place, was in self.patch.items() if place[0] == "cases" and was.value is not ABSENT]
        went = [place[1] for place, was in self.patch.items() if place[0] == "cases" and was.value is ABSENT]
        edited = [place[0] for place in self.patch if place[0] != "cases"]
        return tuple(dict.fromkeys([*came, *edited, *went]))

    @property
    def topics(self) -> frozenset[Topic]:
        """What it changes."""
        return frozenset(Topic.CASES if place[0] == "cases" else TOPICS.get(place[1], Topic.TITLE) for place in self.patch)


class History:
    """Steps done and undone.

    Parameters
    ----------
    budget_bytes
        How much memory steps may hold beyond what the document holds itself.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._done: list[Step] = []
        self._undone: list[Step] = []

    def __len__(self) -> int:
        return len(self._done)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, done and undone, in the order in which they were made."""
        return (*self._done, *reversed(self._undone))

    @property
    def undo_step(self) -> Step | None:
        """What undo takes back next."""
        return self._done[-1] if self._done else None

    @property
    def redo_step(self) -> Step | None:
        """What redo makes again next."""
        return self._undone[-1] if self._undone else None

    def add(self, text: str, merge: str, patch: Patch) -> None:
        """Add an edit that was made just now; what had been undone is forgotten."""
        last = self.undo_step
        if last is not None and merge and not self._undone and last.merge == merge:
            # What was there before the first of them is what undo shows.
            self._done[-1] = replace(last, patch={**patch, **last.patch})
        else:
            self._done.append(Step(text, merge, patch))
        self._undone.clear()

    def undo(self, document: Document) -> Document:
        """Return the state with the last edit taken back."""
        return _move(self._done, self._undone, document)

    def redo(self, document: Document) -> Document:
        """Return the state with the edit that was taken back last made again."""
        return _move(self._undone, self._done, document)

    def clear(self) -> None:
        """Forget everything: the document is another one."""
        self._done.clear()
        self._undone.clear()

    def edit_absent(self, key: str, make: Callable[[Case], Case]) -> None:
        """Change a case that was taken off the list, so that what was finished since comes back with it."""
        for steps in (self._done, self._undone):
            for index, step in enumerate(steps):
                was = step.patch.get(("cases", key))
                if was is not None and was.value is not ABSENT:
                    steps[index] = replace(step, patch={**step.patch, ("cases", key): Was(make(was.value), was.index)})

    def bytes_beside(self, document: Document) -> int:
        """Return how many bytes the steps hold that the document does not."""
        counted = set(arrays_of(document))
        return sum(_size(step, counted) for step in self._done + self._undone)

    def trim(self, document: Document) -> None:
        """Forget steps until the budget is kept: those furthest from now first, the undone ones before those that were done."""
        del self._done[:-STEPS]
        left, counted = self.budget_bytes, set(arrays_of(document))
        for steps in (self._done, self._undone):
            kept = 0
            for step in reversed(steps):
                left -= _size(step, counted)
                if left < 0:
                    break
                kept += 1
            del steps[: len(steps) - kept]


def _move(source: list[Step], target: list[Step], document: Document) -> Document:
    step = source.pop()
    document, there = put_back(document, step.patch)
    # A drag that was taken back is over: what follows is a step of its own.
    target.append(replace(step, patch=there, merge=""))
    shown = next((key for key in step.case_keys if document.find(key) is not None), "")
    return replace(document, current_key=shown) if shown else document


def _size(step: Step, counted: set[int]) -> int:
    """Return the bytes that a step adds to what is counted already, and count them."""
    arrays = arrays_of([was.value for was in step.patch.values()])
    size = RECORD_BYTES * len(step.patch) + sum(size for key, size in arrays.items() if key not in counted)
    counted |= arrays.keys()
    return size
