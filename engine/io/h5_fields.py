"""The parts that our HDF5 files share: attributes, masks, JSON, truth maps; written and read side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError, ShapeError
from engine.core.geometry import Geometry
from engine.core.types import Acquisition, Bool, Evidence, Kind, SamplingMask, Window

# HDF5 keeps an attribute in the object header, which ends at 64 KiB.
ATTRIBUTE_LIMIT = 60_000
MARKER = "myoscope_format"
GEOMETRY = "geometry"
NOISE = "noise_covariance"

T = TypeVar("T", int, float)


def put_common(
    file: h5py.File,
    kind: Kind,
    times_ms: NDArray[Any] | None,
    geometry: Geometry,
    notes: tuple[str, ...],
) -> None:
    """Write the attributes that every file has."""
    file.attrs["kind"] = str(kind)
    put_words(file, "notes", notes)
    if times_ms is not None:
        file.attrs["times_ms"] = np.asarray(times_ms, np.float32)
    put_geometry(file, geometry)


def put_words(file: h5py.File, name: str, words: tuple[str, ...]) -> None:
    """Write sentences as an attribute of strings."""
    file.attrs.create(name, list(words), shape=(len(words),), dtype=h5py.string_dtype())


def get_words(attrs: h5py.AttributeManager, name: str) -> tuple[str, ...]:
    """Return what :func:`put_words` wrote; empty when it is not there."""
    return tuple(word.decode() if isinstance(word, bytes) else str(word) for word in np.atleast_1d(attrs.get(name, ())))


def get_kind(attrs: h5py.AttributeManager) -> Kind:
    """Return the kind of series, unknown for a word that is none."""
    name = str(attrs.get("kind", Kind.UNKNOWN))
    return Kind(name) if name in set(Kind) else Kind.UNKNOWN


def put_geometry(file: h5py.File, geometry: Geometry) -> None:
    """Write what is known of where the pixels lie: attributes, and dataset ``geometry`` (slice, 4, 4) with the affines in mm."""
    if geometry.voxel_mm is not None:
        file.attrs["voxel_mm"] = np.asarray(geometry.voxel_mm, np.float64)
    for name, word in (("phase_encode", geometry.phase_encode), ("frame_of_reference", geometry.frame_of_reference)):
        if word:
            file.attrs[name] = word
    if geometry.planes is not None:
        data = file.create_dataset(GEOMETRY, data=geometry.planes)
        data.attrs["axes"] = ["slice", "right, anterior, superior, 1", "x, y, slice, 1"]


def get_geometry(file: h5py.File) -> Geometry:
    """Return what :func:`put_geometry` wrote; of a file made by hand as much as it tells."""
    attrs = file.attrs
    voxel = tuple(float(size) for size in np.atleast_1d(attrs["voxel_mm"])) if "voxel_mm" in attrs else None
    if voxel is not None and len(voxel) != 3:
        raise InputError(f"voxel_mm cannot be {voxel} (expected three sizes in mm, z, y, x)", "Correct the attribute of the file.")
    return Geometry(
        planes=file[GEOMETRY][()] if isinstance(file.get(GEOMETRY), h5py.Dataset) else None,
        voxel_mm=voxel,
        phase_encode=str(attrs.get("phase_encode", "")),
        frame_of_reference=str(attrs.get("frame_of_reference", "")),
    )


def put_mask(file: h5py.File, mask: SamplingMask, stack: Bool | None = None) -> None:
    """Write a mask with all it carries as dataset ``mask``; ``stack`` (slice, frame, ky, kx) in place of its lines."""
    data = file.create_dataset("mask", data=mask.lines if stack is None else stack)
    data.attrs["axes"] = [*(() if stack is None else ("slice",)), "frame", "ky", "kx"]
    data.attrs["pattern"] = mask.pattern
    data.attrs["effective_acceleration"] = mask.effective_acceleration
    if mask.nominal_acceleration is not None:
        data.attrs["nominal_acceleration"] = float(mask.nominal_acceleration)
    if mask.acs is not None:
        data.attrs["acs"] = np.asarray(mask.acs, np.int64)
    if mask.seed is not None:
        data.attrs["seed"] = int(mask.seed)


def get_mask(data: h5py.Dataset, lines: Bool | None = None) -> SamplingMask:
    """Return the mask that :func:`put_mask` wrote, with ``lines`` (frame, ky, kx) of one slice of a stack."""
    attrs = data.attrs
    acs = attrs.get("acs")
    return SamplingMask(
        lines=data[()].astype(np.bool_) if lines is None else lines,
        pattern=str(attrs.get("pattern", "file")),
        nominal_acceleration=float(attrs["nominal_acceleration"]) if "nominal_acceleration" in attrs else None,
        acs=(int(acs[0]), int(acs[1])) if acs is not None else None,
        seed=int(attrs["seed"]) if "seed" in attrs else None,
    )


def put_acquisition(file: h5py.File, acquisition: Acquisition) -> None:
    """Write what was measured: dataset ``mask`` (slice, frame, ky, kx where slices differ), attributes, ``noise_covariance``."""
    if not acquisition.varies_by_slice and acquisition.masks:
        put_mask(file, acquisition.masks[0])
    elif acquisition.masks:
        put_mask(file, acquisition.masks[0], _stacked(acquisition.masks))
    attrs = file.attrs
    attrs["sampling_known_from"] = str(acquisition.evidence)
    if acquisition.window is not None:
        attrs["acquired_ky"], attrs["acquired_kx"] = acquisition.window.ky, acquisition.window.kx
    for name, values in (("kspace_centre", acquisition.centre), ("oversampling", acquisition.oversampling)):
        if values is not None:
            attrs[name] = np.asarray(values, np.float64)
    if acquisition.noise is not None:
        file.create_dataset(NOISE, data=acquisition.noise).attrs["axes"] = ["coil", "coil"]


def _stacked(masks: Sequence[SamplingMask]) -> Bool:
    """Return the lines of all slices, bool (slice, frame, ky, kx): length-1 axes are widened where slices differ in them."""
    frames, _, columns = (max(sizes) for sizes in zip(*(mask.lines.shape for mask in masks), strict=True))
    shape = (frames, masks[0].lines.shape[1], columns)
    return np.stack([np.broadcast_to(mask.lines, shape) for mask in masks])


def get_acquisition(file: h5py.File) -> Acquisition:
    """Return what :func:`put_acquisition` wrote. Without a word on it, our files say it by their mask."""
    attrs = file.attrs
    told = MARKER in attrs or "mask" in file  # a file made by hand may merely lack its mask
    known = str(attrs.get("sampling_known_from", Evidence.TOLD if told else Evidence.NOTHING))
    window = None
    if "acquired_ky" in attrs and "acquired_kx" in attrs:
        window = Window(_pair(attrs["acquired_ky"], int), _pair(attrs["acquired_kx"], int))
    return Acquisition(
        masks=_masks(file["mask"]) if "mask" in file else (),
        evidence=Evidence(known) if known in set(Evidence) else Evidence.NOTHING,
        window=window,
        centre=_pair(attrs["kspace_centre"], float) if "kspace_centre" in attrs else None,
        oversampling=_pair(attrs["oversampling"], float) if "oversampling" in attrs else None,
        noise=file[NOISE][()] if NOISE in file else None,
    )


def _masks(data: h5py.Dataset) -> tuple[SamplingMask, ...]:
    if data.ndim == 3:
        return (get_mask(data),)
    if data.ndim != 4:
        raise ShapeError(
            f"the mask has the wrong number of axes (expected frame, ky, kx, or slice before them / found {data.shape})",
            "Store it with these axes; a length-1 axis is enough for a missing one.",
        )
    return tuple(get_mask(data, lines) for lines in data[()].astype(np.bool_))


def _pair(values: Any, kind: type[T]) -> tuple[T, T]:
    found = np.atleast_1d(values).reshape(-1)
    if found.size != 2 or found.dtype.kind not in "iuf" or not np.isfinite(found).all():
        raise InputError(f"an attribute cannot be {found} (expected two numbers, for ky and kx)", "Correct the attribute.")
    return kind(found[0]), kind(found[1])


def put_truth(group: h5py.Group, truth: Mapping[str, Any]) -> None:
    """Write the arrays of ``truth`` as datasets, its mappings as groups, its numbers and words as attributes."""
    for name, value in truth.items():
        if isinstance(value, Mapping):
            put_truth(group.create_group(name), value)
        elif isinstance(value, np.ndarray) and value.ndim > 0:
            group.create_dataset(name, data=value)
        elif value is not None:
            group.attrs[name] = value if isinstance(value, str | bytes) else np.asarray(value)


def get_truth(group: h5py.Group) -> dict[str, Any]:
    """Return what :func:`put_truth` wrote."""
    found: dict[str, Any] = {
        name: (value.item() if isinstance(value, np.generic) else value) for name, value in group.attrs.items()
    }
    for name, item in group.items():
        found[name] = get_truth(item) if isinstance(item, h5py.Group) else item[()]
    return found


def truth_bytes(truth: Mapping[str, Any]) -> int:
    """Return how many bytes the arrays of ``truth`` take."""
    return sum(truth_bytes(v) if isinstance(v, Mapping) else int(getattr(v, "nbytes", 0)) for v in truth.values())


def put_json(file: h5py.File, name: str, value: Any) -> None:
    """Write a record as JSON: an attribute, or a dataset when it is too long for one."""
    text = json.dumps(value, default=_plain)
    if len(text.encode()) > ATTRIBUTE_LIMIT:
        file.create_dataset(name, data=text, dtype=h5py.string_dtype())
    else:
        file.attrs[name] = text


def get_json(file: h5py.File, name: str) -> dict[str, Any]:
    """Return the record that :func:`put_json` wrote; empty when there is none."""
    text = file[name].asstr()[()] if isinstance(file.get(name), h5py.Dataset) else file.attrs.get(name, "")
    try:
        found = json.loads(text) if text else {}
    except (ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _plain(value: Any) -> Any:
    """Turn NumPy numbers, arrays and mappings into what JSON knows."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
