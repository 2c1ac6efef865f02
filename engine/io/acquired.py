"""The mask that data were measured with: from their own zeros when no file tells it, and what its centre is."""

from __future__ import annotations

import numpy as np

from engine.core.types import Bool, KSpaceReader, SamplingMask

# Fewer fully sampled lines than this cannot calibrate coils and are no autocalibration region.
LEAST_ACS = 4
# Measured samples that happen to be exactly zero (rounded or integer data) are rarer than this.
SCATTERED_ZEROS = 0.01


def central_block(lines: Bool) -> tuple[int, int] | None:
    """Return first and one-past-last ky line of the fully sampled centre of a mask (frame, ky, kx), or None.

    Lines count when every frame has them. Where the mask varies along kx, the centre is a square: as wide along kx as along ky.
    """
    static: Bool = np.logical_and.reduce(lines, axis=0)  # (ky, kx)
    ky, kx = static.shape
    if (static == static[:, :1]).all():
        column = static[:, 0]
        low = high = ky // 2
        while low > 0 and column[low - 1]:
            low -= 1
        while high < ky and column[high]:
            high += 1
        return (low, high) if column[ky // 2] and high - low >= LEAST_ACS else None
    side = 0
    while side < min(ky, kx) and static[_centred(ky, side + 1), _centred(kx, side + 1)].all():
        side += 1
    block = _centred(ky, side)
    return (block.start, block.stop) if side >= LEAST_ACS else None


def _centred(size: int, count: int) -> slice:
    first = size // 2 - count // 2
    return slice(first, first + count)


def acquired_mask(
    reader: KSpaceReader, notes: list[str], certain: bool = False, nominal: float | None = None
) -> SamplingMask | None:
    """Return the mask seen in the zeros of the first slice, or None when the data are fully sampled.

    Empty ends of ky or kx alone are a partial or lower-resolution acquisition, not undersampling: they get a note.

    Parameters
    ----------
    reader
        k-space; one frame of slice 0 is read to see whether anything is missing, all its frames only then.
    notes
        Gets a sentence when a mask was found.
    certain
        Whether the data are known to be undersampled, so that all frames are looked at in any case.
    nominal
        Nominal acceleration when a name tells it.
    """
    frames = reader.shape[1]
    first = nonzero(reader, 0)
    if not certain and first.all():
        return None
    lines = np.stack([first, *(nonzero(reader, frame) for frame in range(1, frames))])  # (frame, ky, kx)
    if lines.all() or not lines.any():
        return None
    if not certain and _only_edges_empty(lines, notes):
        return None
    notes.append("sampling mask found from the zeros of slice 0")
    return from_lines(lines, "acquired", nominal)


def _only_edges_empty(lines: Bool, notes: list[str]) -> bool:
    """Whether all frames measured one rectangle of k-space, but for scattered zeros; says so in a note."""
    rows = np.flatnonzero(lines.any(axis=(0, 2)))
    columns = np.flatnonzero(lines.any(axis=(0, 1)))
    inside = lines[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if not inside.any(axis=2).all() or inside.mean() < 1.0 - SCATTERED_ZEROS:
        return False
    for name, found, size in (("ky", rows, lines.shape[1]), ("kx", columns, lines.shape[2])):
        if found[0] > 0 or found[-1] < size - 1:
            notes.append(f"{name} outside {found[0]}..{found[-1]} is empty: partial acquisition or zero filling")
    return True


def from_lines(lines: Bool, pattern: str, nominal: float | None = None) -> SamplingMask:
    """Return a mask (frame, ky, kx) in its smallest form: one frame when all agree, one column when whole lines are measured."""
    if (lines == lines[:1]).all():
        lines = lines[:1]
    if (lines == lines[..., :1]).all():
        lines = lines[..., :1]
    return SamplingMask(lines=lines, pattern=pattern, nominal_acceleration=nominal, acs=central_block(lines))


def nonzero(reader: KSpaceReader, frame: int) -> Bool:
    """Return where a frame of slice 0 has a sample in any coil, bool (ky, kx)."""
    with np.errstate(invalid="ignore"):  # NaN is refused where a slice is read, and counts as measured here
        found: Bool = np.logical_or.reduce(reader.read_frame(0, frame) != 0, axis=0)
    return found
