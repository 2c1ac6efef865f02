"""``exp(-x)`` in plain arithmetic, so that the compiler computes several at once: numba calls the C library one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

LARGEST = 700.0  # exp(-x) is nothing long before
LOG2_E = 1.4426950408889634
LN2_HIGH = 0.693147180369123816490  # 32 bits, so that its product with a small integer is exact
LN2_LOW = 1.90821492927058770002e-10
# Adding it leaves an integer in the low bits: 1.5 * 2^52.
ROUND = 6755399441055744.0
EXPONENT_BIAS = 1023
MANTISSA_BITS = 52


def _exactly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile without reassociation: it would cancel the constant that rounds."""
    fast: Callable[..., Any] = numba.njit(function, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy", inline="never")
    return fast


@_exactly
def exp_minus(x: float) -> float:
    """Return ``exp(-x)`` for x >= 0 to 1e-14 of its value, double precision.

    ``-x = k ln 2 + r`` with an integer k and ``|r| <= ln 2 / 2``; the exponential of r is its Taylor polynomial of degree 11, whose
    remainder is below 7e-15 there, and k goes into the exponent.
    """
    x = -min(x, LARGEST)
    shifted = x * LOG2_E + ROUND
    k = shifted - ROUND
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    bits = (np.float64(shifted).view(np.int64) + EXPONENT_BIAS) << MANTISSA_BITS
    return p * np.int64(bits).view(np.float64)
