"""Coil maps and reference images, kept by content of the question, bounded, safe between threads."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from engine.core.types import KSpaceSeries, SamplingMask

T = TypeVar("T")


class Cache(Generic[T]):
    """Keeps the most recently used values up to a number of bytes; values belong to a series and go when it goes.

    Parameters
    ----------
    limit_bytes
        Values are dropped, oldest first, so that the sum of ``size(value)`` stays below this.
    size
        Bytes that a value holds.
    """

    def __init__(self, limit_bytes: int, size: Callable[[T], int]) -> None:
        self._limit = limit_bytes
        self._size = size
        self._values: OrderedDict[tuple[int, Hashable], T] = OrderedDict()
        self._owners: dict[int, Any] = {}
        # The garbage collector may call back at any moment, also while this very thread holds the lock: what is gone is only
        # noted then (appending is atomic) and dropped by whoever comes next.
        self._gone: deque[int] = deque()
        self._lock = threading.Lock()

    def get(self, series: KSpaceSeries, question: Hashable, make: Callable[[], T]) -> T:
        """Return the kept value for ``question`` about ``series`` or make it now."""
        with self._lock:
            key = (self._identity(series), question)
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._drop_gone()
            self._values[key] = value
            while len(self._values) > 1 and sum(map(self._size, self._values.values())) > self._limit:
                self._values.popitem(last=False)
        return value

    def _identity(self, series: KSpaceSeries) -> int:
        # The reader is what the values depend on; it is watched so that a new object at the same address is not mistaken for it.
        self._drop_gone()
        owner = series.reader
        identity = id(owner)
        if identity not in self._owners:
            self._owners[identity] = weakref.ref(owner, lambda _: self._forget(identity))
        return identity

    def _forget(self, identity: int) -> None:
        self._gone.append(identity)
        if self._lock.acquire(blocking=False):
            try:
                self._drop_gone()
            finally:
                self._lock.release()

    def _drop_gone(self) -> None:
        """Drop the values of series that are gone. The lock is held."""
        while self._gone:
            identity = self._gone.popleft()
            self._owners.pop(identity, None)
            for key in [key for key in self._values if key[0] == identity]:
                del self._values[key]


def mask_digest(mask: SamplingMask) -> str:
    """Return a hash of the mask's samples and its ACS."""
    return hashlib.sha256(mask.lines.tobytes() + repr((mask.lines.shape, mask.acs)).encode()).hexdigest()
