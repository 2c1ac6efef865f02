"""What a result says about how far it can be trusted, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from engine.core.axes import COIL
from engine.core.types import Complex, SamplingMask
from engine.physics.fourier import ifft2c
from engine.physics.noise import noise_level
from engine.physics.operator import SenseOperator
from engine.physics.soft_sense import combine_sets, merge_sets

RESIDUAL = 0.1  # of the energy of the data: an image that leaves more of them unexplained is not the one that was measured
NOISE_FACTOR = 4.0  # so many times the energy of the noise may stay unexplained in any case
FEW_LINES = 12  # below it the calibration data hold few windows of a kernel
TWO_SETS = (
    "the field of view folds over or cuts through tissue: two sets of coil maps were used, and where both hold signal the image is "
    "their root sum of squares"
)


def notes_of_maps(title: str, needed: int, used: int) -> tuple[str, ...]:
    """Return what is to be said when one set of coil maps is not enough: ``needed`` by the data, ``used`` by the method."""
    if needed < 2:
        return ()
    if used == needed:
        return (TWO_SETS,)
    return (
        f"warning: the field of view folds over or cuts through tissue, which one set of coil maps cannot explain, and {title} "
        "uses one: expect errors there; l1_wavelet, low_rank_sparse and cg_sense use two",
    )


def reasons(mask: SamplingMask, coils: int) -> list[str]:
    """Return why a reconstruction from this mask (of the frames chosen) may fail, in words; none when nothing speaks against it."""
    found = []
    acceleration = mask.effective_acceleration
    alike = mask.lines.shape[0] == 1 or bool((mask.lines == mask.lines[:1]).all())
    if alike and acceleration > coils and coils > 0:
        found.append(f"R {acceleration:.1f} is more than {coils} coil{'s' if coils > 1 else ''} can separate")
    if mask.acs is not None and mask.acs[1] - mask.acs[0] < FEW_LINES and acceleration > 1:
        found.append(f"{mask.acs[1] - mask.acs[0]} ACS lines are few for coil maps and kernels (24 are usual)")
    return found


def worse_than_zero_filling(
    title: str, image: Complex, kspace: Tensor, maps: Tensor, truth: Complex, why: Sequence[str]
) -> list[str]:
    """Return a warning when an image is further from the fully sampled one than the zero-filled image, with the reason.

    Parameters
    ----------
    title
        The method.
    image, truth
        Complex (frame, y, x); magnitudes are compared.
    kspace
        Measured samples, zero elsewhere, complex (frame, coil, ky, kx).
    maps
        Complex (set, 1, coil, y, x).
    why
        Of :func:`reasons`.
    """
    # Frame by frame: the coil images of a long series need not fit into memory together.
    plain = merge_sets(torch.cat([combine_sets(ifft2c(frame[None]), maps) for frame in kspace], dim=1), maps)[0].numpy()
    wanted = np.abs(truth)
    own, other = (float(np.linalg.norm(np.abs(one) - wanted)) for one in (image, plain))
    if own <= other:
        return []
    lost = 20 * np.log10(own / other)
    reason = "; ".join(why) or "it does not fit these data"
    return [f"warning: {title} is {lost:.1f} dB further from the fully sampled image than zero filling: {reason}"]


def unexplained(title: str, image: Tensor, operator: SenseOperator, kspace: Tensor, why: Sequence[str]) -> list[str]:
    """Return a warning when an image leaves much of the measured data unexplained, more than noise would.

    ``image`` is complex (batch or set, frame, y, x), ``kspace`` (1, frame, coil, ky, kx), zero where nothing was measured.
    """
    energy = float(torch.linalg.vector_norm(kspace)) ** 2
    left = operator.misfit(image.to(kspace.dtype), kspace)
    samples = float((operator.mask != 0).expand(1, kspace.shape[1], 1, *kspace.shape[-2:]).sum()) * kspace.shape[COIL]
    noise = samples * noise_level(kspace[0], operator.mask[0]) ** 2
    if left <= max(RESIDUAL * energy, NOISE_FACTOR * noise):
        return []
    reason = "; ".join(why) or "it does not fit these data, or its scale is another"
    return [f"warning: the image of {title} leaves {100 * left / energy:.0f} % of the measured data unexplained: {reason}"]


def gathered(notes: Mapping[int, Sequence[str]]) -> tuple[str, ...]:
    """Return the notes of slices (numbered from 0), each once, with the slices that it holds for unless it does for all."""
    found: dict[str, list[int]] = {}
    for index, sentences in notes.items():
        for sentence in sentences:
            found.setdefault(sentence, []).append(index)
    return tuple(text if len(at) == len(notes) else f"{_slices(sorted(at))}: {text}" for text, at in found.items())


def _slices(indices: Sequence[int]) -> str:
    numbers = ", ".join(str(index + 1) for index in indices)
    return f"slice {numbers}" if len(indices) == 1 else f"slices {numbers}"
