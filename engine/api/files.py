"""Files and samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.core.jobs import Reporter, silent
from engine.core.records.entries import Content, Entry
from engine.core.records.registries import FormatInfo
from engine.core.records.series import Sample, SeriesInfo
from engine.core.requests import OpenOptions
from engine.core.types import (
    ImageSeries,
    KSpaceSeries,
    Reconstruction,
    SamplingMask,
)


def open_series(path: str | Path, options: OpenOptions | None = None) -> KSpaceSeries | ImageSeries:
    """Open a file, or a folder with one series, lazily; the format is recognised. See :func:`engine.io.opening.open_series`."""
    from engine.io import open_series as read

    return read(path, options)


def formats() -> list[FormatInfo]:
    """Return all registered formats."""
    from engine.io.contract import FORMATS

    return [spec.info for _, spec in FORMATS.items()]


def list_entries(path: str | Path) -> Iterator[Entry]:
    """Yield what is in a file or, recursively, in a folder, from headers alone. See :func:`engine.io.opening.entries`."""
    from engine.io import entries

    return entries(path)


def open_entry(entry: Entry, options: OpenOptions | None = None) -> KSpaceSeries | ImageSeries:
    """Open what :func:`list_entries` listed."""
    from engine.io.opening import read

    return read(entry, options)


def save_patterns(content: Content) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what ``content`` can be written as, for a file dialog: title and patterns ("*.h5"), the usual first."""
    from engine.io.saving import patterns

    return patterns(content)


def check_output(content: Content, path: str | Path, inputs: Sequence[str | Path] = (), format_name: str | None = None) -> None:
    """Raise ``OutputError`` at once when ``content`` could not be written to ``path`` later, or would replace an input."""
    from engine.io.opening import files_of
    from engine.io.saving import check_output as check

    check(content, path, [file for one in inputs for file in files_of(Path(one))], format_name)


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


def save_series(
    series: KSpaceSeries,
    path: str | Path,
    report: Reporter | None = None,
    truth: Mapping[str, NDArray[Any]] | None = None,
    format_name: str | None = None,
) -> Path:
    """Write k-space (with the truth maps of a phantom) as the ending says, or in a named format; return the file to open."""
    from engine.io import WriteOptions, save

    return save(series, path, WriteOptions(truth=truth, report=report or silent()), format_name)


def save_reconstruction(reconstruction: Reconstruction, path: str | Path) -> None:
    """Write a reconstruction as the ending of the path says; :func:`save_patterns` lists what can be."""
    from engine.io import save

    save(reconstruction, path)


def open_reconstruction(path: str | Path) -> Reconstruction:
    """Read a reconstruction written by :func:`save_reconstruction`."""
    from engine.io.myoscope_h5 import read_reconstruction

    return read_reconstruction(path)


def open_mask(path: str | Path, shape: Sequence[int] | None = None) -> SamplingMask:
    """Read a sampling mask from h5, npz, npy or mat; the ``shape`` of the k-space tells (frame, ky) from (ky, kx)."""
    from engine.io.masks import read_mask

    return read_mask(path, None if shape is None else tuple(shape))
