"""A record as JSON values: the one function that ``--json``, events and cards are written by, and the types of such values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What :func:`plain` returns and ``json.loads`` reads."""

Plain: TypeAlias = "bool | int | float | str | Sequence[Plain] | Mapping[str, Plain] | None"
"""What a person can write in a configuration: values, and lists and tables of them. Records hold these, never ``Any``."""

_FORM: Final = "json"
FLAT: Final = {_FORM: "flat"}
"""Metadata of a field whose own fields are written in its place."""
BY_NAME: Final = {_FORM: "by name"}
"""Metadata of a tuple of records with a ``name``, which is written as an object with these names as keys."""
_KEY: Final = "json key"


def key(name: str) -> Mapping[str, str]:
    """Return the metadata of a field that is written under another name than its own."""
    return {_KEY: name}


def plain(value: object) -> Json:
    """Return records, mappings, sequences and arrays as JSON values; numbers that are not finite become null.

    Raises
    ------
    TypeError
        For what has no such form: a defect of ours.
    """
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str | PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, Sequence | np.ndarray):
        return [plain(entry) for entry in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _record(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def table(record: object) -> dict[str, Json]:
    """Return a record as a JSON object: its fields by name, in their order."""
    found = plain(record)
    if not isinstance(found, dict):
        raise TypeError(f"{type(record).__name__} is no record")
    return found


def frozen_mapping(values: Mapping[str, object]) -> MappingProxyType[str, object]:
    """Return a copy that cannot be changed, for ``__post_init__`` of records."""
    return MappingProxyType(dict(values))


def _record(value: object) -> dict[str, Json]:
    assert is_dataclass(value)
    written: dict[str, Json] = {}
    for field in fields(value):
        form, content = field.metadata.get(_FORM), getattr(value, field.name)
        if form == "flat":
            written |= table(content)
        elif form == "by name":
            written[field.name] = {str(one.name): _without_name(one) for one in content}
        else:
            written[field.metadata.get(_KEY, field.name)] = plain(content)
    return written


def _without_name(one: object) -> dict[str, Json]:
    return {name: entry for name, entry in table(one).items() if name != "name"}
