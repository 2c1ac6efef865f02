"""The document: all cases and which is on screen. What differs between two of its states has a topic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final

from app.display.map_state import FitSettings
from app.document.case import Case


class Topic(StrEnum):
    """What may change."""

    CASES = "cases"  # the list
    CURRENT = "current"  # another one is on screen
    TITLE = "title"
    SAMPLING = "sampling"
    REFERENCE = "reference"
    REGION = "region"
    PREVIEW = "preview"
    RESULTS = "results"
    PENDING = "pending"  # what a session file told but is not there yet
    VIEW = "view"
    SELECTED = "selected"  # the pane of Review
    MAPS = "maps"
    FIT = "fit"
    MAP_VIEW = "map_view"
    MAP_SELECTED = "map_selected"  # the pane of Maps
    DRAWINGS = "drawings"
    HISTORY = "history"  # what can be undone


#: Topic of each field of a case; those that are missing belong to the case as such.
TOPICS: Final[Mapping[str, Topic]] = {
    "request": Topic.SAMPLING,
    "mask": Topic.SAMPLING,
    "mask_file": Topic.SAMPLING,
    "reference": Topic.REFERENCE,
    "reference_slices": Topic.REFERENCE,
    "reference_memory": Topic.REFERENCE,
    "reference_failed": Topic.REFERENCE,
    "region": Topic.REGION,
    "preview": Topic.PREVIEW,
    "results": Topic.RESULTS,
    "pending": Topic.PENDING,
    "view": Topic.VIEW,
    "seen": Topic.VIEW,
    "selected": Topic.SELECTED,
    "maps": Topic.MAPS,
    "fit": Topic.FIT,
    "map_view": Topic.MAP_VIEW,
    "map_selected": Topic.MAP_SELECTED,
    "drawings": Topic.DRAWINGS,
}
FIELDS: Final = tuple(record.name for record in fields(Case))
#: Fields whose values are compared, not only looked at: a change to the same is none.
_COMPARED: Final = ("title", "mask_file", "reference_failed", "view", "seen", "selected", "map_view", "map_selected", "drawings")


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """All cases in their order, and the key of the one on screen ("" for none)."""

    cases: tuple[Case, ...] = ()
    current_key: str = ""

    @property
    def current(self) -> Case | None:
        """The case on screen."""
        return self.find(self.current_key)

    def find(self, key: str) -> Case | None:
        """Return the case with this key."""
        return next((case for case in self.cases if case.key == key), None)

    def index(self, key: str) -> int:
        """Return where a case stands; -1 when it does not."""
        return next((index for index, case in enumerate(self.cases) if case.key == key), -1)

    def with_case(self, case: Case) -> Document:
        """Return a document in which ``case`` stands for the case of the same key."""
        return replace(self, cases=tuple(case if other.key == case.key else other for other in self.cases))


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One step from a state to the next.

    Parameters
    ----------
    make
        Returns the next state; the same when there is nothing to change.
    text
        What a person reads after "Undo"; "" for what is not undone: results that were computed, looking about.
    merge
        Successive changes of one merge name are one step of undo: the moves of a drag.
    """

    make: Callable[[Document], Document]
    text: str = ""
    merge: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """What is other than before.

    Parameters
    ----------
    topics
        Of the list and of the case on screen.
    cases
        Topics of every case that changed, by its key.
    undone, redone
        What was taken back, or made again; "" when it was another change.
    final
        What was edited but cannot be undone, because it holds more memory than the budget allows; "" otherwise.
    """

    topics: frozenset[Topic]
    cases: Mapping[str, frozenset[Topic]] = field(default_factory=dict)
    undone: str = ""
    redone: str = ""
    final: str = ""


def edited(case: Case, changes: Mapping[str, Any]) -> Case:
    """Return a case with other values of some fields; the same object when nothing is other."""
    other = {name: value for name, value in changes.items() if not _same(name, getattr(case, name), value)}
    return replace(case, **other) if other else case


def _same(name: str, old: Any, new: Any) -> bool:
    if old is new:
        return True
    if isinstance(old, FitSettings):
        return old.same(new)
    return name in _COMPARED and bool(old == new)


def settled(old: Document, new: Document) -> Document:
    """Return a state in which what belongs together does: a preview to its mask, the case on screen to the list."""
    for case in new.cases:
        if case.preview is not None and case.preview.mask is not case.mask:
            new = new.with_case(replace(case, preview=None))
    if new.index(new.current_key) < 0 and (new.cases or new.current_key):
        # Its neighbour on the list takes the place of a case that went.
        at = min(max(0, old.index(new.current_key)), len(new.cases) - 1)
        new = replace(new, current_key=new.cases[at].key if new.cases else "")
    return new


def difference(old: Document, new: Document) -> tuple[frozenset[Topic], dict[str, frozenset[Topic]]]:
    """Return the topics of the list and the case on screen, and those of every case, in which two states differ."""
    topics: set[Topic] = set()
    before = {case.key: case for case in old.cases}
    if [case.key for case in old.cases] != [case.key for case in new.cases]:
        topics.add(Topic.CASES)
    cases = {
        case.key: frozenset(TOPICS.get(name, Topic.TITLE) for name in FIELDS if getattr(case, name) is not getattr(earlier, name))
        for case in new.cases
        if (earlier := before.get(case.key)) is not None and earlier is not case
    }
    if old.current_key != new.current_key:
        topics.add(Topic.CURRENT)
    topics |= cases.get(new.current_key, frozenset())
    return frozenset(topics), {key: found for key, found in cases.items() if found}
