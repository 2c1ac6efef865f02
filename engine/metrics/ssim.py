"""Structural similarity with the flat 7 x 7 window."""

from __future__ import annotations

from engine.core.types import Bool, Float
from engine.metrics.contract import METRICS, MetricSpec, check_pair
from engine.metrics.structural import mean_similarity


def ssim(estimate: Float, reference: Float, region: Bool | None, data_range: float) -> float:
    """Return the mean over frames of SSIM (Wang et al. 2004, eq. 13): 7 x 7 flat window, K1 .01, K2 .03, unbiased covariance.

    Windows that reach over the image's border do not count; in a region, the map is averaged over the windows centred on its
    pixels. This is scikit-image's ``structural_similarity(..., data_range=data_range)`` and fastMRI's SSIM.
    """
    check_pair(estimate, reference, region)
    return mean_similarity(estimate, reference, region, data_range, gaussian=False)


METRICS.register(
    "ssim",
    MetricSpec(
        "ssim", "SSIM", "", True, ssim, "Wang et al., IEEE Trans Image Process 2004;13:600; 7 x 7 flat, K1 .01, K2 .03, unbiased"
    ),
)
