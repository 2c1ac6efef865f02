"""What classical methods with a prior along frames share: where they begin, how strong the prior is, how they are solved."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, isfinite

import torch
from torch import Tensor

from engine.core.axes import KSPACE_FRAME
from engine.core.errors import InputError
from engine.core.jobs import Reporter
from engine.models.contract import ReconInput, no_stages
from engine.physics.gram import GramOperator
from engine.physics.noise import noise_level
from engine.physics.operator import SenseOperator
from engine.physics.proximal_gradient import optimised_gradient

Prior = Callable[[Tensor, Tensor, int], Tensor]


def check_settings(method: str, weight: float, noise_weight: float, iterations: int) -> None:
    """Raise ``InputError`` for settings that no method can use."""
    if not (isfinite(weight) and isfinite(noise_weight) and weight >= 0.0 and noise_weight >= 0.0):
        raise InputError(
            f"weights of {method} must be finite and not negative (found {weight:g} and {noise_weight:g})", "Leave them out."
        )
    if iterations < 1:
        raise InputError(f"{method} needs at least 1 iteration (found {iterations})", "Use 25.")


def threshold_of(data: ReconInput, columns: Tensor, weight: float, noise_weight: float) -> Tensor:
    """Return ``weight * p99(|A^H k|) + noise_weight * sigma`` for each image of a batch, real (batch, 1, 1, 1).

    ``columns`` is A^H k, complex (batch, x, y, frame); images of several sets of coil maps have the threshold of the first, which
    is there everywhere. Sigma is the noise in the rim of k-space.
    """
    found = []
    mask = data.operator.mask
    sets = len(columns) // len(data.kspace)
    for b in range(len(data.kspace)):
        magnitude = columns[b * sets].abs().flatten()
        level = float(magnitude.kthvalue(max(1, ceil(0.99 * magnitude.numel()))).values)
        sigma = noise_level(data.kspace[b], mask[b if mask.shape[0] > 1 else 0])
        found.extend([weight * level + noise_weight * sigma] * sets)
    return torch.tensor(found, dtype=columns.real.dtype, device=columns.device)[:, None, None, None]


def normal_of_columns(operator: SenseOperator, report: Reporter) -> Callable[[Tensor], Tensor]:
    """Return ``A^H A`` on columns (batch, x, y, frame), by Gram matrices where they serve."""
    gram = operator.prepare(report.check)
    if gram is not None:
        return gram.apply_columns
    return lambda columns: GramOperator.to_columns(operator.normal(GramOperator.to_image(columns)))


def solve(title: str, data: ReconInput, prior: Prior, weight: float, noise_weight: float, iterations: int) -> Tensor:
    """Return ``argmin_x 1/2 ||A x - k||^2 + t g(x)``, complex64 (batch, frame, y, x).

    Parameters
    ----------
    title
        What progress is called.
    data
        The scan.
    prior
        ``prior(columns, t, iteration)`` is the proximal step of ``t g`` on columns (batch, x, y, frame), t (batch, 1, 1, 1).
    weight, noise_weight
        Of :func:`threshold_of`, which gives t.
    iterations
        Of :func:`engine.physics.proximal_gradient.optimised_gradient`.
    """
    report, total = data.report, iterations + 1
    report.step(0, total, title)
    rhs = GramOperator.to_columns(data.operator.adjoint(data.kspace))
    normal = normal_of_columns(data.operator, report)
    threshold = threshold_of(data, rhs, weight, noise_weight)

    def each(iteration: int, x: Tensor) -> None:
        report.step(1 + iteration, total, title)
        if iteration and data.stages is not no_stages:
            data.stages(iteration - 1, "image", GramOperator.to_image(x))

    def proximal(z: Tensor, step: float, iteration: int) -> Tensor:
        return prior(z, threshold * step, iteration)

    result = GramOperator.to_image(optimised_gradient(normal, rhs, proximal, _average(data, rhs), iterations, each))
    data.stages(iterations - 1, "image", result)
    return result


def _average(data: ReconInput, rhs: Tensor) -> Tensor:
    """Return the average of all frames as columns, in every frame: each sample is the mean of the frames that measured it."""
    frames = data.kspace.shape[KSPACE_FRAME]
    if data.operator.static_mask or data.operator.maps.shape[KSPACE_FRAME] > 1:
        return rhs
    count = (data.operator.mask != 0).expand(-1, frames, -1, -1, -1).sum(KSPACE_FRAME, keepdim=True)
    mean = data.kspace.sum(KSPACE_FRAME, keepdim=True) / count.clamp(min=1)
    together = type(data.operator)(count > 0, data.operator.maps, data.operator.gram_limit_mib)
    return GramOperator.to_columns(together.adjoint(mean)).expand_as(rhs).contiguous()
