"""From a named array whose axes somebody tells to a series in our axis order: what npz, npy, mat and plain HDF5 files share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.axes import IMAGE_AXES, KSPACE_AXES
from engine.core.errors import EngineError, FormatError, InputError, ShapeError
from engine.core.geometry import Geometry
from engine.core.records.entries import Content, Entry
from engine.core.requests import OpenOptions
from engine.core.types import Complex, ImageSeries, Kind, KSpaceReader, KSpaceSeries
from engine.io.acquired import found_acquisition
from engine.io.overrides import checked_kind, series_times, unknown_words

LETTERS = "sfcyx"
LETTER_NAMES = "s slice, f frame, c coil, y, x"
# Names that say what an array is, so that a file with further arrays needs no --key.
SERIES_NAMES = ("images", "image", "kspace", "kspace_full", "array", "img", "data")
TIME_NAMES: Mapping[str, Kind] = {
    "ti_ms": Kind.MOLLI,
    "inversion_times_ms": Kind.MOLLI,
    "te_ms": Kind.T2PREP,
    "echo_times_ms": Kind.T2PREP,
    "trigger_ms": Kind.CINE,
    "times_ms": Kind.UNKNOWN,
}
UNITLESS_TIME_NAMES = ("ti", "te", "tis", "tes", "times", "inversion_times", "echo_times")
TRUTH_PREFIX = "truth_"
MASK_NAMES = ("mask", "usmask", "lines", "sampling")
# int16 storage of uint16 magnitudes: a few values are past the end, and the others reach it.
WRAPPED_SHARE = 0.01
WRAPPED_REACH = 0.95


@dataclass(frozen=True, slots=True)
class Variable:
    """A named array in a file, not yet read. ``shape`` is in the order that ``--axes`` letters refer to."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], NDArray[Any]]
    open: Callable[[str], KSpaceReader] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file tells beside the array itself."""

    axes: str | None = None
    kind: Kind = Kind.UNKNOWN
    times_ms: NDArray[np.float32] | None = None
    voxel_mm: tuple[float, float, float] | None = None
    unknown: tuple[str, ...] = ()


def listed(variables: Sequence[Variable]) -> str:
    """Return names, shapes and types for a message."""
    return ", ".join(f"{v.name} {v.shape} {v.dtype}" for v in variables) or "nothing"


def named(path: Path, variables: Sequence[Variable], key: str) -> Variable:
    """Return the variable called ``key``; raise ``FormatError`` that lists all when there is none."""
    for variable in variables:
        if variable.name == key:
            return variable
    raise FormatError(f"{path.name} has no array {key!r} (found {listed(variables)})", "Choose one of them with --key.")


def check_not_empty(path: Path, variable: Variable) -> None:
    """Raise ``ShapeError`` when an axis has no samples."""
    if 0 in variable.shape:
        raise ShapeError(
            f"{variable.name} in {path.name} is empty (expected samples / found shape {variable.shape})", "Export it again."
        )


def choose(path: Path, variables: Sequence[Variable], key: str | None) -> Variable:
    """Return the variable called ``key``, or the only one that can be a series.

    Raises
    ------
    FormatError
        No such key, no array that fits, or several: the message lists all with their shapes.
    """
    if key is not None:
        return named(path, variables, key)
    listing = listed(variables)
    deep = series_like(variables)
    if len(deep) == 1 or (deep and deep[0].name.lower() in SERIES_NAMES):
        return deep[0]
    if not deep:
        raise FormatError(
            f"{path.name} holds no images or k-space (expected an array with at least 2 axes / found {listing})",
            "Export the series as one array.",
        )
    raise FormatError(
        f"{path.name} holds several arrays (found {listing})", f"Choose one with --key, for example --key {deep[0].name}."
    )


def series_like(variables: Sequence[Variable]) -> list[Variable]:
    """Return the arrays that can be a series: those of three axes and more where there are any; known names go first."""
    # A vector is none, however many axes of length 1 it has.
    fitting = [v for v in variables if sum(n > 1 for n in v.shape) >= 2 and not v.name.startswith(TRUTH_PREFIX)]
    deep = [v for v in fitting if len(v.shape) >= 3] or fitting
    order = {name: place for place, name in enumerate(SERIES_NAMES)}
    return sorted(deep, key=lambda v: order.get(v.name.lower(), len(order)))


def entries(path: Path, format_name: str, variables: Sequence[Variable], facts: Facts) -> Iterator[Entry]:
    """Yield the arrays of a file that can be a series: the ones with a known name alone where there are any."""
    deep = series_like(variables)
    known = [v for v in deep if v.name.lower() in SERIES_NAMES]
    if not deep:
        raise FormatError(
            f"{path.name} holds no images or k-space (expected an array with at least 2 axes / found {listed(variables)})",
            "Export the series as one array.",
        )
    for variable in known or deep:
        yield entry_of(path, format_name, variable, facts, alone=len(known or deep) == 1)


def entry_of(path: Path, format_name: str, variable: Variable, facts: Facts, *, alone: bool) -> Entry:
    """Return the entry of an array: with its axes where the file tells them, as a bare array with a hint otherwise."""
    common: dict[str, Any] = {
        "format": format_name,
        "key": None if alone else variable.name,
        "title": path.stem if alone else f"{path.stem}: {variable.name}",
        "kind": facts.kind,
        "shape": variable.shape,
        "dtype": variable.dtype,
        "size_bytes": value_bytes(variable),
        "files": (path,),
    }
    if is_mask_name(variable.name):
        return Entry(path, content=Content.MASK, **common)
    try:
        letters = resolve_axes(variable, None, facts, facts.times_ms)
    except EngineError as error:
        return Entry(path, content=Content.ARRAY, notes=(error.hint,), **common)
    content = Content.KSPACE if "c" in letters else Content.IMAGES
    return Entry(path, content=content, axes=named_sizes(variable.shape, letters), **common)


def named_sizes(shape: Sequence[int], letters: str) -> dict[str, int]:
    """Return axis -> size in our order for a stored shape and its letters; an absent axis has length 1."""
    sizes = dict(zip(letters, shape, strict=True))
    names, wanted = (KSPACE_AXES, LETTERS) if "c" in letters else (IMAGE_AXES, "sfyx")
    return {name: int(sizes.get(letter, 1)) for name, letter in zip(names, wanted, strict=True)}


def value_bytes(variable: Variable) -> int:
    """Return how many bytes the values take, 0 where their type does not tell."""
    try:
        return math.prod(variable.shape) * np.dtype(variable.dtype).itemsize
    except TypeError:
        return 0


def is_mask_name(name: str) -> bool:
    """Whether an array is called like a sampling mask."""
    return name.lower().split("/")[-1].startswith(MASK_NAMES)


def resolve_axes(variable: Variable, told: str | None, facts: Facts, times: NDArray[np.float32] | None) -> str:
    """Return one letter for each axis: what the user told, what the file tells, or the only possibility.

    A single image needs no letters; of three axes, the one whose length is the number of times is the frame when no other axis
    has that length and the remaining two stand together. Everything else is asked for.

    Raises
    ------
    InputError
        The letters are not of s, f, c, y, x, or one is used twice, or y or x is missing.
    ShapeError
        Their number differs from the array's axes, or they are needed and were not given.
    """
    rank = len(variable.shape)
    letters = told or facts.axes
    if letters is not None:
        return resolve_letters(letters, variable)
    if rank == 2:
        return "yx"
    count = 0 if times is None else int(times.shape[-1])
    if rank == 3 and count > 1 and list(variable.shape).count(count) == 1:
        position = variable.shape.index(count)
        if position in (0, 2):
            return "fyx" if position == 0 else "yxf"
    examples = {3: "fyx", 4: "sfyx", 5: "sfcyx"}
    raise ShapeError(
        f"the axes of {variable.name} are not known (expected one letter for each of {rank} axes: {LETTER_NAMES} / found "
        f"{variable.shape})",
        f"Say them in storage order, for example --axes {examples.get(rank, 'sfcyx')}.",
    )


def resolve_letters(told: str, variable: Variable) -> str:
    """Return the letters that a user gave, checked against the array; raises as :func:`resolve_axes` does."""
    letters = told.lower()
    wrong = [letter for letter in letters if letter not in LETTERS]
    twice = [letter for letter in set(letters) if letters.count(letter) > 1]
    if wrong or twice or not {"y", "x"} <= set(letters):
        raise InputError(
            f"--axes {letters} cannot be understood (expected each of {LETTER_NAMES} at most once, y and x always)",
            "One letter for each axis in storage order, for example --axes sfyx.",
        )
    if len(letters) != len(variable.shape):
        raise ShapeError(
            f"--axes {letters} does not fit {variable.name} (expected {len(variable.shape)} letters / found {len(letters)}; its "
            f"shape is {variable.shape})",
            "One letter for each axis in storage order, for example --axes sfyx.",
        )
    return letters


def ordered(array: NDArray[Any], letters: str, wanted: str) -> NDArray[Any]:
    """Return a view of ``array`` with its axes in the order of ``wanted``; absent ones get length 1."""
    present = [letters.index(letter) for letter in wanted if letter in letters]
    view = array.transpose(present)
    for position, letter in enumerate(wanted):
        if letter not in letters:
            view = np.expand_dims(view, position)
    return view


def _narrow(kspace: NDArray[Any]) -> Complex:
    """Return a contiguous complex64 copy; a value that single precision cannot hold becomes infinite, which is refused later."""
    with np.errstate(over="ignore"):
        return np.array(kspace, np.complex64, order="C")


class ViewReader:
    """A reader over an array in any layout (a memory map, a transposed view): one slice is copied when it is asked for."""

    def __init__(self, kspace: NDArray[Any]) -> None:
        self._view = kspace

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes of (slice, frame, coil, ky, kx)."""
        s, f, c, y, x = self._view.shape
        return s, f, c, y, x

    def read(self, slice_index: int) -> Complex:
        """Return one slice, complex64 (frame, coil, ky, kx)."""
        return _narrow(self._view[slice_index])

    def read_frame(self, slice_index: int, frame: int) -> Complex:
        """Return one frame of one slice, complex64 (coil, ky, kx)."""
        return _narrow(self._view[slice_index, frame])


