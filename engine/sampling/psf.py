"""Point-spread functions: what undersampling does to a single bright point."""

from __future__ import annotations

import numpy as np

from engine.core.errors import InputError
from engine.core.types import Float, SamplingMask


def point_spread(mask: SamplingMask, frame: int = 0) -> Float:
    """Return the magnitude of one frame's point-spread function, float32 (y, x or 1), peak 1 at (y // 2, x // 2).

    The x axis has length 1 when the readout is full: the function is then a line along y.

    Raises
    ------
    InputError
        The mask has no such frame, or this frame measures nothing.
    """
    frames = mask.lines.shape[0]
    # A static mask holds for every frame.
    index = 0 if frames == 1 else frame
    if not 0 <= index < frames or frame < 0:
        raise InputError(f"the mask has no frame {frame} (expected 0 to {frames - 1})", "Choose another frame.")
    lines = mask.lines[index]
    if mask.is_cartesian_1d:
        lines = lines[:, :1]
    measured = int(np.count_nonzero(lines))
    if measured == 0:
        raise InputError(f"frame {frame} of the mask measures nothing (expected at least one line)", "Choose another frame.")
    # Where the spectrum begins is a matter of phase alone: the magnitude needs no shift before the transform.
    image = np.fft.fftshift(np.fft.ifft2(lines.astype(np.float64)))
    return np.asarray(np.abs(image) * (lines.size / measured), dtype=np.float32)
