"""What a metric is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.core.axes import X, Y
from engine.core.errors import InputError, ShapeError
from engine.core.records.registries import MetricInfo
from engine.core.registry import Registry
from engine.core.types import Bool, Float


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric.

    Parameters
    ----------
    name, title, unit
        Registry name, name on screen, unit ("dB" or "").
    higher_is_better
        Direction.
    compute
        ``compute(estimate, reference, region, data_range) -> float``. ``estimate`` and ``reference`` are magnitudes, float32
        (frame, y, x); ``region`` is bool (y, x) or None for the whole image; ``data_range`` is the reference's maximum over
        the whole series of the slice. No metric rescales the estimate.
    source
        Paper, with the parameters used.
    takes_region
        Whether it can be restricted to a region. One that cannot raises ``InputError`` when a region is given.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    compute: Callable[[Float, Float, Bool | None, float], float]
    source: str
    takes_region: bool = True

    @property
    def info(self) -> MetricInfo:
        """What a person is told of it."""
        return MetricInfo(self.name, self.title, self.unit, self.higher_is_better, self.takes_region, self.source)


METRICS: Registry[MetricSpec] = Registry("metric", "engine.metrics", "metrics")


def check_pair(estimate: Float, reference: Float, region: Bool | None) -> None:
    """Raise ``ShapeError`` unless the arrays belong together, ``InputError`` when the region is empty."""
    if estimate.shape != reference.shape or reference.ndim != 3:
        raise ShapeError(
            f"estimate and reference differ (expected (frame, y, x) {reference.shape} / found {estimate.shape})",
            "Compare the same frames at the same matrix size.",
        )
    if region is None:
        return
    if region.shape != reference.shape[Y:]:
        raise ShapeError(
            f"the region does not fit the images (expected y {reference.shape[Y]}, x {reference.shape[X]} / found {region.shape})",
            "Draw the region on images of this matrix size.",
        )
    if not np.any(region):
        raise InputError("the region is empty (expected at least one pixel / found none)", "Choose another region.")
