"""How noisy the measured samples are, told from the samples themselves."""

from __future__ import annotations

from math import log, sqrt

import torch
from torch import Tensor

from engine.core.axes import KX, KY

RIM = 8  # the outermost eighth of k-space on each side counts as rim


def noise_level(kspace: Tensor, mask: Tensor) -> float:
    """Return the standard deviation of the complex noise of one sample, ``sqrt(E |n|^2)``, from the rim of k-space.

    The median of the energies there divided by ``log 2``, which is the median of a unit exponential distribution: what signal
    reaches the corners of k-space moves it little. Zeros in the rim (interpolated data) give zero.

    Parameters
    ----------
    kspace
        Complex (..., frame, coil, ky, kx), zero where nothing was measured.
    mask
        (..., frame or 1, 1, ky, kx or 1); nonzero where a sample was measured.

    Returns
    -------
    float
        In the unit of ``kspace``. Through the orthonormal transform and maps of unit root sum of squares it is also the noise of
        a fully sampled, combined image. When nothing was measured in the corners, the ends of the readout serve, and when nothing
        was measured there either, the result is 0.
    """
    width = max(1, kspace.shape[KX] // RIM)
    height = max(1, kspace.shape[KY] // RIM)
    ends = [slice(0, width), slice(-width, None)]
    rims = [slice(0, height), slice(-height, None)]
    full = mask.to(torch.bool).expand(*mask.shape[:-1], kspace.shape[KX])
    for chosen in (rims, [slice(None)]):
        energies = []
        for rows in chosen:
            for columns in ends:
                samples = kspace[..., rows, columns]
                energies.append(samples[full[..., rows, columns].expand(samples.shape)].abs().square())
        found = torch.cat(energies)
        if found.numel():
            return sqrt(float(found.median()) / log(2.0))
    return 0.0
