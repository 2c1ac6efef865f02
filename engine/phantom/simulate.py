"""Multi-coil k-space from images that have none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.core.acquisition import WHOLE
from engine.core.errors import InputError
from engine.core.jobs import Reporter
from engine.core.types import Complex, ImageSeries, KSpaceSeries
from engine.phantom.coils import CoilArray, coil_maps
from engine.phantom.encode import EncodedReader, check_noise
from engine.phantom.phase import smooth_phase
from engine.phantom.streams import Purpose, stream

SIMULATED = "simulated coils"
SIGNAL_PERCENTILE = 95.0
SAMPLES = 1 << 20
ASSUMED_FOV_MM = 340.0
FOV_RANGE_MM = (150.0, 600.0)


def simulate(images: ImageSeries, coils: int, snr: float, seed: int, report: Reporter) -> KSpaceSeries:
    """Return k-space of ``images`` as an array of coils would have measured it, made slice by slice when it is read.

    Each slice is multiplied by a smooth random phase (when the images are real; complex images keep theirs), by the sensitivities
    of ``coils`` loops round the field of view (:mod:`engine.phantom.coils`), transformed by the centred orthonormal FFT, and white
    complex Gaussian noise is added. The reference made from it is the input plus that noise.

    Parameters
    ----------
    images
        (slice, frame, y, x), magnitude or complex.
    coils
        Number of loops, 1 to 64. A single coil has a uniform sensitivity.
    snr
        95th percentile of the magnitudes of the whole series, divided by the standard deviation of the noise in the real part of
        the coil-combined, fully sampled image. ``inf`` for no noise.
    seed
        Seed of phase, array position and noise.
    report
        Progress and cancellation.

    Returns
    -------
    KSpaceSeries
        Its notes carry "simulated coils" and the notes of the input.

    Raises
    ------
    InputError
        No signal, NaN in the images, SNR not positive, a number of coils that cannot be.
    """
    check_noise(snr, seed)
    report.step(0, 2, "measuring the signal level")
    level = signal_level(images.images)
    report.step(1, 2, "placing coils")
    source = _ImageSource(images, coils, seed)
    reader = EncodedReader(source, level / snr, seed)
    report.step(2, 2, "ready")
    return KSpaceSeries(
        reader=reader,
        kind=images.kind,
        times_ms=images.times_ms,
        acquisition=WHOLE,
        geometry=replace(images.geometry, phase_encode="y"),  # that is how it is encoded here
        name=images.name,
        source=images.source,
        format=images.format,
        notes=tuple(dict.fromkeys((*images.notes, SIMULATED))),
        unknown=images.unknown,
        attributes={**images.attributes, "simulation": {"coils": coils, "snr": snr, "seed": seed, "signal_level": level}},
    )


def signal_level(images: np.ndarray) -> float:
    """Return the 95th percentile of the magnitudes of a series; about a million values, evenly taken, decide it.

    Raises
    ------
    InputError
        The images hold NaN or infinity, or nothing but zeros.
    """
    # One slice at a time: the sum finds any NaN without a temporary of the series' size.
    for index, one in enumerate(images):
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = not np.isfinite(np.add.reduce(one, axis=None))
        if suspicious and not np.isfinite(one).all():
            bad = int(np.count_nonzero(~np.isfinite(one)))
            raise InputError(
                f"the images of slice {index} hold {bad} values that are NaN or infinite (expected none)",
                "Repair the series, or leave this slice out.",
            )
    flat = images.reshape(-1)
    level = float(np.percentile(np.abs(flat[:: max(1, flat.size // SAMPLES) | 1]), SIGNAL_PERCENTILE))
    if level == 0.0:
        level = float(max(np.abs(one).max() for one in images))
    if level == 0.0:
        raise InputError("the images hold no signal (expected values other than zero / found only zeros)", "Check the file.")
    return level


class _ImageSource:
    """Images and coil maps of a series, slice by slice. The maps are made once, for all slices."""

    def __init__(self, images: ImageSeries, coils: int, seed: int) -> None:
        self._series = images
        self._seed = seed
        slices, frames, ny, nx = images.shape
        self.shape = (slices, frames, coils, ny, nx)
        self._voxel = _in_plane_voxel(images)
        # Whatever the anatomy is, it lies inside an ellipse that is a fifth larger than the field of view.
        turn = float(stream(seed, Purpose.COILS).uniform(0.0, 2.0 * np.pi))
        self._array = CoilArray(coils, (0.6 * ny * self._voxel[0], 0.6 * nx * self._voxel[1]), turn)
        self._maps: Complex | None = None

    def maps(self, slice_index: int) -> Complex:  # noqa: ARG002
        """Return complex64 (coil, y, x)."""
        if self._maps is None:
            self._maps = coil_maps(self._array, self.shape[-2:], self._voxel)
        return self._maps

    def images(self, slice_index: int) -> Complex:
        """Return complex64 (frame, y, x)."""
        one = self._series.images[slice_index]
        if np.iscomplexobj(one):
            return np.asarray(one, dtype=np.complex64)
        phase = smooth_phase(self.shape[-2:], stream(self._seed, Purpose.PHASE, slice_index))
        return np.asarray(one * phase, dtype=np.complex64)


def _in_plane_voxel(images: ImageSeries) -> tuple[float, float]:
    """Return the pixel size (y, x) in mm, scaled so that the field of view is that of a chest when it is unknown or is not one.

    Coils have the size of coils: round a mouse, or round a field of view in wrong units, they would all see the same.
    """
    _, _, ny, nx = images.shape
    y, x = images.voxel_mm[1:] if images.voxel_mm is not None else (1.0, 1.0)
    fov = max(ny * y, nx * x)
    if images.voxel_mm is None or not FOV_RANGE_MM[0] <= fov <= FOV_RANGE_MM[1]:
        return y * ASSUMED_FOV_MM / fov, x * ASSUMED_FOV_MM / fov
    return y, x
