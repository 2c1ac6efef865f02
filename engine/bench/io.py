"""Reading k-space: our reader against ``h5[()]`` with ``real + 1j*imag`` and against the bytes of the file. Wall time, cached.

The file is what CMRxRecon ships: HDF5 with a 512-byte user block, axes (time, slice, coil, ky, kx), pairs of real and imag.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from engine.bench.contract import BENCHES, BenchSpec, wall_seconds
from engine.core.jobs import Reporter
from engine.core.records.machine import BenchResult
from engine.core.types import KSpaceSeries
from engine.io import open_series

COMPOUND = np.dtype([("real", "<f4"), ("imag", "<f4")])
FULL_SHAPE = (12, 2, 10, 204, 224)
QUICK_SHAPE = (12, 1, 5, 204, 204)
KEY = "kspace_full"
PLAIN = "h5[()], real + 1j*imag"
GZIP_LEVEL = 3
LAYOUTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("contiguous", {}),
    ("chunk = frame of a coil", {"chunks": True}),
    ("gzip, chunk = 51 lines", {"chunks": True, "compression": "gzip", "compression_opts": GZIP_LEVEL}),
)


def run(quick: bool, report: Reporter) -> Iterator[BenchResult]:
    """Yield one line for each layout and question: whole series, raw bytes, first frame."""
    shape = QUICK_SHAPE if quick else FULL_SHAPE
    data = _data(shape)
    with tempfile.TemporaryDirectory() as folder:
        for index, (layout, options) in enumerate(LAYOUTS):
            report.step(index, len(LAYOUTS), layout)
            path = Path(folder) / f"cine_sax_{index}.mat"
            offset = _write(path, data, options)
            yield from _cases(path, layout, shape, data, offset, 2 if "compression" in options else 7)
            path.unlink()
    report.step(1, 1, "done")


def _cases(
    path: Path, layout: str, shape: tuple[int, ...], data: NDArray[np.void], offset: int | None, repeats: int
) -> Iterator[BenchResult]:
    size = f"{data.nbytes / 1e6:.0f} MB, {layout}"
    series = open_series(path)
    if not isinstance(series, KSpaceSeries):
        raise TypeError(path)
    ours_s, ours = wall_seconds(lambda: [series.reader.read(n) for n in range(series.shape[0])], repeats)
    plain_s, plain = wall_seconds(lambda: _plain(path), repeats)
    # Equal work: our slices stacked are the plain array with its first two axes swapped.
    gap = max(float(np.abs(part - plain[:, n]).max()) for n, part in enumerate(ours))
    del ours
    rate = f"{data.nbytes / ours_s / 1e9:.2f} GB/s"
    yield _line(f"whole series, {size}", ours_s, PLAIN, plain_s, rate, f"{data.nbytes / plain_s / 1e9:.2f} GB/s", gap)
    del plain
    if offset is not None:
        raw_s, parts = wall_seconds(lambda: _raw(path, offset, shape), repeats)
        gap = float(np.abs(np.concatenate([part.ravel() for part in parts]) - data.view(np.complex64).ravel()).max())
        yield _line(f"whole series, {size}", ours_s, "raw file read", raw_s, rate, f"{data.nbytes / raw_s / 1e9:.2f} GB/s", gap)
    first_s, first = wall_seconds(lambda: _first_frame(path), repeats)
    gap = float(np.abs(first - (data[0, 0]["real"] + 1j * data[0, 0]["imag"])).max())
    yield _line(f"open and first frame, {size}", first_s, PLAIN, plain_s, f"{first_s * 1e3:.1f} ms", "whole file", gap)


def _line(case: str, ours_s: float, other: str, other_s: float, quality: str, other_quality: str, gap: float) -> BenchResult:
    return BenchResult("io", case, ours_s, other, other_s, other_s / ours_s, quality, other_quality, 1, f"max |a - b| {gap:.1g}")


def _data(shape: tuple[int, ...]) -> NDArray[np.void]:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((*shape, 2), dtype=np.float32)
    return values.view(COMPOUND)[..., 0]


def _write(path: Path, data: NDArray[np.void], options: dict[str, Any]) -> int | None:
    chunks = {"chunks": (1, 1, 1, 51 if "compression" in options else data.shape[3], data.shape[4])} if options else {}
    with h5py.File(path, "w", userblock_size=512) as file:
        dataset = file.create_dataset(KEY, data=data, **{**options, **chunks})
        offset: int | None = dataset.id.get_offset()
    return offset


def _plain(path: Path) -> NDArray[np.complex64]:
    with h5py.File(path, "r") as file:
        values = file[KEY][()]
    found: NDArray[np.complex64] = values["real"] + 1j * values["imag"]
    return found


def _raw(path: Path, offset: int, shape: tuple[int, ...]) -> list[NDArray[np.complex64]]:
    """Read the same bytes into arrays of the same sizes, one read call for each."""
    with path.open("rb", buffering=0) as stream:
        stream.seek(offset)
        found = []
        for _ in range(shape[1]):
            part = np.empty((shape[0], *shape[2:]), np.complex64)
            stream.readinto(part.reshape(-1).view(np.uint8).data)
            found.append(part)
    return found


def _first_frame(path: Path) -> NDArray[np.complex64]:
    series = open_series(path)
    if not isinstance(series, KSpaceSeries):
        raise TypeError(path)
    return series.reader.read_frame(0, 0)


BENCHES.register("io", BenchSpec("io", "Reading k-space files", run))
