"""What a reconstruction starts from: the mask that holds, coil maps, the fully sampled reference. Kept while a series is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.core.axes import KY
from engine.core.errors import InputError
from engine.core.jobs import Reporter
from engine.core.types import Complex, KSpaceSeries, SamplingMask
from engine.physics.coil_maps import estimate_sets
from engine.physics.fourier import ifft2c
from engine.physics.soft_sense import combine_sets, merge_sets
from engine.reconstruction.cache import Cache, mask_digest
from engine.sampling.acs import centre_lines, sampled_centre

COIL_MAPS_METHOD = "espirit"
REFERENCE_ACS = 24

_maps: Cache[Tensor] = Cache(512 * 2**20, lambda maps: maps.element_size() * maps.nelement())
_references: Cache[Complex] = Cache(512 * 2**20, lambda image: image.nbytes)


def coil_maps(
    series: KSpaceSeries, index: int, frames: tuple[int, ...], mask: SamplingMask, kspace: Tensor, lines: Tensor
) -> Tensor:
    """Return coil maps complex64 (set, 1, coil, y, x) of masked k-space (frame, coil, ky, kx), from the cache when asked before.

    Two sets where one cannot explain the calibration data (:func:`engine.physics.coil_maps.estimate_sets`).
    """
    acs = calibration_acs(series, mask)
    question = ("maps", index, frames, mask_digest(mask), COIL_MAPS_METHOD)
    return _maps.get(series, question, lambda: estimate_sets(kspace, lines, acs, method=COIL_MAPS_METHOD))


def acs_lines(mask: SamplingMask) -> int | None:
    """Return how many lines of the centre every frame samples, as a network that finds its own coil maps wants to know it."""
    if mask.lines.all():
        return sampled_centre(mask.lines, REFERENCE_ACS)
    return sampled_centre(mask.lines, mask.lines.shape[1] if mask.acs is None else mask.acs[1] - mask.acs[0])


def calibration_acs(series: KSpaceSeries, mask: SamplingMask) -> tuple[int, int] | None:
    """Return the lines that the coil maps come from; None where the estimator has to find them."""
    return _reference_acs(series) if mask.lines.all() else mask.acs


def _reference_acs(series: KSpaceSeries) -> tuple[int, int]:
    """Return the centre lines that the reference's coil maps come from."""
    ky = series.shape[KY]
    centre = centre_lines(ky, min(REFERENCE_ACS, ky))
    return centre.start, centre.stop


def reference_image(series: KSpaceSeries, slices: Sequence[int] | None, frames: Sequence[int] | None, report: Reporter) -> Complex:
    """Return the fully sampled image complex64 (slice, frame, y, x): inverse FFT, combined with maps of its own 24 centre lines.

    Combination with coil maps is linear, keeps the phase and adds no noise bias, unlike the root sum of squares; the maps come
    from the same lines that an undersampled acquisition with 24 ACS lines would have. Where one set of maps cannot explain them
    (folded field of view, tissue cut by its edge) two sets are used, and the image there is their root sum of squares, which is
    that of the coils (:func:`engine.physics.soft_sense.merge_sets`).

    Raises
    ------
    InputError
        The series is undersampled.
    """
    if not series.fully_sampled:
        raise InputError(
            "an undersampled series has no reference (expected fully sampled k-space)", "Compare methods with each other."
        )
    chosen = indices_of(slices, series.shape[0], "slice")
    shown = indices_of(frames, series.shape[1], "frame")
    images = []
    for position, index in enumerate(chosen):
        report.check()
        if len(chosen) > 1:
            report.step(position, len(chosen), "reference")
        images.append(_references.get(series, ("reference", index, shown), partial(_reference_slice, series, index, shown)))
    return np.stack(images)


def fully_sampled(series: KSpaceSeries, slice_index: int, frame: int | None, report: Reporter) -> Complex:
    """Return the fully sampled image of a slice, complex64 (frame, y, x)."""
    image: Complex = reference_image(series, [slice_index], None if frame is None else [frame], report)[0]
    return image


def _reference_slice(series: KSpaceSeries, index: int, frames: tuple[int, ...]) -> Complex:
    kspace = torch.from_numpy(np.ascontiguousarray(series.read(index)[list(frames)]))
    everything = torch.ones((1, series.shape[KY], 1), dtype=torch.bool)
    maps = estimate_sets(kspace, everything, _reference_acs(series), method=COIL_MAPS_METHOD)
    image: Complex = merge_sets(combine_sets(ifft2c(kspace), maps), maps)[0].numpy()
    return image


def effective_mask(series: KSpaceSeries, mask: SamplingMask | None, slices: Sequence[int] | None = None) -> SamplingMask:
    """Return the mask that holds for these slices of the data: the asked one, what was acquired, or what both measure.

    Raises
    ------
    InputError
        The slices were acquired with different masks, or the asked mask leaves nothing of what was acquired.
    """
    acquired = series.acquisition.mask(slices)
    if mask is None:
        if acquired is not None:
            return acquired
        return SamplingMask(np.ones((1, series.shape[KY], 1), dtype=np.bool_), "full", 1.0, acs=None)
    mask.check_fits(series.shape)
    if acquired is None:
        return mask
    both = mask.lines & acquired.lines
    if not both.any():
        raise InputError(
            "the mask measures none of the lines that were acquired", "Reconstruct the data as measured: leave out the mask."
        )
    if (both == acquired.lines).all():
        return acquired
    return dataclasses.replace(mask, lines=both, acs=_common(mask.acs, acquired.acs))


def _common(a: tuple[int, int] | None, b: tuple[int, int] | None) -> tuple[int, int] | None:
    if a is None or b is None:
        return None
    first, last = max(a[0], b[0]), min(a[1], b[1])
    return (first, last) if first < last else None


def select_frames(mask: SamplingMask, frames: tuple[int, ...], total: int) -> SamplingMask:
    """Return the mask of these frames, of ``total`` that it was made for; itself where all frames share it."""
    if mask.lines.shape[0] == 1 or frames == tuple(range(total)):
        return mask
    return dataclasses.replace(mask, lines=mask.lines[list(frames)])


def indices_of(indices: Sequence[int] | None, size: int, name: str) -> tuple[int, ...]:
    """Return the indices of an axis that were asked for, all where None; ``InputError`` for those that do not exist."""
    if indices is None:
        return tuple(range(size))
    outside = [i for i in indices if not 0 <= i < size]
    if outside or not indices:
        raise InputError(f"{name} {outside or 'list'} does not exist (expected 0 to {size - 1})", f"The series has {size} {name}s.")
    return tuple(int(i) for i in indices)
