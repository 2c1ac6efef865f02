"""Files and samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.jobs import Reporter, silent
from engine.core.records.registries import FormatInfo
from engine.core.records.series import Sample, SeriesInfo
from engine.core.types import (
    ImageSeries,
    KSpaceSeries,
    Reconstruction,
    SamplingMask,
)

if TYPE_CHECKING:
    from engine.io.contract import OpenOptions


def open_series(path: str | Path, options: OpenOptions | None = None) -> KSpaceSeries | ImageSeries:
    """Open a file lazily; the format is recognised. See :func:`engine.io.contract.open_series`."""
    from engine.io import open_series as read

    return read(path, options)


def open_options(**settings: Any) -> OpenOptions:
    """Return what a person says about a file: ``axes``, ``key``, ``times_ms``, ``kind``. See ``engine.io.contract.OpenOptions``."""
    from engine.io.contract import OpenOptions

    return OpenOptions(**settings)


def formats() -> list[FormatInfo]:
    """Return all registered formats."""
    from engine.io.contract import FORMATS

    return [spec.info for _, spec in FORMATS.items()]


def samples() -> list[Sample]:
    """Return the data that ship with the program, each with licence and source."""
    from engine.io.samples import samples as listing

    return listing()


def open_sample(name: str) -> KSpaceSeries | ImageSeries:
    """Open a sample by name; raise ``UnknownNameError`` with the nearest names."""
    from engine.io.samples import open_sample as read

    return read(name)


def describe(series: KSpaceSeries | ImageSeries) -> SeriesInfo:
    """Return what a series is: kind, axes, times, sampling."""
    from engine.io.describe import describe as info

    return info(series)


def save_series(series: KSpaceSeries, path: str | Path, report: Reporter | None = None) -> None:
    """Write k-space in our own HDF5 layout."""
    from engine.io.myoscope_h5 import write_kspace

    write_kspace(path, series, report=report or silent())


def save_reconstruction(reconstruction: Reconstruction, path: str | Path) -> None:
    """Write a reconstruction in our own HDF5 layout."""
    from engine.io.myoscope_h5 import write_reconstruction

    write_reconstruction(path, reconstruction)


def open_reconstruction(path: str | Path) -> Reconstruction:
    """Read a reconstruction written by :func:`save_reconstruction`."""
    from engine.io.myoscope_h5 import read_reconstruction

    return read_reconstruction(path)


def open_mask(path: str | Path, shape: Sequence[int] | None = None) -> SamplingMask:
    """Read a sampling mask from h5, npz, npy or mat; the ``shape`` of the k-space tells (frame, ky) from (ky, kx)."""
    from engine.io.masks import read_mask

    return read_mask(path, None if shape is None else tuple(shape))
