"""What data were measured with: from their own zeros when no file tells it, and what the centre of a mask is."""

from __future__ import annotations

import numpy as np

from engine.core.types import Acquisition, Bool, Evidence, KSpaceReader, SamplingMask, Window

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


def found_acquisition(reader: KSpaceReader, notes: list[str], certain: bool = False, nominal: float | None = None) -> Acquisition:
    """Return what the zeros of the first slice say of the sampling: a part of the data, and told as such.

    Empty ends of ky or kx alone are a partial or lower-resolution acquisition, not undersampling: they make the window.

    Parameters
    ----------
    reader
        k-space; one frame of slice 0 is read to see whether anything is missing, all its frames only then.
    notes
        Gets a sentence when a mask or a window was found.
    certain
        Whether the data are known to be undersampled, so that all frames are looked at in any case.
    nominal
        Nominal acceleration when a name tells it.
    """
    slices, frames = reader.shape[:2]
    first = nonzero(reader, 0)
    # One slice of one frame that was looked at is all there is.
    seen = Evidence.WHOLE if slices == frames == 1 else Evidence.PART
    if not certain and first.all():
        return Acquisition(evidence=seen)
    lines = np.stack([first, *(nonzero(reader, frame) for frame in range(1, frames))])  # (frame, ky, kx)
    seen = Evidence.WHOLE if slices == 1 else Evidence.PART
    if lines.all() or not lines.any():
        return Acquisition(evidence=seen if lines.any() else Evidence.NOTHING)
    window = _window(lines)
    if not certain and _is_whole(lines, window):
        notes.extend(_window_words(window, lines.shape[1:]))
        return Acquisition(evidence=seen, window=window)
    notes.append("sampling mask found from the zeros of slice 0")
    return Acquisition((from_lines(lines, "acquired", nominal),), seen)


def _window(lines: Bool) -> Window:
    """Return the smallest rectangle with all samples of a mask (frame, ky, kx)."""
    rows = np.flatnonzero(lines.any(axis=(0, 2)))
    columns = np.flatnonzero(lines.any(axis=(0, 1)))
    return Window((int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1))


def _is_whole(lines: Bool, window: Window) -> bool:
    """Whether all frames measured the window, but for scattered zeros."""
    inside = lines[:, slice(*window.ky), slice(*window.kx)]
    return bool(inside.any(axis=2).all() and inside.mean() >= 1.0 - SCATTERED_ZEROS)


def _window_words(window: Window, sizes: tuple[int, ...]) -> list[str]:
    return [
        f"{name} outside {first}..{stop - 1} is empty: partial acquisition or zero filling"
        for name, (first, stop), size in (("ky", window.ky, sizes[0]), ("kx", window.kx, sizes[1]))
        if first > 0 or stop < size
    ]


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