def build(path: Path, format_name: str, variable: Variable, facts: Facts, options: OpenOptions) -> KSpaceSeries | ImageSeries:
    """Return the series that ``variable`` holds: k-space when its axes name a coil, images otherwise."""
    told_times = np.asarray(options.times_ms, np.float32) if options.times_ms is not None else facts.times_ms
    letters = resolve_axes(variable, options.axes, facts, told_times)
    sizes = dict(zip(letters, variable.shape, strict=True))
    check_not_empty(path, variable)
    notes: list[str] = []
    common: dict[str, Any] = {
        "kind": checked_kind(options, facts.kind),
        "times_ms": _fitting_times(options, facts, (sizes.get("s", 1), sizes.get("f", 1)), notes),
        "geometry": Geometry(voxel_mm=facts.voxel_mm, phase_encode="y" if "c" in letters else ""),
        "name": path.stem,
        "source": str(path),
        "format": format_name,
        "unknown": _unknown(facts),
        "attributes": {"variable": variable.name, "axes": letters},
    }
    if "c" in letters:
        reader = _kspace_reader(path, variable, letters)
        acquisition = found_acquisition(reader, notes)
        return KSpaceSeries(reader, acquisition=acquisition, notes=tuple(notes), **common)
    images = _images(path, variable, letters, notes)
    return ImageSeries(images, notes=tuple(notes), **common)


