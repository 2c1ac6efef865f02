"""From images and coil maps to noisy k-space, one slice (or one frame) at a time."""

from __future__ import annotations

import threading
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError
from engine.core.types import Complex
from engine.phantom.streams import Purpose, stream


def check_noise(snr: float, seed: int) -> None:
    """Raise ``InputError`` unless noise can be made: a positive SNR (or ``inf``), and a seed from 0."""
    if not snr > 0:
        raise InputError(f"the SNR cannot be used (expected a positive number / found {snr:g})", "Use for example --snr 40.")
    if seed < 0:
        raise InputError(f"the seed cannot be used (expected 0 or more / found {seed})", "Use for example --seed 0.")


class SliceSource(Protocol):
    """What is in front of the coils: noise-free images and coil maps of one slice."""

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes of (slice, frame, coil, ky, kx)."""

    def images(self, slice_index: int) -> Complex:
        """Return complex64 (frame, y, x)."""

    def maps(self, slice_index: int) -> Complex:
        """Return complex64 (coil, y, x)."""


class EncodedReader:
    """A :class:`engine.core.types.KSpaceReader` that encodes when it is asked.

    ``k = F(S image) + n`` with the centred orthonormal 2D Fourier transform F, coil maps S and white complex Gaussian noise n of
    standard deviation ``sigma`` in the real and in the imaginary part. Every frame has a noise stream of its own, seeded by (seed,
    slice, frame), so that reading a frame alone, a slice, or slices in any order gives the same numbers. The slice read last is
    kept. Safe to call from several threads.

    Parameters
    ----------
    source
        Images and maps.
    sigma
        Standard deviation of the noise of each real component of k-space; 0 for none.
    seed
        Seed of the noise.
    """

    def __init__(self, source: SliceSource, sigma: float, seed: int) -> None:
        self._source = source
        self._sigma = float(sigma)
        self._seed = int(seed)
        self._lock = threading.Lock()
        self._last: tuple[int, Complex] | None = None
        self._last_input: tuple[int, Complex, Complex] | None = None

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes of (slice, frame, coil, ky, kx)."""
        return self._source.shape

    def read(self, slice_index: int) -> Complex:
        """Return one slice, complex64 (frame, coil, ky, kx), read-only."""
        with self._lock:
            if self._last is not None and self._last[0] == slice_index:
                return self._last[1]
            images, maps = self._inputs(slice_index)
            kspace = np.empty(self.shape[1:], dtype=np.complex64)
            for frame in range(images.shape[0]):
                self._encode(images, maps, slice_index, frame, kspace[frame])
            kspace.flags.writeable = False
            self._last = (slice_index, kspace)
            return kspace

    def read_frame(self, slice_index: int, frame: int) -> Complex:
        """Return one frame of one slice, complex64 (coil, ky, kx), read-only; the others are not made."""
        with self._lock:
            if self._last is not None and self._last[0] == slice_index:
                kept: Complex = self._last[1][frame]
                return kept
            images, maps = self._inputs(slice_index)
            kspace = np.empty(self.shape[2:], dtype=np.complex64)
            self._encode(images, maps, slice_index, frame, kspace)
            kspace.flags.writeable = False
            return kspace

    def _inputs(self, slice_index: int) -> tuple[Complex, Complex]:
        """Return images and maps ready for a plain FFT (see :func:`fold_shifts`)."""
        if self._last_input is None or self._last_input[0] != slice_index:
            images = np.fft.ifftshift(self._source.images(slice_index), axes=(-2, -1)).astype(np.complex64, copy=False)
            self._last_input = (slice_index, images, fold_shifts(self._source.maps(slice_index)))
        return self._last_input[1], self._last_input[2]

    def _encode(self, images: Complex, maps: Complex, slice_index: int, frame: int, out: NDArray[np.complex64]) -> None:
        from scipy.fft import fft2

        out[...] = fft2(maps * images[frame], norm="ortho", overwrite_x=True, workers=1)
        if self._sigma > 0:
            parts = out.view(np.float32)
            noise = stream(self._seed, Purpose.NOISE, slice_index, frame).standard_normal(parts.shape, dtype=np.float32)
            noise *= np.float32(self._sigma)
            parts += noise


def fold_shifts(maps: Complex) -> Complex:
    """Return maps with which a plain ``fft2`` of ``maps * ifftshift(image)`` is the centred transform, for even and odd sizes.

    The shift of the input is applied to the maps once; the shift of the output by n // 2 becomes a linear phase on the input
    (shift theorem), so no coil image is ever moved.
    """
    shifted = np.fft.ifftshift(maps, axes=(-2, -1))
    ny, nx = shifted.shape[-2:]
    ramp_y = np.exp(2j * np.pi * (ny // 2) * np.arange(ny) / ny)
    ramp_x = np.exp(2j * np.pi * (nx // 2) * np.arange(nx) / nx)
    folded: Complex = (shifted * (ramp_y[:, None] * ramp_x[None, :])).astype(np.complex64)
    return folded
