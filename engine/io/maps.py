"""Files of maps: our HDF5 layout, read and written; NIfTI, written.

HDF5: group ``maps`` with ``t1_ms`` (or ``t2_ms``) first, the further parameters by name (``t1_star_ms``, ``a``, ``b``, ``c``),
``sd_ms`` and for the others ``NAME_sd``, ``r2``, ``residual``, ``valid`` (bool), ``polarity`` and ``reason`` (uint8;
:class:`engine.core.maps.Reason`), each (slice, y, x); ``images`` (slice, frame, y, x), what was fitted, and ``displacement``
(slice, frame, 2, y, x) after motion correction. Attributes as in the files of :mod:`engine.io.myoscope_h5`, and ``model``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from engine.core import axes
from engine.core.errors import FormatError, OutputError
from engine.core.maps import MapSet
from engine.core.records.series import MapsInfo, MapSummary
from engine.core.types import ImageSeries, KSpaceSeries, ParameterMap
from engine.io import hdf5_arrays
from engine.io.contract import FORMATS, FormatSpec, OpenOptions
from engine.io.h5_fields import get_json, get_kind, get_voxel, get_words, put_common, put_json
from engine.io.hdf5 import opened
from engine.io.myoscope_h5 import MARKER, VERSION, writing
from engine.io.overrides import checked_kind, series_times
from engine.io.probe import Container, check_there, container, expect

CONTENT = "maps"
GROUP = "maps"
IMAGES = "images"
DISPLACEMENT = "displacement"
HDF5_ENDINGS = (".h5", ".hdf5")
NIFTI_ENDINGS = (".nii.gz", ".nii")


def save_maps(maps: MapSet, path: str | Path) -> None:
    """Write maps as the name asks: HDF5 (``.h5``), the asked map as NIfTI (``.nii.gz``, ``.nii``), or a BIDS folder of all.

    Raises
    ------
    OutputError
        The ending is another one, or the place cannot be written to.
    DependencyError
        NIfTI is asked for and nibabel is not installed.
    """
    check_ending(path)
    name = str(path).lower()
    if name.endswith(HDF5_ENDINGS):
        write_maps(path, maps)
        return
    from engine.io import nifti

    if name.endswith(NIFTI_ENDINGS):
        nifti.write_map(path, maps)
    else:
        nifti.write_folder(path, maps)


def check_ending(path: str | Path) -> None:
    """Raise ``OutputError`` when the name of a file says another format than those written here; a folder has no ending."""
    name, suffix = str(path).lower(), Path(path).suffix
    if suffix and not name.endswith((*HDF5_ENDINGS, *NIFTI_ENDINGS)) and not Path(path).is_dir():
        raise OutputError(
            f"maps cannot be written as {suffix} (expected .h5, .nii.gz, .nii, or a folder)",
            "Name the output for example maps.h5 or maps.nii.gz.",
        )


def write_maps(path: str | Path, maps: MapSet) -> None:
    """Write our HDF5 layout; what stood there before stays when it fails."""
    arrays = _arrays(maps)
    need = sum(array.nbytes for array in arrays.values()) + maps.images.nbytes
    need += 0 if maps.displacement is None else maps.displacement.nbytes
    with writing(Path(path), need) as file:
        file.attrs[MARKER] = VERSION
        file.attrs["content"] = CONTENT
        group = file.create_group(GROUP, track_order=True)
        for name, array in arrays.items():
            group.create_dataset(name, data=array).attrs["axes"] = list(axes.MAP_AXES)
        for name, one in maps.maps.items():
            group[name].attrs["unit"] = one.unit
            group[name].attrs["quantity"] = one.quantity
        file.create_dataset(IMAGES, data=maps.images).attrs["axes"] = list(axes.IMAGE_AXES)
        if maps.displacement is not None:
            data = file.create_dataset(DISPLACEMENT, data=np.asarray(maps.displacement, np.float32))
            data.attrs["axes"] = ["slice", "frame", "direction", "y", "x"]
        put_common(file, maps.kind, maps.times_ms, maps.voxel_mm, maps.notes)
        file.attrs["model"] = maps.model
        file.attrs["title"] = maps.title
        file.attrs["slices"] = np.asarray(maps.slices, np.int64)
        file.attrs["seconds"] = float(maps.seconds)
        put_json(file, "provenance", dict(maps.provenance))


def _arrays(maps: MapSet) -> dict[str, Any]:
    """Return all that stands in the group, in this order."""
    found: dict[str, Any] = {name: one.values for name, one in maps.maps.items()}
    for index, (name, one) in enumerate(maps.maps.items()):
        if one.sd is not None:
            found["sd_ms" if index == 0 else f"{name}_sd"] = one.sd
    return {
        **found,
        "r2": maps.r2,
        "residual": maps.residual,
        "valid": maps.valid,
        "polarity": maps.polarity,
        "reason": maps.reason,
    }


def read_maps(path: str | Path) -> MapSet:
    """Read what :func:`write_maps` wrote.

    Raises
    ------
    FormatError
        The file is missing, damaged, or holds no maps.
    """
    place = Path(path)
    check_there(place)
    expect(place, Container.HDF5)
    with opened(place) as file:
        if not _is_maps(file):
            raise FormatError(
                f"{place.name} holds no maps (expected a group maps / found {', '.join(file) or 'nothing'})",
                "Make some with `myoscope map`.",
            )
        group, attrs = file[GROUP], file.attrs
        valid = group["valid"][()].astype(np.bool_)
        names = [name for name in group if "quantity" in group[name].attrs]
        found = {}
        for index, name in enumerate(names):
            sd = "sd_ms" if index == 0 else f"{name}_sd"
            found[name] = ParameterMap(
                values=group[name][()],
                quantity=str(group[name].attrs["quantity"]),
                unit=str(group[name].attrs["unit"]),
                valid=valid,
                sd=group[sd][()] if sd in group else None,
                residual=group["residual"][()] if index == 0 else None,
            )
        return MapSet(
            maps=found,
            model=str(attrs.get("model", "")),
            title=str(attrs.get("title", "")),
            times_ms=np.asarray(attrs["times_ms"], np.float32),
            r2=group["r2"][()],
            residual=group["residual"][()],
            polarity=group["polarity"][()],
            reason=group["reason"][()],
            images=file[IMAGES][()],
            kind=get_kind(attrs),
            slices=tuple(int(n) for n in attrs.get("slices", ())),
            voxel_mm=get_voxel(attrs),
            displacement=file[DISPLACEMENT][()] if DISPLACEMENT in file else None,
            seconds=float(attrs.get("seconds", 0.0)),
            notes=get_words(attrs, "notes"),
            provenance=get_json(file, "provenance"),
        )


def describe(path: str | Path) -> MapsInfo | None:
    """Return what a file of maps holds, None when it is no such file."""
    place = Path(path)
    if not place.is_file() or sniff(place) < 1.0:
        return None
    maps = read_maps(place)
    rows = tuple(tuple(round(float(t), 4) for t in row) for row in maps.times_ms)
    return MapsInfo(
        name=place.stem,
        format=SPEC.name,
        content=CONTENT,
        kind=str(maps.kind),
        axes=dict(zip(axes.MAP_AXES, (int(n) for n in maps.valid.shape), strict=True)),
        times_ms=rows[0] if all(row == rows[0] for row in rows) else rows,
        model=maps.model,
        title=maps.title,
        maps={name: _summary(one) for name, one in maps.maps.items()},
        valid=round(float(maps.valid.mean()), 4),
        voxel_mm=maps.voxel_mm,
        unknown=("orientation",),
        notes=maps.notes,
    )


def _summary(one: ParameterMap) -> MapSummary:
    values = one.values[one.valid]
    return MapSummary(one.unit, float(np.median(values)) if values.size else None, one.sd is not None)


def sniff(path: Path) -> float:
    """Return 1 for an HDF5 file of maps, else 0."""
    if container(path) is not Container.HDF5:
        return 0.0
    try:
        with h5py.File(path, "r", locking=False) as file:
            return 1.0 if _is_maps(file) else 0.0
    except (OSError, RuntimeError, KeyError, ValueError):
        return 0.0


def _is_maps(file: h5py.File) -> bool:
    group = file.get(GROUP)
    names = ("r2", "residual", "valid", "polarity", "reason")
    return isinstance(group, h5py.Group) and all(name in group for name in names) and IMAGES in file and "times_ms" in file.attrs


def read(path: Path, options: OpenOptions) -> KSpaceSeries | ImageSeries:
    """Open the images that the maps were fitted to."""
    if options.key is not None and options.key != IMAGES:
        return hdf5_arrays.read(path, options)  # one of the maps, for example maps/t1_ms
    maps = read_maps(path)
    return ImageSeries(
        images=maps.images,
        kind=checked_kind(options, maps.kind),
        times_ms=series_times(options, maps.times_ms, maps.images.shape[:2]),
        voxel_mm=maps.voxel_mm,
        name=path.stem,
        source=str(path),
        format=SPEC.name,
        notes=("the images that maps were fitted to",),
        unknown=("orientation", *(["voxel size"] if maps.voxel_mm is None else [])),
    )


SPEC = FORMATS.register(
    "myoscope_maps",
    FormatSpec(
        name="myoscope_maps",
        title="Myoscope maps",
        suffixes=("*.h5",),
        sniff=sniff,
        read=read,
        description="Our own files of T1 and T2 maps; opened as a series they give the images that were fitted.",
        writes=("maps",),
    ),
)
