"""Random tensors and how far two are apart, for the tests of the engine."""

from __future__ import annotations

import torch


def random(*shape, dtype=torch.complex128, seed=0):
    """Return normal values that depend on the seed only."""
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def relative(found, expected):
    """Return the largest difference over the largest magnitude; tensors or arrays."""
    found, expected = (one.detach() if torch.is_tensor(one) else torch.tensor(one) for one in (found, expected))
    return float((found - expected).abs().max() / expected.abs().max())


def psnr(found, truth):
    """Return the peak signal-to-noise ratio in dB, the peak that of the truth."""
    found, truth = torch.as_tensor(found), torch.as_tensor(truth)
    return float(10 * torch.log10(truth.abs().max() ** 2 / (found - truth).abs().square().mean()))
