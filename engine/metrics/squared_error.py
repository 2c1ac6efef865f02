"""Sums of squares that PSNR and NMSE share."""

from __future__ import annotations

import numpy as np

from engine.core.types import Bool, Float


def sum_of_squares(images: Float, region: Bool | None) -> float:
    """Return the sum of squares of (frame, y, x) over ``region`` (y, x) and all frames, accumulated in double precision."""
    total = 0.0
    # Frame by frame: the double copy of one frame stays in the processor's cache.
    for frame in images:
        values = np.asarray(frame if region is None else frame[region], dtype=np.float64).ravel()
        total += float(np.dot(values, values))
    return total
