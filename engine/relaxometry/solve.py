"""Which arithmetic a fit is done with: the compiled kernel on the CPU where numba is there, torch otherwise and on CUDA."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.relaxometry.contract import SignalModel
from engine.relaxometry.solution import Solution


def solve(samples: NDArray[Any], times_ms: NDArray[np.float64], model: SignalModel, mode: str, device: str) -> Solution:
    """Return the least-squares fit of samples (sample, pixel) in ascending order of time, as NumPy arrays (pixel,)."""
    import torch

    from engine.core.device import choose
    from engine.relaxometry.varpro import solve as by_torch

    place = choose(device)
    found = by_torch(torch.from_numpy(np.ascontiguousarray(samples)).to(place), times_ms, model, mode)
    return found.map(lambda tensor: tensor.cpu().numpy())
