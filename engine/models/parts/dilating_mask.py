"""The dilation-contraction mask of IMA: known samples spread for half of the stages, and withdraw again.

Source: Zheng et al., "Breaking Information Isolation" (IMA), eqs. (16), (17), fig. 4.

The kernels are drawn in fig. 4 only. Kernel 1 is 3 x 3 ones: with the paper's threshold of 3 it is the smallest that grows a
sampled line by one line on either side in each stage. Kernels 2 and 3 are our reading of "other shapes, other speeds": 5 x 5 ones
(two lines a side), and a cross whose arms reach the threshold (a single sample grows into a diamond, which kernel 1 leaves alone).

Deviation: a mask whose share of ones would exceed the ratio is not taken, the one before is held. Eq. (18) writes back all that
the mask holds, so a mask that is full - which the next step often is - would leave nothing to be reconstructed.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from engine.core.axes import KX, KY

KERNELS: dict[int, tuple[tuple[float, ...], ...]] = {
    1: ((1, 1, 1),) * 3,
    2: ((1, 1, 1, 1, 1),) * 5,
    3: ((0, 3, 0), (3, 3, 3), (0, 3, 0)),
}


def dilate(mask: Tensor, kernel: int, delta: float) -> Tensor:
    """Return the mask after one step of eq. (16): 1 where ``phi * M >= delta``, or where it is 1 already.

    Beyond the border the mask goes on as it is there, so that a line stays a line.

    Parameters
    ----------
    mask
        Bool (batch or 1, frame or 1, 1, ky, kx or 1).
    kernel
        Number of the diffusion kernel phi (:data:`KERNELS`).
    delta
        The threshold.
    """
    phi = KERNELS[kernel]
    reach = len(phi) // 2
    height, width = mask.shape[KY], mask.shape[KX]
    grid = functional.pad(mask.to(torch.float32).reshape(-1, 1, height, width), (reach,) * 4, mode="replicate")
    spread = torch.zeros_like(grid[..., :height, :width])
    for y, row in enumerate(phi):
        for x, weight in enumerate(row):
            if weight:
                spread = spread + weight * grid[..., y : y + height, x : x + width]
    return (spread >= delta).reshape(mask.shape) | mask


def dilating_masks(mask: Tensor, stages: int, kernel: int = 1, delta: float = 3.0, ratio: float = 0.9) -> list[Tensor]:
    """Return ``M_0 .. M_T`` for T stages: dilation up to T/2, or until the ratio is reached, and back, ``M_{T-t} = M_t``.

    Parameters
    ----------
    mask
        M_0: bool (or weights, of which those above zero count), (batch or 1, frame or 1, 1, ky, kx or 1). Every frame has its own
        dilation.
    stages
        T.
    kernel, delta
        Of :func:`dilate`.
    ratio
        Largest share of ones that a dilated mask may have.

    Returns
    -------
    list of Tensor
        T + 1 bool masks of the shape of ``mask``. Those that are equal are the same object, M_0 is the one given if it is bool.
    """
    masks = [mask if mask.dtype == torch.bool else mask != 0]
    for _ in range(stages // 2):
        before = masks[-1]
        after = dilate(before, kernel, delta)
        within = after.to(torch.float32).mean((KY, KX), keepdim=True) <= ratio
        after = torch.where(within, after, before)
        masks.append(before if bool((after == before).all()) else after)
    return [masks[min(t, stages - t)] for t in range(stages + 1)]
