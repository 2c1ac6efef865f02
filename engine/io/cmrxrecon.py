"""CMRxRecon 2023, 2024 and 2025: k-space of cine, mapping and the other modalities, full, undersampled and single-coil.

MATLAB's axes are (kx, ky, coil, slice, time). A version 7.3 file (HDF5) shows them reversed, which is our order but for the first
two; a version 5 file keeps them. Single-coil files lack the coil axis. Values are pairs of real and imaginary float32 or float64.
Four axes are single-coil (kx, ky, slice, time) when the variable or folder says single coil, and a static stack (kx, ky, coil,
slice) for the modalities without time (BlackBlood, LGE, T1w, T2w); otherwise they have to be told.

Source: ChallengeDataFormat and loadFun.py of CMRxRecon, CMRxRecon2024, CMRxRecon2025.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from engine.core.axes import COIL, KSPACE_FRAME, KX, KY
from engine.core.errors import EngineError, FormatError, ShapeError
from engine.core.geometry import Geometry
from engine.core.records.entries import Content, Entry
from engine.core.requests import OpenOptions
from engine.core.types import Acquisition, Complex, Evidence, Kind, KSpaceReader, KSpaceSeries
from engine.io import cmrxrecon_names as names
from engine.io import cmrxrecon_tables as tables
from engine.io import matlab
from engine.io.acquired import found_acquisition, nonzero
from engine.io.arrays import Variable, check_not_empty, listed, named, named_sizes, resolve_letters, value_bytes
from engine.io.contract import FORMATS, Format, Writable, WriteOptions
from engine.io.masks import read_mask
from engine.io.overrides import checked_kind, series_times
from engine.io.probe import Container, container

FULL_LETTERS = "xycsf"
SINGLE_LETTERS = "xysf"
STATIC_LETTERS = "xycs"


class FirstFrames:
    """A reader of the first ``frames`` frames of another one."""

    def __init__(self, inner: KSpaceReader, frames: int) -> None:
        self._inner, self._frames = inner, frames

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes of (slice, frame, coil, ky, kx)."""
        s, _, c, y, x = self._inner.shape
        return s, self._frames, c, y, x

    def read(self, slice_index: int) -> Complex:
        """Return one slice, complex64 (frame, coil, ky, kx)."""
        return self._inner.read(slice_index)[: self._frames]

    def read_frame(self, slice_index: int, frame: int) -> Complex:
        """Return one frame of one slice, complex64 (coil, ky, kx)."""
        return self._inner.read_frame(slice_index, range(self._frames)[frame])


def _kspace(path: Path, variables: list[Variable], key: str | None) -> Variable:
    """Return the variable that holds k-space: the one told, the one with a known name, or the only complex one."""
    if key is not None:
        return named(path, variables, key)
    known = [v for v in variables if names.KEYS.fullmatch(v.name)]
    if len(known) == 1:
        return known[0]
    deep = [v for v in known or variables if "complex" in v.dtype and len(v.shape) in (4, 5)]
    if len(deep) == 1:
        return deep[0]
    raise FormatError(
        f"{path.name} holds no k-space that can be told (expected one complex variable of 4 or 5 axes / found {listed(variables)})",
        "Choose the variable with --key." if variables else "Copy or export the file again.",
    )


def _letters(path: Path, variable: Variable, told: names.Names, options: OpenOptions) -> str:
    """Return one letter for each axis in MATLAB's order."""
    rank = len(variable.shape)
    if options.axes is not None:
        return resolve_letters(options.axes, variable)
    if rank == 5:
        return FULL_LETTERS
    if rank == 4 and told.single_coil:
        return SINGLE_LETTERS
    if rank == 4 and told.static:
        return STATIC_LETTERS
    examples = "xyc or --axes xyf" if rank == 3 else "xycs or --axes xysf"
    raise ShapeError(
        f"{variable.name} in {path.name} has the wrong number of axes (expected 5: kx, ky, coil, slice, time / found {rank}: "
        f"{variable.shape})",
        f"Say the axes in the order of MATLAB's size(), for example --axes {examples}.",
    )


