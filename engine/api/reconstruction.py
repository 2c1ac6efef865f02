"""Methods and reconstructions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from engine.core.jobs import Reporter, silent
from engine.core.records.methods import MethodInfo
from engine.core.records.plain import Plain
from engine.core.requests import MethodFailed, ReconRequest, RunRequest, SliceDone
from engine.core.types import (
    Complex,
    KSpaceSeries,
    Reconstruction,
    SamplingMask,
)


def methods(names: Sequence[str] = (), costs: bool = True, report: Reporter | None = None) -> list[MethodInfo]:
    """Return one record for each method, or each named one.

    ``costs=False`` leaves out multiply-accumulates and memory, which take up to a second for each preset of a network.
    """
    from engine.reconstruction.catalogue import methods as listing

    return listing(names, costs, report or silent())


def method_macs(name: str) -> float | None:
    """Return the multiply-accumulates of a method's default preset at the shape that its paper counts at; up to a second."""
    from engine.reconstruction.catalogue import default_macs

    return default_macs(name)


def memory_estimate(
    name: str,
    shape: Sequence[int],
    mask: SamplingMask | None = None,
    weights: str | None = None,
    settings: Mapping[str, Plain] | None = None,
    device: str = "auto",
) -> float | None:
    """Return the MiB that one slice of a series of ``shape`` (slice, frame, coil, ky, kx) will take; up to a second.

    None where it cannot be told. See :func:`engine.reconstruction.catalogue.memory_for`.
    """
    from engine.reconstruction.catalogue import memory_for

    return memory_for(name, shape, mask, weights, settings, device)


def reconstruct(request: ReconRequest, report: Reporter | None = None) -> Reconstruction:
    """Undersample, reconstruct and return images on the data's own scale. See :mod:`engine.reconstruction.plan`."""
    from engine.reconstruction.plan import reconstruct as run

    return run(request, report or silent())


def run(request: RunRequest, report: Reporter, tell: Callable[[SliceDone | MethodFailed], None]) -> None:
    """Reconstruct by several methods, slice by slice; ``tell`` is called for each. See :mod:`engine.reconstruction.plan`."""
    from engine.reconstruction.plan import run as go

    go(request, report, tell)


def reference(
    series: KSpaceSeries,
    slices: Sequence[int] | None = None,
    frames: Sequence[int] | None = None,
    report: Reporter | None = None,
) -> Complex:
    """Return the fully sampled, coil-combined image complex64 (slice, frame, y, x) of a fully sampled series."""
    from engine.reconstruction.inputs import reference_image

    return reference_image(series, slices, frames, report or silent())


def preview(series: KSpaceSeries, mask: SamplingMask | None, slice_index: int, frame: int) -> Complex:
    """Return the zero-filled image of one frame, complex64 (y, x), fast enough to follow a slider."""
    from engine.reconstruction.preview import preview as run

    return run(series, mask, slice_index, frame)
