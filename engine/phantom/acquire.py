"""From a request to a measured series: the heart is drawn, its tissues give signal, coils receive it, noise is added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.acquisition import WHOLE
from engine.core.geometry import Geometry
from engine.core.jobs import Reporter
from engine.core.types import Complex, Float, Kind, KSpaceSeries
from engine.phantom.anatomy import TORSO_MM, Chest, automatic_voxel
from engine.phantom.coils import CoilArray, coil_maps
from engine.phantom.contrast import Contrast
from engine.phantom.encode import EncodedReader
from engine.phantom.motion import breathing
from engine.phantom.phase import smooth_phase
from engine.phantom.request import PhantomRequest
from engine.phantom.streams import Purpose, stream
from engine.phantom.tissues import Structure

__all__ = ["PhantomRequest", "make_phantom"]

NOTES = ("numerical phantom", "simulated coils")
SINGLE_SLICE_MM = 8.0
LARGEST_PITCH_MM = 10.0
LOWEST_MM, HIGHEST_MM, MIDDLE_MM = 5.0, 73.0, 45.0
COIL_GAP_MM = 30.0
MAP_PHASE = 0.0  # maps are measured in the frame of end-diastole


def make_phantom(request: PhantomRequest, report: Reporter) -> tuple[KSpaceSeries, Mapping[str, Any]]:
    """Return fully sampled multi-coil k-space of a numerical heart, and the truth behind it.

    Images are made now; k-space is encoded slice by slice when it is read, always with the same noise.

    *Deviation* from a scanner: all lines of an image carry the signal of the line in the centre of k-space, so that relaxation
    during a readout sets the contrast but does not blur; blood does not flow; the receive profile of the array as a whole is flat.

    Returns
    -------
    KSpaceSeries
        Kind, times and voxel size set; notes "numerical phantom" and "simulated coils"; the request among the attributes.
    dict
        ``image`` complex64 (slice, frame, y, x), free of noise; ``coil_maps`` complex64 (slice, 1, coil, y, x); ``labels``
        uint8 (slice, frame or 1, y, x), numbers of :class:`engine.phantom.tissues.Structure`. Of the first frame, float32
        (slice, y, x), 0 where there is nothing: ``purity``, the share of the labelled structure in the pixel; ``t1_ms``, ``t2_ms``,
        ``pd``. MOLLI also has ``a``, ``b``, ``t1_star_ms`` and ``t1_fit_ms``, what an exact three-parameter fit of the signal
        gives: for simulated (not analytic) signals it is less than the tissue's T1. T2-prep has ``a`` and ``t2_fit_ms``. A reading
        is 0 where the fit's answer is no relaxation time (0 to 10 s), as in bone. All these maps hold in every pixel of an analytic
        MOLLI or T2-prep; elsewhere they are those of the labelled structure, and tell of the signal where ``purity`` is 1.

    Raises
    ------
    InputError
        The sequence does not fit into the heartbeat.
    Cancelled
        The user asked to stop.
    """
    chest = Chest(request.seed)
    voxel = _voxel(request)
    contrast = Contrast(request)
    heights = _heights(request.slices)
    drawn = _draw(request, chest, voxel, heights, contrast, report.part(0.0, 0.9))
    array = CoilArray(
        request.coils,
        (0.5 * TORSO_MM[0] * chest.scale + COIL_GAP_MM, 0.5 * TORSO_MM[1] * chest.scale + COIL_GAP_MM),
        float(stream(request.seed, Purpose.COILS).uniform(0.0, 2.0 * np.pi)),
    )
    maps = []
    coils_report = report.part(0.9, 0.1)
    for index, z in enumerate(heights):
        coils_report.step(index, len(heights), "placing coils")
        maps.append(coil_maps(array, request.matrix, voxel, z - MIDDLE_MM))
    truth = {"image": drawn.pop("image"), "coil_maps": np.stack(maps)[:, None], **drawn}
    sigma = contrast.myocardium / request.snr
    reader = EncodedReader(_DrawnSource(truth["image"], truth["coil_maps"]), sigma, request.seed)
    series = KSpaceSeries(
        reader=reader,
        kind=Kind(request.kind),
        times_ms=np.asarray(request.times_ms(), dtype=np.float32),
        acquisition=WHOLE,
        geometry=_geometry(request, voxel, heights),
        name=f"phantom {request.kind}, seed {request.seed}",
        notes=NOTES,
        attributes={
            "phantom": request.as_attributes(),
            "noise_sd": sigma,
            "labels": {structure.name.lower(): int(structure) for structure in Structure},
        },
    )
    report.step(1, 1, "phantom ready")
    return series, truth


class _DrawnSource:
    """Images and maps in memory as an encoder wants them."""

    def __init__(self, images: Complex, maps: Complex) -> None:
        self._images, self._maps = images, maps
        slices, frames, ny, nx = images.shape
        self.shape = (slices, frames, maps.shape[-3], ny, nx)

    def images(self, slice_index: int) -> Complex:
        """Return complex64 (frame, y, x)."""
        one: Complex = self._images[slice_index]
        return one

    def maps(self, slice_index: int) -> Complex:
        """Return complex64 (coil, y, x)."""
        one: Complex = self._maps[slice_index, 0]
        return one


def _voxel(request: PhantomRequest) -> tuple[float, float]:
    if request.fov_mm is None:
        return automatic_voxel(request.matrix)
    return request.fov_mm[0] / request.matrix[0], request.fov_mm[1] / request.matrix[1]


def _geometry(request: PhantomRequest, voxel: tuple[float, float], heights: Sequence[float]) -> Geometry:
    """Return where the slices lie: seen from the apex, the pixel in the middle of the middle of the heart at 0."""
    (ky, kx), (y, x), pitch = request.matrix, voxel, _pitch(request.slices)
    planes = [[[-x, 0, 0, x * (kx // 2)], [0, -y, 0, y * (ky // 2)], [0, 0, -pitch, z - MIDDLE_MM], [0, 0, 0, 1]] for z in heights]
    return Geometry(np.array(planes, np.float64), phase_encode="y", frame_of_reference="phantom")


def _pitch(slices: int) -> float:
    """Return the distance of slices in mm: at most 10, and so that the stack stays between base and apex."""
    return SINGLE_SLICE_MM if slices == 1 else min(LARGEST_PITCH_MM, (HIGHEST_MM - LOWEST_MM) / (slices - 1))


def _heights(slices: int) -> list[float]:
    """Return heights above the apex in mm, from base to apex."""
    if slices == 1:
        return [MIDDLE_MM]
    pitch = _pitch(slices)
    top = min(HIGHEST_MM, MIDDLE_MM + 0.5 * pitch * (slices - 1))
    return [top - pitch * k for k in range(slices)]


def _draw(
    request: PhantomRequest,
    chest: Chest,
    voxel: tuple[float, float],
    heights: list[float],
    contrast: Contrast,
    report: Reporter,
) -> dict[str, NDArray[Any]]:
    """Return image, labels, purity and tissue maps of all slices."""
    frames = request.frame_count
    cine = request.kind == Kind.CINE
    phases = [k / frames if cine else MAP_PHASE for k in range(frames)]
    images = np.empty((request.slices, frames, *request.matrix), dtype=np.complex64)
    labels: list[NDArray[np.uint8]] = []
    maps: list[dict[str, Float]] = []
    for index, z in enumerate(heights):
        drift = breathing(frames, request.drift_mm, stream(request.seed, Purpose.DRIFT, index), periodic=cine)
        plane = chest.plane(request.matrix, voxel, z)
        still = not cine and not drift.any()
        for frame in range(frames):
            report.step(index * frames + frame, request.slices * frames, f"drawing slice {index + 1} of {request.slices}")
            if frame == 0 or not still:
                shares = plane.at(phases[frame], (float(drift[frame, 0]), float(drift[frame, 1])))
                labels.append(np.argmax(shares, axis=0).astype(np.uint8))
                contrast.set_shares(shares)
            if frame == 0:
                maps.append({"purity": shares.max(axis=0), **contrast.maps(labels[-1])})
            images[index, frame] = contrast.image(frame)
        images[index] *= smooth_phase(request.matrix, stream(request.seed, Purpose.PHASE, index))
    stacked = {name: np.stack([one[name] for one in maps]).astype(np.float32) for name in maps[0]}
    return {"image": images, "labels": np.stack(labels).reshape(request.slices, -1, *request.matrix), **stacked}
