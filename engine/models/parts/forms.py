"""One switch between a part's fast form and its plain one (FFTs with coils, loops over frames, library decompositions).

Both forms compute the same numbers; the plain one is what a fast form is tested and measured against.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_plain: ContextVar[bool] = ContextVar("plain", default=False)
_rehearsal: ContextVar[bool] = ContextVar("rehearsal", default=False)
_valueless: ContextVar[bool] = ContextVar("valueless", default=False)


def plain() -> bool:
    """Return whether parts shall compute in their plain form."""
    return _plain.get()


@contextlib.contextmanager
def plain_forms() -> Iterator[None]:
    """Let all parts compute in their plain form inside the ``with`` block (of this thread)."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def pieces(total: int, step: int) -> range:
    """Return where the pieces of a long loop begin: only the first in a rehearsal, as the others take no more memory."""
    return range(0, min(total, step) if _rehearsal.get() else total, step)


@contextlib.contextmanager
def rehearsal() -> Iterator[None]:
    """Let loops over :func:`pieces` take the first only inside the ``with`` block: for runs whose values nobody wants."""
    token = _rehearsal.set(True)
    try:
        yield
    finally:
        _rehearsal.reset(token)


def valueless() -> bool:
    """Return whether tensors have no values here: what only repeats, and has no layers to be counted, may be done once."""
    return _valueless.get()


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """Say inside the ``with`` block that tensors have no values."""
    token = _valueless.set(True)
    try:
        yield
    finally:
        _valueless.reset(token)