def _kspace_reader(path: Path, variable: Variable, letters: str) -> KSpaceReader:
    if "complex" not in variable.dtype:
        raise FormatError(
            f"{variable.name} in {path.name} is not k-space (expected complex numbers along a coil axis / found {variable.dtype})",
            "Leave c out of --axes when these are images.",
        )
    if variable.open is not None:
        return variable.open(letters)
    return ViewReader(ordered(variable.load(), letters, LETTERS))


def _images(path: Path, variable: Variable, letters: str, notes: list[str]) -> NDArray[Any]:
    array = variable.load()
    if array.dtype == np.int16:
        array = _unwrapped(array, notes)
    if array.dtype.kind not in "buifc":
        raise FormatError(
            f"{variable.name} in {path.name} does not hold numbers (expected integers, floats or complex / found {array.dtype})",
            "Choose another array with --key.",
        )
    dtype = np.complex64 if array.dtype.kind == "c" else np.float32
    with np.errstate(over="ignore"):  # what single precision cannot hold is counted below
        images = np.array(ordered(array, letters, "sfyx"), dtype, order="C")
    if not np.isfinite(images).all():
        bad = int(np.count_nonzero(~np.isfinite(images)))
        raise InputError(
            f"{variable.name} in {path.name} holds {bad} values that are NaN or infinite (expected none)",
            "Repair the export; set pixels without signal to 0.",
        )
    return images


