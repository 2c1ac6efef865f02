"""How estimates are prepared before they are scored: our own way and those of two challenges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from engine.core.axes import FRAME, SLICE, X, Y
from engine.core.errors import InputError, UnknownNameError
from engine.core.types import Bool, Float, Kind, Region
from engine.sampling.acs import centre_lines


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Images that make one value of every metric.

    ``estimate`` and ``reference`` are float32 magnitudes (frame, y, x); ``pixels`` bool (y, x) or None; ``slice`` is an index or
    ``"all"``; ``frame_by_frame`` takes a metric on each frame alone and then the mean.
    """

    slice: int | str
    estimate: Float
    reference: Float
    pixels: Bool | None
    region: str
    data_range: float
    frame_by_frame: bool = False

    @property
    def n_pixels(self) -> int:
        """Pixels times frames that are compared."""
        return self.reference[0].size * len(self.reference) if self.pixels is None else int(self.pixels.sum()) * len(self.reference)


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol: ``parts(estimate, reference, region, kind)`` yields what is compared, from magnitudes (slice, frame, y, x)."""

    name: str
    title: str
    description: str
    parts: Callable[[Float, Float, Region | None, Kind], Iterator[Part]]


def _peak(reference: Float, what: str) -> float:
    peak = float(reference.max())
    if peak <= 0:
        raise InputError(f"the reference of {what} is zero (expected a signal)", "Choose other slices, or another reference.")
    return peak


def _myoscope(estimate: Float, reference: Float, region: Region | None, kind: Kind) -> Iterator[Part]:
    del kind
    for index in range(reference.shape[SLICE]):
        pixels = None if region is None else region.pixels[index]
        name = "whole" if region is None else region.name
        # The whole image's maximum, also for a region: values of different regions stay comparable.
        yield Part(index, estimate[index], reference[index], pixels, name, _peak(reference[index], f"slice {index}"))


def _round(value: float) -> int:
    """Round half away from zero, as MATLAB does."""
    return int(np.floor(value + 0.5))


def _cmrxrecon(estimate: Float, reference: Float, region: Region | None, kind: Kind) -> Iterator[Part]:
    _no_region(region, "cmrxrecon")
    slices, frames = reference.shape[SLICE], reference.shape[FRAME]
    if kind not in (Kind.MOLLI, Kind.T2PREP):
        frames = min(frames, 3)
    last = _round(slices / 2)
    chosen = range(slices) if slices < 3 else range(last - 2, last)
    height, width = _round(reference.shape[Y] / 2), max(1, _round(reference.shape[X] / 3))
    # The challenge's crop is the rule that also places its ACS.
    rows, columns = centre_lines(reference.shape[Y], height), centre_lines(reference.shape[X], width)
    name = f"middle y {height}, x {width}, frames 0-{frames - 1}"
    for index in chosen:
        e, r = (images[index, :frames, rows, columns].copy() for images in (estimate, reference))
        for frame in range(frames):
            r[frame] /= _peak(r[frame], f"slice {index}, frame {frame}")
            # An estimate without signal stays as it is: it scores badly, which is right.
            e[frame] /= float(e[frame].max()) or 1.0
        yield Part(index, e, r, None, name, 1.0, frame_by_frame=True)


def _cmrxrecon_mapping(estimate: Float, reference: Float, region: Region | None, kind: Kind) -> Iterator[Part]:
    del kind
    yield from _cmrxrecon(estimate, reference, region, Kind.MOLLI)


def _fastmri(estimate: Float, reference: Float, region: Region | None, kind: Kind) -> Iterator[Part]:
    del kind
    _no_region(region, "fastmri")
    shape = (-1, reference.shape[Y], reference.shape[X])
    yield Part("all", estimate.reshape(shape), reference.reshape(shape), None, "whole", _peak(reference, "the series"))


def _no_region(region: Region | None, protocol: str) -> None:
    if region is not None:
        raise InputError(
            f"protocol {protocol} scores its own part of the image (expected no region / found {region.name})",
            "Use the protocol myoscope for regions.",
        )


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "myoscope",
            "Myoscope",
            "Magnitude; all frames of a slice together; data range = maximum of the whole reference series of the slice; the "
            "estimate is not rescaled; one value for each slice and their mean. SSIM is the mean over frames.",
            _myoscope,
        ),
        Protocol(
            "cmrxrecon",
            "CMRxRecon 2023 ranking",
            "Magnitude; the two central slices, the first three frames of a cine (all images of a mapping series), the middle half "
            "of phase encoding times the middle third of the readout; each frame of both images divided by its own maximum, data "
            "range 1; every frame is scored alone, then the mean (run4Ranking, Evaluation.py).",
            _cmrxrecon,
        ),
        Protocol(
            "cmrxrecon_mapping",
            "CMRxRecon 2023 ranking, mapping",
            "As cmrxrecon with all images of the series, whatever the file says it holds.",
            _cmrxrecon_mapping,
        ),
        Protocol(
            "fastmri",
            "fastMRI",
            "Magnitude; slices and frames together are one volume; data range = maximum of the reference volume; PSNR and NMSE "
            "over the volume, SSIM the mean over its images; no rescaling; one value for the volume (arXiv:1811.08839, section 5).",
            _fastmri,
        ),
    )
}


def protocol_of(name: str) -> Protocol:
    """Return the protocol called ``name``; raise ``UnknownNameError`` otherwise."""
    if name not in PROTOCOLS:
        raise UnknownNameError(f"unknown protocol {name!r} (expected {', '.join(PROTOCOLS)})", "The default is myoscope.")
    return PROTOCOLS[name]
