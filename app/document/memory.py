"""How much memory a part of the document holds: each array once, however many states share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

import numpy as np

PICTURES: Final = 4
"""The derived pictures take at most this part of the budget (one over it), and no more than they need to play a large series."""
PICTURE_BYTES: Final = 384 << 20
RECORD_BYTES: Final = 200
"""What a record without arrays is counted as: about what its objects take."""


def shares(budget_bytes: int) -> tuple[int, int]:
    """Return how a budget is divided: bytes for what can be undone, bytes for derived pictures."""
    pictures = min(PICTURE_BYTES, budget_bytes // PICTURES)
    return budget_bytes - pictures, pictures


def arrays_of(value: object) -> dict[int, int]:
    """Return the bytes of all arrays that ``value`` holds, by the identity of the memory they are a view of.

    Looks into records, tables, lists, and the attributes of the engine's readers. The identities hold while ``value`` does.
    """
    found: dict[int, int] = {}
    seen: set[int] = set()
    pending = [value]
    while pending:
        part = pending.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, np.ndarray):
            owner = _owner(part)
            found[id(owner)] = max(int(part.nbytes), int(getattr(owner, "nbytes", 0)))
        else:
            pending.extend(_parts(part))
    return found


def _owner(array: Any) -> object:
    """Return what owns the memory of an array: the end of the chain of views."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array


def _parts(value: object) -> Iterable[Any]:
    if isinstance(value, str | bytes | int | float | complex | type(None)):
        return ()
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, tuple | list | set | frozenset):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, record.name) for record in fields(value)]
    if type(value).__module__.startswith("engine."):
        return vars(value).values() if hasattr(value, "__dict__") else ()
    return ()
