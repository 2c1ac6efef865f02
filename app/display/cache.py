"""A bounded memory of derived images, so that stepping through frames costs look-ups."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
_Key = tuple[tuple[int, ...], Hashable]
_Entry = tuple[tuple["weakref.ref[NDArray[Any]]", ...], Any, int]


class ArrayCache:
    """Least recently used values, keyed by the identity of the read-only arrays they were made from.

    The arrays are held weakly: what was derived from a removed result goes with it. Used on the GUI thread only.

    Parameters
    ----------
    budget_bytes
        Values are forgotten, oldest first, beyond this many bytes.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, sources: tuple[NDArray[Any], ...], key: Hashable, make: Callable[[], T]) -> T:
        """Return the value for ``key`` of ``sources``, made on first use."""
        full = (tuple(map(id, sources)), key)
        entry = self._entries.get(full)
        if entry is not None:
            # An id is used again once its array is gone, so the identity itself is checked.
            if all(held() is source for held, source in zip(entry[0], sources, strict=True)):
                self._entries.move_to_end(full)
                value: T = entry[1]
                return value
            self._drop(full)
        value = make()
        size = size_of(value)

        def gone(_: object) -> None:
            self._drop(full)

        held = tuple(weakref.ref(source, gone) for source in sources)
        self._entries[full] = (held, value, size)
        self.bytes += size
        self._trim()
        return value

    def set_budget(self, budget_bytes: int) -> None:
        """Change how much may be kept; what is too much goes at once."""
        self.budget_bytes = budget_bytes
        self._trim()

    def _trim(self) -> None:
        while self.bytes > self.budget_bytes and len(self._entries) > 1:
            self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.bytes = 0

    def _drop(self, key: _Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry[2]


def size_of(value: object) -> int:
    """Return the bytes of an array or of a tuple of arrays; other values count as little."""
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, tuple):
        return sum(size_of(part) for part in value) + 64
    return 64
