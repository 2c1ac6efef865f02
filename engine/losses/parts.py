"""What several terms share: moduli that have a gradient everywhere, the SSIM of a window, the Laplacian of Gaussian."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from engine.core.errors import ShapeError
from engine.metrics.structural import K1, K2, UNIFORM_SIZE

SMALLEST = 1e-12  # under the root: |z| has no gradient at 0


def modulus(image: Tensor) -> Tensor:
    """Return |z| of a complex tensor, with a gradient at 0; larger than |z| by 1e-6 at most."""
    return torch.sqrt(image.real.square() + image.imag.square() + SMALLEST)


def similarity(estimate: Tensor, reference: Tensor, data_range: Tensor | float, axes: int = 2) -> Tensor:
    """Return the mean SSIM of real (..., y, x), or with ``axes`` 3 of (..., frame, y, x): 7-wide flat window, unbiased covariance.

    Source: Wang et al., IEEE Trans Image Process 2004;13:600, eq. 13. Windows that reach over the border do not count; the numbers
    are those of :mod:`engine.metrics.ssim`, and have a gradient.

    Raises
    ------
    ShapeError
        An image is smaller than the window.
    """
    sizes = tuple(reference.shape[-axes:])
    if min(sizes) < UNIFORM_SIZE:
        size = " x ".join(map(str, sizes))
        raise ShapeError(
            f"the SSIM window does not fit into the image (expected {UNIFORM_SIZE} or more along {axes} axes / found {size})",
            "Take larger crops (data.columns), longer series, or leave the SSIM terms out.",
        )
    pool = functional.avg_pool2d if axes == 2 else functional.avg_pool3d
    stack = torch.stack((estimate, reference, estimate * reference, estimate.square() + reference.square()))
    mean = pool(stack.reshape(-1, 1, *sizes), UNIFORM_SIZE, stride=1)
    e, r, er, squares = mean.reshape(4, -1, *mean.shape[1:])
    count = UNIFORM_SIZE**axes
    unbiased = count / (count - 1)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    product, sums = e * r, e.square() + r.square()
    covariance, variances = unbiased * (er - product), unbiased * (squares - sums)
    found: Tensor = (2 * product + c1) * (2 * covariance + c2) / ((sums + c1) * (variances + c2))
    return found.mean()


def laplacian_of_gaussian(images: Tensor, kernel: Tensor) -> Tensor:
    """Filter every image of real (..., y, x) with a kernel (k, k), zero outside the image."""
    flat = images.reshape(-1, 1, *images.shape[-2:])
    filtered = functional.conv2d(flat, kernel.to(flat)[None, None], padding=kernel.shape[-1] // 2)
    return filtered.reshape(images.shape)
