"""Point-spread functions: what undersampling does to a single bright point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.core.axes import KX, KY
from engine.core.errors import InputError
from engine.core.types import Float, SamplingMask


def _centred(spectrum: NDArray[np.float64], axes: tuple[int, ...]) -> NDArray[np.float64]:
    image = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(spectrum, axes=axes), axes=axes), axes=axes)
    return np.abs(image)


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
    spread = _centred(lines.astype(np.float64), (KY, KX)) * (lines.size / measured)
    return np.asarray(spread, dtype=np.float32)


def point_spread_kt(mask: SamplingMask, frames: int | None = None) -> Float:
    """Return the magnitude of the point-spread function in y and temporal frequency f, float32 (f, y), peak 1 in the centre.

    It is taken along the readout's centre. A static mask is repeated for ``frames`` frames: everything is then at f = 0.

    Raises
    ------
    InputError
        The centre of the readout is never measured.
    """
    lines = mask.lines[..., mask.lines.shape[KX] // 2]
    if lines.shape[0] == 1 and frames is not None:
        lines = np.repeat(lines, frames, axis=0)
    measured = int(np.count_nonzero(lines))
    if measured == 0:
        raise InputError("the mask never measures the readout's centre (expected at least one sample)", "Choose another mask.")
    spread = _centred(lines.astype(np.float64), (0, 1)) * (lines.size / measured)
    return np.asarray(spread, dtype=np.float32)
