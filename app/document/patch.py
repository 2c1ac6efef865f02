"""What differs between two states, as values to put back: an edit is undone without touching what came after it.

A step of undo holds for each place that it changed the value that was there. Putting it back yields the values that are there
now: the same record serves undo and redo, shares all memory with the states themselves, and knows of slices that joined since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

from app.document.case import Case
from app.document.state import FIELDS, Document

#: Fields that follow from others by themselves, or only say where one is: they are no part of an edit.
FOLLOWING: Final = frozenset({
    "preview", "region", "reference", "reference_slices", "reference_memory", "reference_failed",
    "seen", "selected", "map_selected", "pending",
})  # fmt: skip
#: Records whose fields are edits of their own, and lists whose members are known by their key.
RECORDS: Final = frozenset({"view", "fit", "map_view"})
LISTS: Final = frozenset({"results", "maps"})
TABLES: Final = frozenset({"drawings"})
#: What stands for a member that was not there.
ABSENT: Final = object()

Place = tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Was:
    """A value to put back, and the position on its list that it had (-1 where there is no list)."""

    value: Any
    index: int = -1


Patch = Mapping[Place, Was]


def patch_between(old: Document, new: Document) -> dict[Place, Was]:
    """Return what must be put back into ``new`` to undo what made it from ``old``."""
    made = {("cases", key): was for key, was in _members(old.cases, new.cases).items()}
    before = {case.key: case for case in old.cases}
    for case in new.cases:
        earlier = before.get(case.key)
        if earlier is not None and earlier is not case:
            made |= _fields(earlier, case)
    return made


def _members(old: tuple[Any, ...], new: tuple[Any, ...], deep: bool = False) -> dict[str, Was]:
    """Return the members that came, went or (when ``deep``) are others."""
    there, now = {member.key: member for member in old}, {member.key: member for member in new}
    places = {member.key: index for index, member in enumerate(old)}
    made = {key: Was(member, places[key]) for key, member in there.items() if key not in now or (deep and now[key] is not member)}
    return made | {key: Was(ABSENT) for key in now if key not in there}


def _fields(old: Case, new: Case) -> dict[Place, Was]:
    made: dict[Place, Was] = {}
    for name in FIELDS:
        before, after = getattr(old, name), getattr(new, name)
        if before is after or name in FOLLOWING:
            continue
        place = (new.key, name)
        if name in RECORDS:
            parts = (record.name for record in fields(before))
            made |= {(*place, part): Was(value) for part in parts if (value := getattr(before, part)) is not getattr(after, part)}
        elif name in LISTS:
            made |= {(*place, key): was for key, was in _members(before, after, deep=True).items()}
        elif name in TABLES:
            keys = {**before, **after}
            there = {key: (before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys}
            made |= {(*place, key): Was(first) for key, (first, second) in there.items() if first is not second}
        else:
            made[place] = Was(before)
    return made


def put_back(document: Document, patch: Patch) -> tuple[Document, dict[Place, Was]]:
    """Return the state with the values of a patch put back, and the patch that puts back what was there until now."""
    there: dict[Place, Was] = {}
    changes: dict[str, dict[str, Any]] = {}
    # Members of a list come back in the order in which they stood.
    for place, was in sorted(patch.items(), key=lambda item: item[1].index):
        if place[0] == "cases":
            cases, there[place] = _with_member(document.cases, place[1], was)
            document = replace(document, cases=cases)
            continue
        case = document.find(place[0])
        if case is None:
            continue
        name = place[1]
        edits = changes.setdefault(case.key, {})
        now = edits.get(name, getattr(case, name))
        if len(place) == 2:
            edits[name], there[place] = was.value, Was(now)
        elif is_dataclass(now) and not isinstance(now, type):
            edits[name], there[place] = replace(now, **{place[2]: was.value}), Was(getattr(now, place[2]))
        elif isinstance(now, Mapping):
            rest = {key: value for key, value in now.items() if key != place[2]}
            edits[name] = rest if was.value is ABSENT else {**rest, place[2]: was.value}
            there[place] = Was(now.get(place[2], ABSENT))
        else:
            edits[name], there[place] = _with_member(now, place[2], was)
    for key, edits in changes.items():
        case = document.find(key)
        assert case is not None
        document = document.with_case(replace(case, **edits))
    return document, there


def _with_member(members: tuple[Any, ...], key: str, was: Was) -> tuple[tuple[Any, ...], Was]:
    """Return a list with a member put back (or taken out), and the one that was there."""
    at = next((index for index, member in enumerate(members) if member.key == key), -1)
    now = Was(ABSENT) if at < 0 else Was(members[at], at)
    rest = [member for member in members if member.key != key]
    if was.value is not ABSENT:
        rest.insert(min(was.index if at < 0 else at, len(rest)), was.value)
    return tuple(rest), now
