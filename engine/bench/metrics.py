"""Metrics: ours against scikit-image and against the plain array form, with the difference of the values."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from engine.bench.contract import BENCHES, BenchSpec, seconds
from engine.core.axes import X, Y
from engine.core.jobs import Reporter
from engine.core.records.machine import BenchResult
from engine.core.types import Float
from engine.metrics import METRICS
from engine.metrics.haarpsi import ALPHA, C
from engine.metrics.structural import GAUSSIAN_SIGMA, gaussian_taps, mean_similarity

Images = NDArray[np.floating]


def run(quick: bool, report: Reporter) -> Iterator[BenchResult]:
    """Yield one line for each metric and alternative at 12 x 204 x 448 (quick: 4 x 102 x 224)."""
    shape = (4, 102, 224) if quick else (12, 204, 448)
    estimate, reference = make_pair(shape)
    peak = float(reference.max())
    case = " x ".join(str(size) for size in shape)
    alternatives = list(_alternatives(peak))
    for done, (name, other, work) in enumerate(alternatives):
        metric = METRICS.get(name)
        report.step(done, len(alternatives), f"{metric.title} against {other}")

        def ours(compute: Callable[..., float] = metric.compute) -> float:
            return compute(estimate, reference, None, peak)

        # The first call compiles, or loads what was compiled before.
        ours()
        ours_s, value = seconds(ours, 7)
        other_s, other_value = seconds(partial(work, estimate, reference), 2 if quick else 3)
        yield BenchResult(
            benchmark="metrics",
            case=f"{metric.title}, {case}",
            ours_s=ours_s,
            other=other,
            other_s=other_s,
            ratio=other_s / ours_s,
            quality_ours=f"{value:.7g}",
            quality_other=f"{other_value:.7g}",
            difference=f"{abs(value - other_value):.1e}",
        )


def make_pair(shape: tuple[int, int, int]) -> tuple[Float, Float]:
    """Return estimate and reference (frame, y, x), float32: a smooth random series and the same with noise and blur."""
    rng = np.random.default_rng(7)
    reference = np.abs(gaussian_filter(rng.standard_normal(shape), (1, 3, 3)))
    estimate = gaussian_filter(reference, (0, 0.7, 0.7)) + 0.01 * rng.standard_normal(shape) * reference.max()
    return np.abs(estimate).astype(np.float32), reference.astype(np.float32)


def _alternatives(peak: float) -> Iterator[tuple[str, str, Callable[[Float, Float], float]]]:
    if importlib.util.find_spec("skimage") is not None:
        from skimage.metrics import peak_signal_noise_ratio, structural_similarity

        def flat(e: Float, r: Float) -> float:
            return float(np.mean([structural_similarity(b, a, data_range=peak) for a, b in zip(e, r, strict=True)]))

        def gaussian(e: Float, r: Float) -> float:
            options = {"gaussian_weights": True, "sigma": GAUSSIAN_SIGMA, "use_sample_covariance": False}
            return float(np.mean([structural_similarity(b, a, data_range=peak, **options) for a, b in zip(e, r, strict=True)]))

        yield "ssim", "scikit-image structural_similarity", flat
        yield "ssim_gaussian", "scikit-image structural_similarity", gaussian
        yield "psnr", "scikit-image peak_signal_noise_ratio", lambda e, r: float(peak_signal_noise_ratio(r, e, data_range=peak))
    yield "ssim", "our SciPy form (without numba)", lambda e, r: mean_similarity(e, r, None, peak, gaussian=False, compiled=False)
    yield "ssim", "plain NumPy, 49 shifted images", lambda e, r: _plain_ssim(e, r, peak, np.full(7, 1 / 7), 49 / 48)
    yield "ssim_gaussian", "plain NumPy, 121 shifted images", lambda e, r: _plain_ssim(e, r, peak, gaussian_taps(), 1.0)
    yield "haarpsi", "plain convolutions (scipy.signal)", lambda e, r: _plain_haarpsi(e, r, peak)


def _plain_ssim(estimate: Float, reference: Float, peak: float, taps: NDArray[np.float64], scale: float) -> float:
    """Return SSIM by its definition: every window mean is a sum of shifted images."""
    size = len(taps)

    def mean(images: Images) -> Images:
        height, width = images.shape[Y] - size + 1, images.shape[X] - size + 1
        total = np.zeros((*images.shape[:Y], height, width))
        for i in range(size):
            for j in range(size):
                total += taps[i] * taps[j] * images[..., i : i + height, j : j + width]
        return total

    e, r = estimate.astype(np.float64), reference.astype(np.float64)
    a, b = mean(e), mean(r)
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    covariance = scale * (mean(e * r) - a * b)
    variances = scale * (mean(e * e) - a * a + mean(r * r) - b * b)
    return float(np.mean((2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (variances + c2))))


def _plain_haarpsi(estimate: Float, reference: Float, peak: float) -> float:
    """Return HaarPSI by its definition: two-dimensional convolutions with full-size kernels."""

    def filtered(image: Images, kernel: NDArray[np.float64]) -> Images:
        full = fftconvolve(image, kernel)
        y, x = kernel.shape[0] // 2, kernel.shape[1] // 2
        return np.asarray(full[y : y + image.shape[0], x : x + image.shape[1]])

    def wavelets(image: Images, scale: int) -> Images:
        kernel = np.full((2**scale, 2**scale), 2.0**-scale)
        kernel[: 2**scale // 2] *= -1
        return np.asarray(np.abs(np.stack([filtered(image, kernel), filtered(image, kernel.T)])))

    values = []
    for e, r in zip(estimate * (255.0 / peak), reference * (255.0 / peak), strict=True):
        half_e, half_r = (filtered(image.astype(np.float64), np.full((2, 2), 0.25))[::2, ::2] for image in (e, r))
        similar = np.zeros((2, *half_r.shape))
        for scale in (1, 2):
            a, b = wavelets(half_e, scale), wavelets(half_r, scale)
            similar += 0.5 * (2 * a * b + C) / (a**2 + b**2 + C)
        weights = np.maximum(wavelets(half_e, 3), wavelets(half_r, 3))
        mean = (weights / (1 + np.exp(-ALPHA * similar))).sum() / weights.sum()
        values.append((np.log(mean / (1 - mean)) / ALPHA) ** 2)
    return float(np.mean(values))


BENCHES.register("metrics", BenchSpec("metrics", "Metrics", run))
