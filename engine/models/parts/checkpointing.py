"""Less memory while training: activations that are computed a second time instead of being kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, copy_context
from typing import TypeVar

import torch
from torch.utils.checkpoint import checkpoint

T = TypeVar("T")

# Below this the second computation, a third more work, buys nothing that matters.
WORTH_BYTES = 64 * 2**20

_least: ContextVar[float | None] = ContextVar("least", default=None)  # None: WORTH_BYTES


@contextlib.contextmanager
def recomputing(wanted: bool) -> Iterator[None]:
    """Inside the ``with`` block (of this thread) let every step be computed again, however small; or, False, let none be."""
    token = _least.set(0.0 if wanted else float("inf"))
    try:
        yield
    finally:
        _least.reset(token)


def recomputed(step: Callable[[], T], kept_bytes: float, again: Callable[[], AbstractContextManager[None]] = nullcontext) -> T:
    """Return ``step()``; under gradients, where it would keep more than ``WORTH_BYTES``, compute it again in the backward pass.

    :func:`recomputing` says otherwise.

    Parameters
    ----------
    step
        Deterministic, without side effects; what it uses is bound to it (``functools.partial``).
    kept_bytes
        About what the backward pass would keep of it.
    again
        Makes a context for the second computation, where the first one has a side effect that must not happen twice.
    """
    chosen = _least.get()
    if not torch.is_grad_enabled() or kept_bytes < (WORTH_BYTES if chosen is None else chosen):
        return step()
    # On a GPU the backward pass is a thread of its own, to which plain or fast forms must be told.
    inside = copy_context()
    result: T = checkpoint(
        inside.run, step, use_reentrant=False, preserve_rng_state=False, context_fn=lambda: (nullcontext(), again())
    )
    return result
