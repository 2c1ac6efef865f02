"""CMRxRecon's tables: times per slice (T1map.csv, T2map.csv) and the scan's parameters (*_info.csv).

Source: CalEvalMap.py of CMRxRecon (2023); *_info.csv of CMRxRecon2024 and CMRxRecon2025.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import FormatError
from engine.core.types import Kind

# What T1map.csv and T2map.csv usually say; offered in a note when they are missing, never used silently.
USUAL_TIMES_MS: Mapping[Kind, tuple[float, ...]] = {
    Kind.MOLLI: (100, 180, 260, 1245, 1323, 1340, 2395, 2450, 3550),
    Kind.T2PREP: (0, 35, 55),
}
TIME_WORDS: Mapping[Kind, str] = {Kind.MOLLI: "inversion times", Kind.T2PREP: "T2 preparation times"}
# Recon pixels are square within this relative difference; else the convention of FOVx is not one we know.
SQUARE = 0.05


@dataclass(frozen=True, slots=True)
class Times:
    """Times of a series: ms (slice, frame), and how many of the stored frames they belong to."""

    times_ms: NDArray[np.float32]
    frames: int


def read_times(path: Path, slices: int, frames: int, kind: Kind, notes: list[str]) -> Times | None:
    """Return the times of a csv with one header row and one index column, rows frames and columns slices.

    Rows and columns after the first that is all empty or NaN are left out. A last inversion time of 0 drops the last image, as
    the challenge's own evaluation does. A single column serves all slices. None, with a note, when the table does not fit.

    Raises
    ------
    FormatError
        The file is no table of numbers.
    """
    table = _numbers(path)
    there = ~np.isnan(table)
    rows, columns = _leading(np.any(there, axis=1)), _leading(np.any(there, axis=0))
    table = table[:rows, :columns]  # (frame, slice)
    if table.size == 0:
        notes.append(f"{path.name} holds no times")
        return None
    if table.shape[1] == 1:
        table = np.repeat(table, slices, axis=1)
    if kind is Kind.MOLLI and table.shape[0] > 1:
        last = table[-1, : min(slices, table.shape[1])]
        if (np.nan_to_num(last) == 0).all():
            notes.append(f"{path.name} ends with an inversion time of 0: the last image is left out")
            table = table[:-1]
            frames -= 1
    if table.shape[0] != frames or table.shape[1] < slices:
        notes.append(
            f"{path.name} does not fit (expected {frames} times for {slices} slices / found {table.shape[0]} for {table.shape[1]})"
        )
        return None
    table = table[:, :slices]
    # No inversion time is 0: it stands for an image that is not there.
    if not np.isfinite(table).all() or (table < 0).any() or (kind is Kind.MOLLI and (table == 0).any()):
        notes.append(f"{path.name} has gaps or impossible times and was not used")
        return None
    return Times(np.ascontiguousarray(table.T, np.float32), frames)


def _leading(good: Any) -> int:
    """Return how many entries are true before the first false one."""
    return int(np.argmin(good)) if not np.all(good) else int(np.size(good))


def _numbers(path: Path) -> NDArray[np.float64]:
    rows = [row[1:] for row in _rows(path)][1:]
    width = max((len(row) for row in rows), default=0)
    table = np.full((len(rows), width), np.nan)
    for i, row in enumerate(rows):
        for j, word in enumerate(row):
            table[i, j] = _number(word)
    return table


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _rows(path: Path) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            yield from (row for row in csv.reader(stream) if row)
    except (OSError, csv.Error) as error:
        raise FormatError(
            f"{path.name} cannot be read as a table ({error})", "Repair it, or move it away and use --times."
        ) from error


def read_info(path: Path) -> dict[str, str]:
    """Return the rows ``Parameter,Value`` by lower-case name, units in brackets taken off ("fovx", "slicethickness")."""
    found: dict[str, str] = {}
    for row in _rows(path):
        if len(row) >= 2:
            name = re.sub(r"\(.*?\)", "", row[0]).strip().lower()
            found[name] = ", ".join(word.strip() for word in row[1:] if word.strip())
    found.pop("parameter", None)
    return found


def voxel_of(info: Mapping[str, str], ky: int, kx: int, notes: list[str]) -> tuple[float, float, float] | None:
    """Return the voxel size (z, y, x) in mm of an image with ``ky`` x ``kx`` pixels, None when it cannot be told.

    Along y the image covers FOVy. Along x it covers the oversampled field of view; FOVx is that or the nominal one, depending on
    the scanner: the one that makes the scanner's own pixels square is taken, and none when neither does. z is the slice
    thickness: the gap between slices is not stored.
    """
    fov_x, fov_y = _positive(info, "fovx"), _positive(info, "fovy")
    matrix_x, matrix_y = _positive(info, "reconmatrix_x"), _positive(info, "reconmatrix_y")
    thickness, over = _positive(info, "slicethickness"), _positive(info, "readoutoversample") or 1.0
    if fov_x is None or fov_y is None or thickness is None:
        return None
    if matrix_x is None or matrix_y is None:
        if over != 1.0:
            return None
        full_x = fov_x
    else:
        ratio = (fov_x / matrix_x) / (fov_y / matrix_y)
        if abs(ratio - 1.0) < SQUARE:
            full_x = fov_x * over
        elif abs(ratio - over) < SQUARE * over:
            full_x = fov_x
        else:
            notes.append(f"FOVx {fov_x:g} and FOVy {fov_y:g} mm contradict the reconstruction matrix: the voxel size is unknown")
            return None
    notes.append("voxel z is the slice thickness: the gap between slices is not stored")
    return thickness, fov_y / ky, full_x / kx


def _positive(info: Mapping[str, str], name: str) -> float | None:
    match = re.match(r"\s*([0-9.]+(?:[eE][-+]?\d+)?)", info.get(name, ""))
    value = _number(match[1]) if match else float("nan")
    return value if np.isfinite(value) and value > 0 else None
