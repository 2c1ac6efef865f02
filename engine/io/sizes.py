"""Sizes that a header claims, checked before memory is taken: against the bytes that are there, and against the machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.device import memory
from engine.core.errors import FormatError

# Deflate makes nothing smaller than one part in 1032.
DEFLATE_RATIO = 1032
GIB = 2.0**30


def check_claim(path: Path, name: str, shape: Sequence[int], dtype: Any, there: int) -> int:
    """Return the bytes that an array takes; raise ``FormatError`` when that is more than ``there`` or than the machine has.

    ``there`` is the largest number of bytes that the file can hold for it.
    """
    size = math.prod(int(n) for n in shape) * int(np.dtype(dtype).itemsize)
    if size > there:
        raise FormatError(
            f"{path.name} is damaged ({name} claims {size} bytes, shape {tuple(shape)} / found at most {there})",
            "Copy or export the file again and compare its size with the original's.",
        )
    check_memory(path, name, size)
    return size


def check_memory(path: Path, name: str, size: int) -> None:
    """Raise ``FormatError`` when ``size`` bytes are more than the memory of this machine."""
    total = memory().total_mib * 2.0**20
    if 0 < total < size:
        raise FormatError(
            f"{name} in {path.name} is too large to read at once (expected at most {total / GIB:.1f} GiB / found {size / GIB:.1f})",
            "Use a machine with more memory, or export fewer slices.",
        )