def _times(
    path: Path,
    reader: KSpaceReader,
    kind: Kind,
    told: names.Names,
    options: OpenOptions,
    notes: list[str],
    unknown: list[str],
) -> tuple[KSpaceReader, Any]:
    """Return the reader (without a last image that has no time) and the times (slice, frame) in ms or None."""
    slices, frames = reader.shape[:2]
    if options.times_ms is not None:
        return reader, series_times(options, None, (slices, frames))
    if kind not in tables.TIME_WORDS:
        return reader, None
    word = tables.TIME_WORDS[kind]
    found = next((file for file in names.table_files(path, told.base, ".csv") if file.is_file()), None)
    if found is None:
        usual = ", ".join(f"{t:g}" for t in tables.USUAL_TIMES_MS[kind])
        notes.append(f"{told.base}.csv is missing; CMRxRecon's usual {word} are {usual} ms: give them with --times if they hold")
        unknown.append(word)
        return reader, None
    times = tables.read_times(found, slices, frames, kind, notes)
    if times is None:
        unknown.append(word)
        return reader, None
    return (reader if times.frames == frames else FirstFrames(reader, times.frames)), times.times_ms


def _info(
    path: Path, told: names.Names, reader: KSpaceReader, notes: list[str], unknown: list[str]
) -> tuple[tuple[float, float, float] | None, dict[str, Any]]:
    """Return voxel size and parameters of the *_info.csv, if there is one."""
    found = next((file for file in names.table_files(path, told.base, "_info.csv") if file.is_file()), None)
    if found is None:
        unknown += ["voxel size", "slice gap"]
        return None, {}
    info = tables.read_info(found)
    notes.extend(word for word in info.pop("notes", "").split("; ") if word)
    voxel = tables.voxel_of(info, reader.shape[KY], reader.shape[KX], notes)
    unknown += (["voxel size"] if voxel is None else []) + ["slice gap"]
    return voxel, {"scan": info}


def _acquisition(path: Path, reader: KSpaceReader, stored: int, told: names.Names, notes: list[str]) -> Acquisition:
    """Return what was measured: by the mask beside an undersampled file, else by the names, else by its zeros.

    ``stored`` is the number of frames in the file: a mask of as many loses the last frames where the reader leaves them out.
    """
    if told.undersampled is False:
        return Acquisition(evidence=Evidence.TOLD)
    found = next((file for file in names.mask_files(path) if file.is_file()), None)
    if found is None:
        return found_acquisition(reader, notes, certain=told.undersampled is True, nominal=told.nominal)
    mask = read_mask(found, (stored, *reader.shape[COIL:]))
    lines = mask.lines[: reader.shape[KSPACE_FRAME]] if mask.lines.shape[0] == stored else mask.lines
    mask = replace(mask, lines=lines, pattern="acquired", nominal_acceleration=mask.nominal_acceleration or told.nominal)
    mask.check_fits(reader.shape)
    measured = nonzero(reader, 0)  # (ky, kx)
    if (measured & ~mask.lines[0]).any():
        notes.append(f"the data hold samples that {found.name} says were not measured; they are left out")
    return Acquisition((mask,), Evidence.TOLD)


