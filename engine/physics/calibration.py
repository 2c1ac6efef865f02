"""The calibration block: the fully sampled centre of k-space, its frames combined."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.core.axes import KY
from engine.physics.eigen import eigh

_COMPONENTS = 4
_COMPONENT_FLOOR = 0.15  # of the strongest component's amplitude


def calibration_block(
    kspace: Tensor, mask: Tensor | None, acs: tuple[int, int] | None, size: int
) -> tuple[Tensor, tuple[int, int], bool]:
    """Return the calibration samples, where k = 0 lies in them, and whether all of them were measured.

    Where every frame measured the block, the frames are replaced by their strongest principal combinations: for a cine the
    first of them is nearly the mean over frames, and for an inversion recovery it does not cancel tissue that changes sign
    as a mean would. Where each frame measured other samples, it is the mean over the frames that did.

    Parameters
    ----------
    kspace
        Complex (frame, coil, ky, kx).
    mask
        Bool (frame or 1, ky, kx or 1), or None when all of it was measured.
    acs
        ky lines to use, or None to find them.
    size
        Largest extent along ky and kx.

    Returns
    -------
    tuple
        Complex (component, coil, ky', kx'); index of k = 0 as (ky', kx'); False when no measured block exists around the
        centre and samples that nobody measured are zero in what is returned.
    """
    height, width = kspace.shape[KY:]
    measured = torch.ones((height, width), dtype=torch.bool) if mask is None else mask.any(0).cpu().expand(height, width)
    rows, columns = _centred(height, size), _centred(width, size)
    if acs is not None and bool(measured[acs[0] : acs[1], columns].all()):
        middle = (acs[0] + acs[1]) // 2
        rows = slice(max(acs[0], middle - size // 2), min(acs[1], middle - size // 2 + size))
        found = True
    else:
        grown = measured_block(measured, size)
        found = grown is not None
        if grown is not None:
            rows, columns = grown
    samples = kspace[..., rows, columns]
    centre = (height // 2 - rows.start, width // 2 - columns.start)
    if mask is None:
        return _principal(samples), centre, found
    taken = mask.expand(mask.shape[0], height, width)[:, rows, columns].unsqueeze(1).to(kspace.device)
    if bool(taken.all()):
        return _principal(samples), centre, found
    counts = taken.expand(kspace.shape[0], *taken.shape[1:]).sum(0)
    return ((samples * taken).sum(0) / counts.clamp_min(1)).unsqueeze(0), centre, found


def _principal(samples: Tensor) -> Tensor:
    """Return the strongest combinations of the frames, complex (component, coil, ky, kx), strongest first."""
    frames = samples.shape[0]
    if frames == 1:
        return samples
    flat = samples.reshape(frames, -1)
    # Squares of 1e-30 would vanish in single precision, those of 1e30 would not be finite.
    peak = torch.linalg.vector_norm(flat, ord=float("inf"))
    if not 0 < peak < float("inf"):
        return samples.sum(0, keepdim=True)  # nothing, or not a number: the caller says so
    flat = flat / peak
    values, vectors = eigh(flat @ flat.mH)
    amplitudes = values.clamp_min(0).sqrt().flip(0)
    kept = int((amplitudes[:_COMPONENTS] > _COMPONENT_FLOOR * amplitudes[0]).sum())
    weights = vectors[:, -max(1, kept) :].flip(1)
    combined: Tensor = (peak * (weights.mH @ flat)).reshape(-1, *samples.shape[1:])
    return combined


def _centred(length: int, size: int) -> slice:
    size = min(size, length)
    start = length // 2 - size // 2
    return slice(start, start + size)


def measured_block(measured: Tensor, size: int) -> tuple[slice, slice] | None:
    """Return the rectangle around k = 0 in which everything was measured, grown side by side; None when the centre was not."""
    height, width = measured.shape
    top, left = height // 2, width // 2
    bottom, right = top + 1, left + 1
    if not bool(measured[top, left]):
        return None
    growing = True
    while growing:
        growing = False
        if right - left < size and left > 0 and bool(measured[top:bottom, left - 1].all()):
            left, growing = left - 1, True
        if right - left < size and right < width and bool(measured[top:bottom, right].all()):
            right, growing = right + 1, True
        if bottom - top < size and top > 0 and bool(measured[top - 1, left:right].all()):
            top, growing = top - 1, True
        if bottom - top < size and bottom < height and bool(measured[bottom, left:right].all()):
            bottom, growing = bottom + 1, True
    return slice(top, bottom), slice(left, right)
