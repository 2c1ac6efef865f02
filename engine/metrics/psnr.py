"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math

import numpy as np

from engine.core.types import Bool, Float
from engine.metrics.contract import METRICS, MetricSpec, check_pair
from engine.metrics.squared_error import sum_of_squares


def psnr(estimate: Float, reference: Float, region: Bool | None, data_range: float) -> float:
    """Return 10 log10(data_range^2 / mean squared error) in dB, the mean over all frames and the region's pixels.

    Equal images give infinity.
    """
    check_pair(estimate, reference, region)
    pixels = reference[0].size if region is None else int(np.count_nonzero(region))
    error = sum_of_squares(estimate - reference, region) / (pixels * reference.shape[0])
    return math.inf if error == 0 else 10.0 * math.log10(data_range * data_range / error)


METRICS.register(
    "psnr",
    MetricSpec("psnr", "PSNR", "dB", True, psnr, "10 log10(L^2 / MSE) over all frames together; L = data range"),
)