class CMRxRecon(Format):
    """k-space, with the mask, times and voxel size that the files beside it tell."""

    name = "cmrxrecon"
    title = "CMRxRecon"
    suffixes = ("*.mat",)
    precedence = 70
    description = "k-space of CMRxRecon 2023, 2024 and 2025; masks, T1map.csv, T2map.csv and *_info.csv beside it are used."
    # A whole tree of folders: written only when asked for by name.
    writes: ClassVar[Mapping[Content, tuple[str, ...]]] = {Content.KSPACE: ()}
    loses = frozenset({"orientation"})

    def sniff(self, path: Path) -> float:
        """Return 0.9 for a MATLAB file with a variable of a known name, 0.6 with one complex array that must be k-space, else 0.

        Five axes include a coil. Four may be complex images, unless the file's name or folder is that of such k-space.
        """
        if path.suffix.lower() != ".mat" or container(path) not in (Container.HDF5, Container.MATLAB5):
            return 0.0
        try:
            _, variables, _ = matlab.contents(path)
        except FormatError:
            return 0.0
        if any(names.KEYS.fullmatch(v.name) for v in variables):
            return 0.9
        deep = [v for v in variables if "complex" in v.dtype and len(v.shape) in (4, 5)]
        if len(deep) != 1:
            return 0.0
        told = names.parse(path, deep[0].name)
        return 0.6 if len(deep[0].shape) == 5 or told.single_coil or told.static else 0.0

    def list(self, path: Path) -> Iterator[Entry]:
        """Yield the k-space of a file."""
        _, variables, _ = matlab.contents(path)
        variable = _kspace(path, variables, None)
        told = names.parse(path, variable.name)
        entry = Entry(
            path,
            self.name,
            title=path.stem,
            content=Content.ARRAY,
            kind=told.kind,
            shape=variable.shape,
            dtype=variable.dtype,
            size_bytes=value_bytes(variable),
            acceleration=told.nominal,
            files=tuple(file for file in (path, *_beside(path, told)) if file.is_file()),
        )
        try:
            letters = _letters(path, variable, told, OpenOptions())
        except EngineError as error:
            yield replace(entry, notes=(error.hint,))
            return
        sizes = named_sizes(variable.shape, letters if "c" in letters else letters + "c")
        yield replace(entry, content=Content.KSPACE, axes=sizes)

    def read(self, entry: Entry, options: OpenOptions) -> KSpaceSeries:
        """Open a k-space file lazily.

        Raises
        ------
        FormatError
            The file is damaged, or holds no k-space.
        ShapeError
            k-space has another number of axes, or the mask beside it does not fit.
        """
        path = entry.path
        kind_of_file, variables, _ = matlab.contents(path)
        variable = _kspace(path, variables, entry.key)
        told = names.parse(path, variable.name)
        letters = _letters(path, variable, told, options)
        check_not_empty(path, variable)
        if variable.open is None or "complex" not in variable.dtype:
            raise FormatError(
                f"{variable.name} in {path.name} is not k-space (expected complex numbers / found {variable.dtype})",
                "Choose the complex variable with --key.",
            )
        reader = variable.open(letters)
        notes: list[str] = []
        unknown = ["orientation"]
        kind = checked_kind(options, told.kind)
        stored = reader.shape[KSPACE_FRAME]
        reader, times = _times(path, reader, kind, told, options, notes, unknown)
        voxel, attributes = _info(path, told, reader, notes, unknown)
        acquisition = _acquisition(path, reader, stored, told, notes)
        if told.single_coil or reader.shape[COIL] == 1:
            notes.append("single-coil data")
        if reader.shape[0] > 1 and reader.shape[0] % 2:
            notes.append(
                "odd number of slices: CMRxRecon often stores such stacks rolled by one, the most basal slice last; not undone"
            )
        container_name = "7.3" if kind_of_file is Container.HDF5 else "5"
        return KSpaceSeries(
            reader=reader,
            kind=kind,
            times_ms=times,
            geometry=Geometry(voxel_mm=voxel, phase_encode="y"),
            acquisition=acquisition,
            name=path.stem,
            source=str(path),
            format=self.name,
            notes=tuple(dict.fromkeys(notes)),
            unknown=tuple(unknown),
            attributes={**attributes, "variable": variable.name, "matlab_version": container_name, "modality": told.base},
        )

    def write(self, what: Writable, path: Path, options: WriteOptions) -> Path:
        """Write the folders of the 2023 challenge; see :func:`engine.io.cmrxrecon_write.write_cmrxrecon2023`."""
        from engine.io.cmrxrecon_write import write_cmrxrecon2023

        assert isinstance(what, KSpaceSeries)
        return write_cmrxrecon2023(path, what, options.truth, options.mask, options.report)


def _beside(path: Path, told: names.Names) -> Iterator[Path]:
    """Yield where the files that belong to a k-space file may be."""
    yield from names.mask_files(path)
    for ending in (".csv", "_info.csv"):
        yield from names.table_files(path, told.base, ending)


FORMATS.register(CMRxRecon.name, CMRxRecon())
