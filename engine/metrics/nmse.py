"""Normalised mean squared error."""

from __future__ import annotations

from engine.core.errors import InputError
from engine.core.types import Bool, Float
from engine.metrics.contract import METRICS, MetricSpec, check_pair
from engine.metrics.squared_error import sum_of_squares


def nmse(estimate: Float, reference: Float, region: Bool | None, data_range: float) -> float:
    """Return ||estimate - reference||^2 / ||reference||^2 over all frames and the region's pixels; 0 is best.

    Raises
    ------
    InputError
        The reference is zero over the region.
    """
    del data_range
    check_pair(estimate, reference, region)
    norm = sum_of_squares(reference, region)
    if norm == 0:
        raise InputError("NMSE has no value where the reference is zero (expected a signal)", "Choose another region.")
    return sum_of_squares(estimate - reference, region) / norm


METRICS.register(
    "nmse",
    MetricSpec("nmse", "NMSE", "", False, nmse, "||e - r||^2 / ||r||^2 over all frames together (fastMRI, arXiv:1811.08839)"),
)
