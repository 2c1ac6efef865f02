"""What a metric is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    compute: Callable[[Float, Float, Bool | None, float], float]
    source: str


METRICS: Registry[MetricSpec] = Registry("metric", "engine.metrics", "metrics")
