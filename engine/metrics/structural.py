"""The structural similarity map, shared by the two windows: compiled when numba is there, by SciPy otherwise."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from engine.core.axes import X, Y
from engine.core.errors import InputError
from engine.core.types import Bool, Float

K1 = 0.01
K2 = 0.03
UNIFORM_SIZE = 7
GAUSSIAN_SIZE = 11
GAUSSIAN_SIGMA = 1.5


def gaussian_taps() -> NDArray[np.float64]:
    """Return the 11 weights of the Gaussian window along one axis; their sum is 1."""
    x = np.arange(GAUSSIAN_SIZE) - GAUSSIAN_SIZE // 2
    taps = np.exp(-0.5 * (x / GAUSSIAN_SIGMA) ** 2)
    return np.asarray(taps / taps.sum())


def weights_of(region: Bool | None, height: int, width: int, size: int) -> NDArray[np.float64]:
    """Return which windows count, double (y - size + 1, x - size + 1): 1 where the centre is in the region, else 0.

    Only windows that lie inside the image are among them.

    Raises
    ------
    InputError
        The image is smaller than the window, or no window lies inside it whose centre is in the region.
    """
    if min(height, width) < size:
        raise InputError(
            f"the image is smaller than the SSIM window (expected at least {size} x {size} / found {height} x {width})",
            "Choose another metric, or a larger image.",
        )
    half = size // 2
    inside = np.ones((height - size + 1, width - size + 1))
    if region is not None:
        inside *= region[half : height - half, half : width - half]
    if not inside.any():
        raise InputError(
            f"SSIM has no value in this region (expected a pixel at least {half} from the border / found none)",
            "Choose a larger region.",
        )
    return inside


def kernels() -> ModuleType | None:
    """Return the compiled inner loops, or None without numba."""
    try:
        from engine.metrics.kernels import ssim
    except ImportError:
        return None
    return ssim


def mean_similarity(
    estimate: Float, reference: Float, region: Bool | None, data_range: float, gaussian: bool, compiled: bool = True
) -> float:
    """Return the mean SSIM over frames (frame, y, x) and window centres in ``region``.

    ``gaussian`` False takes the 7 x 7 flat window with unbiased (co)variances, True the 11 x 11 Gaussian of sigma 1.5 with
    population (co)variances. ``compiled`` False takes the SciPy path.
    """
    size = GAUSSIAN_SIZE if gaussian else UNIFORM_SIZE
    weights = weights_of(region, reference.shape[Y], reference.shape[X], size)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    loops = kernels() if compiled else None
    total: float = 0.0
    for e, r in zip(estimate, reference, strict=True):
        if loops is None:
            similarity = similarity_map(e, r, c1, c2, gaussian)
            total += float((similarity * weights).sum())
        elif gaussian:
            total += float(loops.gaussian(_plain(e), _plain(r), weights, gaussian_taps(), c1, c2))
        else:
            total += float(loops.uniform(_plain(e), _plain(r), weights, c1, c2))
    return total / (int(reference.shape[0]) * float(weights.sum()))


def _plain(frame: Float) -> Float:
    """Return ``frame`` in the one layout the loops are compiled for: they would be compiled once more for a read-only array."""
    return np.require(frame, np.float32, ["C", "A", "W"])


def similarity_map(estimate: Float, reference: Float, c1: float, c2: float, gaussian: bool) -> NDArray[np.float64]:
    """Return the SSIM of every window inside one frame (y, x), double precision (y - size + 1, x - size + 1)."""
    from scipy.ndimage import convolve1d

    size = GAUSSIAN_SIZE if gaussian else UNIFORM_SIZE
    taps = gaussian_taps() if gaussian else np.full(size, 1.0 / size)
    half = size // 2
    scale = 1.0 if gaussian else size**2 / (size**2 - 1)

    def mean(image: NDArray[np.float64]) -> NDArray[np.float64]:
        smooth = convolve1d(convolve1d(image, taps, axis=Y), taps, axis=X)
        return smooth[half : image.shape[Y] - half, half : image.shape[X] - half]

    e, r = estimate.astype(np.float64), reference.astype(np.float64)
    mean_e, mean_r = mean(e), mean(r)
    product = mean_e * mean_r
    squares = mean_e**2 + mean_r**2
    covariance = scale * (mean(e * r) - product)
    variances = scale * (mean(e * e + r * r) - squares)
    return (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))
