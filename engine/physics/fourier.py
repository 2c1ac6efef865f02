"""Centred orthonormal Fourier transforms, right for even and odd sizes.

``K[k] = N^(-1/2) sum_n x[n] exp(-2 pi i (k - c)(n - c) / N)`` with ``c = N // 2``: the origin of both domains is the element
``N // 2``. :func:`centring_ramps` splits the centring off into two phase ramps, so that an operator can fold it into what it
multiplies with anyway and use the plain transform: the shifts of a k-space series cost as much as two to three transforms.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import torch
from torch import Tensor

from engine.core.axes import KX, KY


def fft2c(x: Tensor, dim: Sequence[int] = (KY, KX)) -> Tensor:
    """Transform image to k-space, centred and orthonormal, along ``dim``; shape and dtype stay.

    Parameters
    ----------
    x
        Complex, any shape.
    dim
        The two (or more) axes to transform.
    """
    axes = tuple(dim)
    result: Tensor = torch.fft.fftshift(torch.fft.fftn(torch.fft.ifftshift(x, dim=axes), dim=axes, norm="ortho"), dim=axes)
    return result


def ifft2c(x: Tensor, dim: Sequence[int] = (KY, KX)) -> Tensor:
    """Transform k-space to image: the inverse, and the adjoint, of :func:`fft2c`."""
    axes = tuple(dim)
    result: Tensor = torch.fft.fftshift(torch.fft.ifftn(torch.fft.ifftshift(x, dim=axes), dim=axes, norm="ortho"), dim=axes)
    return result


def fft1c(x: Tensor, dim: int) -> Tensor:
    """Transform along one axis, centred and orthonormal: along frames, or along the readout into hybrid space."""
    return fft2c(x, (dim,))


def ifft1c(x: Tensor, dim: int) -> Tensor:
    """Inverse, and adjoint, of :func:`fft1c`."""
    return ifft2c(x, (dim,))


def centring_ramps(size: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Return ``(before, after)`` such that the centred transform of ``x`` is ``after * fft(before * x)``, without any shift.

    The inverse is ``conj(before) * ifft(conj(after) * K)``. Follows from ``(k - c)(n - c) = kn - cn - c(k - c)``. For even
    sizes both are alternating signs.

    Parameters
    ----------
    size
        Length N of the axis.
    dtype
        Complex dtype of the ramps; they are computed in double precision.
    device
        Where the ramps live.

    Returns
    -------
    tuple of Tensor
        Two unit-magnitude vectors of length N: over the image index n and over the k-space index k.
    """
    centre = size // 2
    index = torch.arange(size, dtype=torch.int64)
    # Whole turns are removed in integers so that the ramp is exact for every size.
    before = torch.exp(2j * pi * ((centre * index) % size).to(torch.float64) / size)
    after = torch.exp(2j * pi * ((centre * (index - centre)) % size).to(torch.float64) / size)
    return before.to(dtype=dtype, device=device), after.to(dtype=dtype, device=device)