def _unwrapped(array: NDArray[np.int16], notes: list[str]) -> NDArray[Any]:
    """Return int16 values as uint16 when they are magnitudes that were wrapped past 32767."""
    negative = int(np.count_nonzero(array < 0))
    if 0 < negative < WRAPPED_SHARE * array.size and int(array.max()) > WRAPPED_REACH * np.iinfo(np.int16).max:
        notes.append(f"{negative} values were stored as negative int16 and read as uint16")
        return array.view(np.uint16)
    return array


def _fitting_times(options: OpenOptions, facts: Facts, shape: tuple[int, int], notes: list[str]) -> NDArray[np.float32] | None:
    times = series_times(options, facts.times_ms, shape)
    if options.times_ms is None and times is not None and np.atleast_2d(times).shape not in (shape, (1, shape[1])):
        notes.append(f"times in the file were not used: {times.shape} values for {shape[1]} frames")
        return None
    return times


def _unknown(facts: Facts) -> tuple[str, ...]:
    return (*facts.unknown, *unknown_words(Geometry(voxel_mm=facts.voxel_mm)))


def facts_from(values: Mapping[str, Any]) -> Facts:
    """Return what small named values beside the array tell: ``axes``, ``kind``, times with a unit in their name, voxel size.

    Parameters
    ----------
    values
        Small arrays, numbers and strings by name, as they stand in the file.
    """
    lower = {name.lower(): value for name, value in values.items()}
    kind, times, unknown = Kind.UNKNOWN, None, []
    for name, meaning in TIME_NAMES.items():
        if name in lower and np.asarray(lower[name]).dtype.kind in "uif":
            times, kind = np.squeeze(np.asarray(lower[name], np.float32)), meaning
            times = np.atleast_1d(times)
            break
    for name in UNITLESS_TIME_NAMES:
        if name in lower and times is None:
            unknown.append(f"unit of the times in {name}: give them in ms with --times")
    word = _word(lower.get("kind"))
    if word in set(Kind):
        kind = Kind(word)
    axes = _word(lower.get("axes")) or None
    return Facts(axes=axes, kind=kind, times_ms=times, voxel_mm=_voxel(lower), unknown=tuple(unknown))


def _word(value: Any) -> str:
    array = np.asarray(value)
    return str(array.reshape(-1)[0]) if array.dtype.kind == "U" and array.size == 1 else ""


def _voxel(values: Mapping[str, Any]) -> tuple[float, float, float] | None:
    names = ("voxel_mm",) if "voxel_mm" in values else ("slice_mm", "pixel_mm")
    found = [np.asarray(values.get(name, ())).reshape(-1) for name in names]
    sizes = [float(v) for array in found if array.dtype.kind in "uif" for v in array]
    if len(sizes) != 3 or not all(np.isfinite(v) and v > 0 for v in sizes):
        return None
    return sizes[0], sizes[1], sizes[2]
