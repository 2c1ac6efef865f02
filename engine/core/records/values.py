"""Reading plain values: what a configuration, a provenance or an attribute holds under a name, and whether it is of a kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.core.records.plain import Plain


def at(values: Mapping[str, Plain], name: str, missing: Plain = None) -> Plain:
    """Return the value of a dotted name in nested tables, ``missing`` when it is not there."""
    place: Plain = values
    for part in name.split("."):
        if not isinstance(place, Mapping) or part not in place:
            return missing
        place = place[part]
    return place


def number_at(values: Mapping[str, Plain], name: str) -> float:
    """Return the number of a dotted name, 0 when there is none."""
    found = at(values, name)
    return float(found) if isinstance(found, int | float) else 0.0


def listed(value: Plain) -> Sequence[Plain]:
    """Return a list; raise ``TypeError`` for anything else: a file written by hand may hold anything."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"expected a list, found {value!r}")
    return value


def tabled(value: Plain) -> Mapping[str, Plain]:
    """Return a table; raise ``TypeError`` for anything else."""
    if not isinstance(value, Mapping):
        raise TypeError(f"expected a table, found {value!r}")
    return value


def number(value: Plain) -> float:
    """Return a number; raise ``TypeError`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, found {value!r}")
    return value
