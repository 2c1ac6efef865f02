"""The parts that our HDF5 files share: attributes, masks, JSON, truth maps; written and read side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError
from engine.core.geometry import Geometry
from engine.core.types import Kind, SamplingMask

# HDF5 keeps an attribute in the object header, which ends at 64 KiB.
ATTRIBUTE_LIMIT = 60_000
GEOMETRY = "geometry"


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


def put_mask(file: h5py.File, mask: SamplingMask) -> None:
    """Write a mask with all it carries as dataset ``mask``."""
    data = file.create_dataset("mask", data=mask.lines)
    data.attrs["axes"] = ["frame", "ky", "kx"]
    data.attrs["pattern"] = mask.pattern
    data.attrs["effective_acceleration"] = mask.effective_acceleration
    if mask.nominal_acceleration is not None:
        data.attrs["nominal_acceleration"] = float(mask.nominal_acceleration)
    if mask.acs is not None:
        data.attrs["acs"] = np.asarray(mask.acs, np.int64)
    if mask.seed is not None:
        data.attrs["seed"] = int(mask.seed)


def get_mask(data: h5py.Dataset) -> SamplingMask:
    """Return the mask that :func:`put_mask` wrote."""
    attrs = data.attrs
    acs = attrs.get("acs")
    return SamplingMask(
        lines=data[()].astype(np.bool_),
        pattern=str(attrs.get("pattern", "file")),
        nominal_acceleration=float(attrs["nominal_acceleration"]) if "nominal_acceleration" in attrs else None,
        acs=(int(acs[0]), int(acs[1])) if acs is not None else None,
        seed=int(attrs["seed"]) if "seed" in attrs else None,
    )


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
