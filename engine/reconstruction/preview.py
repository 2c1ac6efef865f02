"""A zero-filled frame, fast enough to follow a slider: SciPy's FFT, root sum of squares, no coil maps, no torch."""

from __future__ import annotations

import numpy as np

from engine.core.types import Complex, KSpaceSeries, SamplingMask


def preview(series: KSpaceSeries, mask: SamplingMask | None, slice_index: int, frame: int) -> Complex:
    """Return the zero-filled root-sum-of-squares image of one frame, complex64 (y, x)."""
    from scipy import fft

    data = series.reader.read_frame(slice_index, frame)
    if mask is not None:
        mask.check_fits(series.shape)
        data = np.where(mask.lines[frame if mask.lines.shape[0] > 1 else 0], data, np.complex64(0))
    image = fft.ifft2(np.fft.ifftshift(data, axes=(-2, -1)), norm="ortho", workers=1)
    magnitude = np.sqrt(np.sum(image.real**2 + image.imag**2, axis=0))
    combined: Complex = np.fft.fftshift(magnitude).astype(np.complex64)
    return combined
