"""What a source gives: one slice, as images that an acquisition is simulated for, or as measured k-space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.types import Complex, Float, Kind


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """One slice of one subject.

    Parameters
    ----------
    images
        float32 or complex64 (frame, y, x); None when there is k-space.
    kspace
        complex64 (frame, coil, ky, kx), zero where nothing was measured; None when there are images.
    subject
        Who it is of: slices of one subject never stand on both sides of a split.
    times_ms
        (frame,) or None.
    acquired
        bool (frame or 1, ky, kx or 1), what was measured; None when all was.
    """

    images: NDArray[Any] | None
    kspace: Complex | None
    kind: Kind
    subject: str
    times_ms: Float | None = None
    acquired: NDArray[np.bool_] | None = None

    @property
    def periodic(self) -> bool:
        """Whether the frames close a loop."""
        return self.kind is Kind.CINE
