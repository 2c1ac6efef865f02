"""Files of maps in our HDF5 layout.

Group ``maps`` with ``t1_ms`` (or ``t2_ms``) first, the further parameters by name (``t1_star_ms``, ``a``, ``b``, ``c``),
``sd_ms`` and for the others ``NAME_sd``, ``r2``, ``residual``, ``valid`` (bool), ``polarity`` and ``reason`` (uint8;
:class:`engine.core.maps.Reason`), each (slice, y, x); ``images`` (slice, frame, y, x), what was fitted, and ``displacement``
(slice, frame, 2, y, x) after motion correction. Attributes as in the files of :mod:`engine.io.myoscope_h5`, and ``model``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from engine.core import axes
from engine.core.errors import FormatError
from engine.core.maps import MapSet
from engine.core.records.entries import Content, Entry
from engine.core.records.series import MapsInfo, MapSummary
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, KSpaceSeries, ParameterMap
from engine.io import hdf5_inside
from engine.io.contract import FORMATS, Format, Writable, WriteOptions
from engine.io.h5_fields import MARKER, get_geometry, get_json, get_kind, get_words, put_common, put_json
from engine.io.hdf5 import opened_ours
from engine.io.hdf5_arrays import HDF5_ARRAYS
from engine.io.myoscope_h5 import VERSION, writing
from engine.io.overrides import checked_kind, series_times, unknown_words
from engine.io.probe import Container, check_there, container, expect

CONTENT = "maps"
GROUP = "maps"
IMAGES = "images"
DISPLACEMENT = "displacement"


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
        put_common(file, maps.kind, maps.times_ms, maps.geometry, maps.notes)
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
    with opened_ours(place) as file:
        if not _is_maps(file):
            raise FormatError(
                f"{place.name} holds no maps (expected a group maps / found {', '.join(file) or 'nothing'})",
                "Make some with `myoscope map`.",
            )
        group, attrs = file[GROUP], file.attrs
        valid = group["valid"][()].astype(np.bool_)
        names = [name for name in group if "quantity" in group[name].attrs]
        found = {}
        geometry = get_geometry(file)
        for index, name in enumerate(names):
            sd = "sd_ms" if index == 0 else f"{name}_sd"
            found[name] = ParameterMap(
                values=group[name][()],
                quantity=str(group[name].attrs["quantity"]),
                unit=str(group[name].attrs["unit"]),
                valid=valid,
                sd=group[sd][()] if sd in group else None,
                residual=group["residual"][()] if index == 0 else None,
                geometry=geometry,
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
            displacement=file[DISPLACEMENT][()] if DISPLACEMENT in file else None,
            seconds=float(attrs.get("seconds", 0.0)),
            notes=get_words(attrs, "notes"),
            provenance=get_json(file, "provenance"),
        )


def describe(path: str | Path) -> MapsInfo | None:
    """Return what a file of maps holds, None when it is no such file."""
    place = Path(path)
    if not place.is_file() or MAPS.sniff(place) < 1.0:
        return None
    maps = read_maps(place)
    rows = tuple(tuple(round(float(t), 4) for t in row) for row in maps.times_ms)
    return MapsInfo(
        name=place.stem,
        format=Maps.name,
        content=CONTENT,
        kind=str(maps.kind),
        axes=dict(zip(axes.MAP_AXES, (int(n) for n in maps.valid.shape), strict=True)),
        times_ms=rows[0] if all(row == rows[0] for row in rows) else rows,
        model=maps.model,
        title=maps.title,
        maps={name: _summary(one) for name, one in maps.maps.items()},
        valid=round(float(maps.valid.mean()), 4),
        voxel_mm=maps.voxel_mm,
        unknown=unknown_words(maps.geometry),
        notes=maps.notes,
    )


def _summary(one: ParameterMap) -> MapSummary:
    values = one.values[one.valid]
    return MapSummary(one.unit, float(np.median(values)) if values.size else None, one.sd is not None)


def _is_maps(file: h5py.File) -> bool:
    group = hdf5_inside.get(file, GROUP)
    names = ("r2", "residual", "valid", "polarity", "reason")
    return isinstance(group, h5py.Group) and all(name in group for name in names) and IMAGES in file and "times_ms" in file.attrs


class Maps(Format):
    """Our own files of maps; opened as a series they give the images that were fitted."""

    name = "myoscope_maps"
    title = "Myoscope maps"
    suffixes = ("*.h5",)
    precedence = 90
    description = "Our own files of T1 and T2 maps; opened as a series they give the images that were fitted."
    writes: ClassVar[Mapping[Content, tuple[str, ...]]] = {Content.MAPS: (".h5", ".hdf5")}

    def sniff(self, path: Path) -> float:
        """Return 1 for an HDF5 file of maps, else 0."""
        if container(path) is not Container.HDF5:
            return 0.0
        try:
            with h5py.File(path, "r", locking=False) as file:
                return 1.0 if _is_maps(file) else 0.0
        except (OSError, RuntimeError, KeyError, ValueError):
            return 0.0

    def list(self, path: Path) -> Iterator[Entry]:
        """Yield the maps of a file as one entry."""
        with opened_ours(path) as file:
            shape = tuple(int(n) for n in file[GROUP]["valid"].shape)
            names = [name for name in file[GROUP] if "quantity" in file[GROUP][name].attrs]
            yield Entry(
                path,
                self.name,
                title=path.stem,
                content=Content.MAPS,
                kind=get_kind(file.attrs),
                axes=dict(zip(axes.MAP_AXES, shape, strict=False)),
                shape=shape,
                dtype="float32",
                size_bytes=sum(int(file[GROUP][name].nbytes) for name in names),
                files=(path,),
                notes=(", ".join(names), *get_words(file.attrs, "notes")),
            )

    def read(self, entry: Entry, options: OpenOptions) -> KSpaceSeries | ImageSeries:
        """Open the images that the maps were fitted to."""
        path = entry.path
        if entry.key not in (None, IMAGES):
            return HDF5_ARRAYS.read(entry, options)  # one of the maps, for example maps/t1_ms
        maps = read_maps(path)
        return ImageSeries(
            images=maps.images,
            kind=checked_kind(options, maps.kind),
            times_ms=series_times(options, maps.times_ms, maps.images.shape[:2]),
            geometry=maps.geometry,
            name=path.stem,
            source=str(path),
            format=self.name,
            notes=("the images that maps were fitted to",),
            unknown=unknown_words(maps.geometry),
        )

    def write(self, what: Writable, path: Path, options: WriteOptions) -> Path:
        """Write maps."""
        del options
        assert isinstance(what, MapSet)
        write_maps(path, what)
        return path


MAPS = FORMATS.register(Maps.name, Maps())
