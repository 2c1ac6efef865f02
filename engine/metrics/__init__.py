"""Image quality metrics: one file each, self-registering."""

from engine.metrics.contract import METRICS, MetricSpec

__all__ = ["METRICS", "MetricSpec"]
