"""Structural similarity with the 11 x 11 Gaussian window of the original paper."""

from __future__ import annotations

from engine.core.types import Bool, Float
from engine.metrics.contract import METRICS, MetricSpec, check_pair
from engine.metrics.structural import mean_similarity


def ssim_gaussian(estimate: Float, reference: Float, region: Bool | None, data_range: float) -> float:
    """Return the mean over frames of SSIM (Wang et al. 2004, eq. 13): 11 x 11 Gaussian window of sigma 1.5, K1 .01, K2 .03.

    Population covariance, as in the paper. Windows that reach over the image's border do not count; in a region, the map is
    averaged over the windows centred on its pixels.
    """
    check_pair(estimate, reference, region)
    return mean_similarity(estimate, reference, region, data_range, gaussian=True)


METRICS.register(
    "ssim_gaussian",
    MetricSpec(
        "ssim_gaussian",
        "SSIM (Gaussian)",
        "",
        True,
        ssim_gaussian,
        "Wang et al., IEEE Trans Image Process 2004;13:600; 11 x 11 Gaussian, sigma 1.5, K1 .01, K2 .03",
    ),
)
