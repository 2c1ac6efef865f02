"""Scores and regions."""

from __future__ import annotations

from collections.abc import Sequence

from engine.core.geometry import UNKNOWN, Geometry
from engine.core.jobs import Reporter, silent
from engine.core.records.registries import MetricInfo
from engine.core.types import (
    Complex,
    Kind,
    Region,
    Score,
)


def metrics() -> list[MetricInfo]:
    """Return all registered metrics."""
    from engine.metrics import METRICS

    return [metric.info for _, metric in METRICS.items()]


def evaluate(
    estimate: Complex,
    reference_images: Complex,
    metric_names: Sequence[str] = ("psnr", "ssim", "nmse"),
    region: Region | None = None,
    protocol: str = "myoscope",
    report: Reporter | None = None,
    kind: Kind = Kind.UNKNOWN,
) -> list[Score]:
    """Score an estimate against a reference, both (slice, frame, y, x). See :mod:`engine.evaluation.score`."""
    from engine.evaluation.score import score

    return score(estimate, reference_images, metric_names, region, protocol, report or silent(), kind)


def dynamic_region(reference_images: Complex, percentile: float = 90.0, geometry: Geometry = UNKNOWN) -> Region:
    """Return the dynamic region of CRUNet-MR (section 3.4): temporal standard deviation above its percentile, per slice."""
    from engine.evaluation.regions import dynamic_region as find

    return find(reference_images, percentile, geometry)


def static_region(reference_images: Complex, percentile: float = 90.0, geometry: Geometry = UNKNOWN) -> Region:
    """Return the complement of the dynamic region."""
    from engine.evaluation.regions import static_region as find

    return find(reference_images, percentile, geometry)


def region_by_name(name: str, reference_images: Complex, percentile: float = 90.0, geometry: Geometry = UNKNOWN) -> Region | None:
    """Return the region called whole (None), dynamic or static, or the one in a mask file of that path."""
    from engine.evaluation.regions import region_by_name as find

    return find(name, reference_images, percentile, geometry)
