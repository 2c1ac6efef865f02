"""k-space in the layout of CMRxRecon 2023: folders, names, MATLAB 7.3 containers, tables. For tests of programs that read it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError
from engine.core.files import check_folder_writable, translate
from engine.core.jobs import Reporter, silent
from engine.core.types import Kind, KSpaceSeries, SamplingMask
from engine.io.h5_fields import put_truth
from engine.io.hdf5 import is_hdf5_error
from engine.io.space import check_space

USER_BLOCK = 512
NAMES: Mapping[Kind, tuple[str, str]] = {
    Kind.CINE: ("Cine", "cine_sax"),
    Kind.MOLLI: ("Mapping", "T1map"),
    Kind.T2PREP: ("Mapping", "T2map"),
}
COMPOUND = np.dtype([("real", "<f4"), ("imag", "<f4")])


def write_cmrxrecon2023(
    folder: str | Path,
    series: KSpaceSeries,
    truth: Mapping[str, Any] | None = None,
    mask: SamplingMask | None = None,
    report: Reporter | None = None,
) -> Path:
    """Write ``MultiCoil/{Cine|Mapping}/TrainingSet/{FullSample|AccFactorNN}/P001/`` below ``folder``; return the k-space file.

    Frames with times are sorted ascending, as the challenge stores them. Beside the k-space stand ``T1map.csv`` or ``T2map.csv``,
    ``*_info.csv`` with the voxel size and the notes of the series, and with ``truth`` our own ``*_truth.h5``. Everything is made in
    a temporary folder first and moved when complete.

    Parameters
    ----------
    folder
        Where the tree begins; made when missing, but not its parents.
    series
        Fully sampled k-space of kind cine, molli or t2prep.
    truth
        Maps of a phantom.
    mask
        When given, the masked data and the mask file are written as well.
    report
        Told after every slice.

    Raises
    ------
    InputError
        The kind has no place in the layout, the data are undersampled, or the mask differs between frames or along kx.
    OutputError
        The folder cannot be written.
    """
    report = report or silent()
    if series.kind not in NAMES or not series.fully_sampled:
        raise InputError(
            f"this series has no place in the layout (expected fully sampled cine, molli or t2prep / found {series.kind})",
            "Write it as .h5 instead.",
        )
    if mask is not None:
        mask.check_fits(series.shape)
        if not (mask.is_static and mask.is_cartesian_1d):
            raise InputError(
                "CMRxRecon 2023 has one mask of whole lines for all frames (expected such a mask / found another)",
                "Choose equispaced sampling without --per-frame.",
            )
    check_folder_writable(folder)
    target = Path(folder)
    stage: Path | None = None
    try:
        # Where the files end up, for the disk may begin at the target and its parent may be closed to us.
        stage = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target if target.exists() else target.parent))
        made = _write_all(stage, target, series, truth, mask, report)
        _move(stage, target)
        return target / made.relative_to(stage)
    except OSError as error:
        raise translate(error, target) from error
    except RuntimeError as error:
        if not is_hdf5_error(error):
            raise
        raise translate(OSError(str(error)), target) from error
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)


def _write_all(
    stage: Path, target: Path, series: KSpaceSeries, truth: Mapping[str, Any] | None, mask: SamplingMask | None, report: Reporter
) -> Path:
    modality, base = NAMES[series.kind]
    root = stage / "MultiCoil" / modality / "TrainingSet"
    need = 8 * int(np.prod(series.shape, dtype=np.int64)) * (1 if mask is None else 2)
    check_space(stage, need, target)
    order = _frame_order(series)
    full = root / "FullSample" / "P001"
    made = _write_kspace(full / f"{base}.mat", "kspace_full", series, order, None, report)
    _write_tables(full, base, series, order)
    if truth:
        with h5py.File(full / f"{base}_truth.h5", "w", locking=False) as file:
            put_truth(file.create_group("truth"), truth)
    if mask is not None:
        rate = f"{round(mask.nominal_acceleration or mask.effective_acceleration):02d}"
        under = root / f"AccFactor{rate}" / "P001"
        _write_kspace(under / f"{base}.mat", f"kspace_sub{rate}", series, order, mask, report)
        lines = np.broadcast_to(mask.lines[0], series.shape[-2:]).astype(np.float64)  # (ky, kx), MATLAB's (kx, ky)
        with _matlab(under / f"{base}_mask.mat") as file:
            data = file.create_dataset(f"mask{rate}", data=lines)
            data.attrs["MATLAB_class"] = np.bytes_("double")
        _matlab_header(under / f"{base}_mask.mat")
        _write_tables(under, base, series, order)
    return made


def _matlab(path: Path) -> h5py.File:
    path.parent.mkdir(parents=True, exist_ok=True)
    return h5py.File(path, "w", userblock_size=USER_BLOCK, locking=False)


def _matlab_header(path: Path) -> None:
    """Write the text, version and byte-order mark that MATLAB expects in the user block."""
    text = f"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: {datetime.now(UTC):%a %b %d %H:%M:%S %Y} HDF5 schema 1.00 ."
    with path.open("rb+") as stream:
        stream.write(text.encode("ascii").ljust(116) + bytes(8) + b"\x00\x02IM")


def _write_kspace(
    path: Path, key: str, series: KSpaceSeries, order: NDArray[np.int64], mask: SamplingMask | None, report: Reporter
) -> Path:
    slices, frames, coils, ky, kx = series.shape
    with _matlab(path) as file:
        # HDF5 shows MATLAB's (kx, ky, coil, slice, time) reversed.
        data = file.create_dataset(key, shape=(frames, slices, coils, ky, kx), dtype=COMPOUND)
        data.attrs["MATLAB_class"] = np.bytes_("single")
        for index in range(slices):
            report.step(index, slices, f"writing {key}")
            values = series.read(index)[order[index]]
            if mask is not None:
                values = values * mask.lines[0]
            data.write_direct(np.ascontiguousarray(values).view(COMPOUND).reshape(values.shape), dest_sel=np.s_[:, index])
    _matlab_header(path)
    report.step(slices, slices, f"writing {key}")
    return path


def _frame_order(series: KSpaceSeries) -> NDArray[np.int64]:
    """Return for each slice the order of frames that sorts the times of a mapping series; cine stays as it is."""
    slices, frames = series.shape[:2]
    if series.times_ms is None or series.kind is Kind.CINE:
        return np.tile(np.arange(frames), (slices, 1))
    return np.argsort(series.times_ms, axis=1, kind="stable")


def _write_tables(folder: Path, base: str, series: KSpaceSeries, order: NDArray[np.int64]) -> None:
    slices, frames, _, ky, kx = series.shape
    if series.times_ms is not None and series.kind is not Kind.CINE:
        times = np.take_along_axis(np.asarray(series.times_ms), order, axis=1)  # (slice, frame)
        rows = [",".join(["", *(f"Slice{n + 1}" for n in range(slices))])]
        rows += [",".join([str(f + 1), *(f"{times[s, f]:.6g}" for s in range(slices))]) for f in range(frames)]
        (folder / f"{base}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    info = {"SliceNum": slices, "TemporalPhase": frames, "ReadOutOversample": 1}
    rows = ["Parameter,Value", *(f"{name},{value}" for name, value in info.items())]
    if series.voxel_mm is not None:
        z, y, x = series.voxel_mm
        rows += [f"FOVx(mm),{x * kx:.9g}", f"FOVy(mm),{y * ky:.9g}", f"SliceThickness(mm),{z:.9g}"]
    rows += ["Notes,{}".format("; ".join(series.notes).replace(",", ";"))] if series.notes else []
    (folder / f"{base}_info.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _move(stage: Path, target: Path) -> None:
    """Move each complete file to its place, replacing what was there."""
    for file in sorted(path for path in stage.rglob("*") if path.is_file()):
        place = target / file.relative_to(stage)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
