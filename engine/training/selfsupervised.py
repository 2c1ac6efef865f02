"""Self-supervised training: part of the measured samples is shown to the network, the rest is what it has to predict.

Source: Yaman et al., "Self-supervised learning of physics-guided reconstruction neural networks without fully sampled reference
data" (SSDU), MRM 2020;84:3172: the set of measured samples Omega is split into Theta (shown) and Lambda (loss), Lambda drawn with a
Gaussian density about the centre of k-space, a small centre always shown, |Lambda| = 0.4 |Omega|.

*Deviation*: for masks of whole readout lines, lines are split and not single samples, so that the shown mask is again one of whole
lines (the exact data steps of our networks need that).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.core.errors import InputError

SHARE = 0.4
CENTRE = 4  # lines always shown
WIDTH = 0.3  # standard deviation of the density, as a share of the axis


def split_lines(mask: Tensor, acs: int | None, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Split a mask into a shown and a held part.

    Parameters
    ----------
    mask
        bool (batch, frame or 1, 1, ky, kx or 1).
    acs
        Number of centre lines; at least four stay with the shown part.

    Returns
    -------
    shown, held
        bool like ``mask``; disjoint, together the mask.

    Raises
    ------
    InputError
        There is too little to split.
    """
    height = mask.shape[-2]
    places = np.arange(height) - height // 2
    keep = np.abs(places) < max(CENTRE, (acs or 0) // 4) // 2 + 1
    held = torch.zeros_like(mask, dtype=torch.bool)
    across = (
        1.0
        if mask.shape[-1] == 1
        else np.exp(-0.5 * ((np.arange(mask.shape[-1]) - mask.shape[-1] // 2) / (WIDTH * mask.shape[-1])) ** 2)
    )
    density = np.exp(-0.5 * (places / (WIDTH * height)) ** 2)[:, None] * across
    for b in range(mask.shape[0]):
        for t in range(mask.shape[1]):
            measured = mask[b, t, 0].cpu().numpy()
            free = measured & ~keep[:, None]
            count = int(SHARE * measured.sum())
            if free.sum() < 2 or count < 1:
                raise InputError(
                    "too few samples to split for self-supervision (expected at least two outside the centre / found "
                    f"{int(free.sum())})",
                    "Use data that were measured with a lower acceleration.",
                )
            count = min(count, int(free.sum()) - 1)
            chance = (density * free).ravel()
            chosen = rng.choice(chance.size, size=count, replace=False, p=chance / chance.sum())
            flat = np.zeros(chance.size, dtype=bool)
            flat[chosen] = True
            held[b, t, 0] = torch.from_numpy(flat.reshape(free.shape))
    return mask.bool() & ~held, held
