"""What a person says about a file goes before what the file says: kind and times, checked at the door; and what nobody says."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError, ShapeError
from engine.core.geometry import Geometry
from engine.core.requests import OpenOptions
from engine.core.types import Kind


def checked_kind(options: OpenOptions, found: Kind) -> Kind:
    """Return the kind given in ``options``, else the one ``found``; raise ``InputError`` for an unknown word."""
    if options.kind is None:
        return found
    known = [str(kind) for kind in Kind]
    if options.kind not in known:
        near = difflib.get_close_matches(options.kind, known, n=1)
        raise InputError(
            f"unknown kind of series {options.kind!r} (expected {', '.join(known)})",
            f"Did you mean {near[0]}?" if near else "Leave the kind away when the file tells it.",
        )
    return Kind(options.kind)


def series_times(options: OpenOptions, found: Any, shape: Sequence[int]) -> NDArray[np.float32] | None:
    """Return the times given in ``options``, else those ``found`` in the file, or None; ``shape`` begins (slice, frame)."""
    if options.times_ms is None:
        return None if found is None else np.asarray(found, np.float32)
    if len(options.times_ms) != shape[1]:
        raise ShapeError(
            f"--times does not fit the series (expected {shape[1]} times, one for each frame / found {len(options.times_ms)})",
            "Give one time in milliseconds for each frame, separated by commas.",
        )
    return np.asarray(options.times_ms, np.float32)


def unknown_words(geometry: Geometry) -> tuple[str, ...]:
    """Return what a file does not tell of where its pixels lie, in words."""
    return (*(() if geometry.known else ("orientation",)), *(("voxel size",) if geometry.voxel_mm is None else ()))
