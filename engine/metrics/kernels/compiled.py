"""How inner loops are compiled: the interpreter lock is released, and machine code is kept on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numba
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""An array inside compiled code, whose number type is found when it is compiled."""

# Sums may be taken in vector order and products fused; NaN and infinity keep their meaning. Without numpy's error model every
# division is a branch that may raise, and the loop around it is not vectorised (2.7 times slower).
_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz", "arcp"}, "error_model": "numpy"}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` on its first call and keep the result in numba's cache folder."""
    try:
        fast: Callable[..., Any] = numba.njit(function, cache=True, **_OPTIONS)
    except RuntimeError:
        # No folder can be written to, or the program is frozen into one file: compiled once for each run instead.
        fast = numba.njit(function, **_OPTIONS)
    return fast


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` for use inside other compiled functions."""
    fast: Callable[..., Any] = numba.njit(function, **_OPTIONS)
    return fast
