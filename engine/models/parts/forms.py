"""Switches of a thread that say how parts compute.

The first chooses between a part's fast form and its plain one (FFTs with coils, loops over frames, library decompositions): both
compute the same numbers, and the plain one is what a fast form is tested and measured against. The others are for runs whose values
nobody wants: rehearsals, and walks without values.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar

_plain: ContextVar[bool] = ContextVar("plain", default=False)
_rehearsal: ContextVar[bool] = ContextVar("rehearsal", default=False)


@contextlib.contextmanager
def _raised(flag: ContextVar[bool]) -> Iterator[None]:
    """Raise a flag (of this thread) inside the ``with`` block."""
    token = flag.set(True)
    try:
        yield
    finally:
        flag.reset(token)


def plain() -> bool:
    """Return whether parts shall compute in their plain form."""
    return _plain.get()


def plain_forms() -> AbstractContextManager[None]:
    """Let all parts compute in their plain form inside the ``with`` block (of this thread)."""
    return _raised(_plain)


def pieces(total: int, step: int) -> range:
    """Return where the pieces of a long loop begin: only the first in a rehearsal, as the others take no more memory."""
    return range(0, min(total, step) if _rehearsal.get() else total, step)


def rehearsal() -> AbstractContextManager[None]:
    """Let loops over :func:`pieces` take the first only inside the ``with`` block: for runs whose values nobody wants."""
    return _raised(_rehearsal)
