"""Our own HDF5 files: k-space with truth maps, and reconstructions. They open in h5py, MATLAB and napari without this code.

k-space: ``kspace`` complex64 (slice, frame, coil, ky, kx); when undersampled ``mask`` bool (frame or 1, ky, kx or 1), with slice
before them where slices differ; group ``truth`` with what a phantom knows; attributes ``sampling_known_from``, and where known
``acquired_ky`` and ``acquired_kx`` (first, one past last), ``kspace_centre``, ``oversampling``, dataset ``noise_covariance``.
Reconstruction: ``image`` complex64 (slice, frame, y, x), ``mask``, ``reference``, ``stages``
(stage, slice, frame, y, x). Complex numbers are stored as h5py does, a compound of ``r`` and ``i`` float32 (MATLAB shows a
structure with these two fields). Attributes: ``kind``, ``times_ms`` (slice, frame), ``voxel_mm`` (z, y, x), ``phase_encode``,
``frame_of_reference``, ``notes``, ``unknown``, ``provenance`` (JSON), ``attributes`` (JSON). Where it is known where the slices
lie, dataset ``geometry`` (slice, 4, 4) says it: index (x, y, 0, 1) -> mm to the right, anterior, superior. All arrays are
contiguous, so that any program can map them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import NDArray

from engine.core import axes, provenance
from engine.core.errors import FormatError, InputError, ShapeError
from engine.core.files import replacing
from engine.core.jobs import Reporter, silent
from engine.core.records.entries import Content, Entry
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, KSpaceSeries, Reconstruction
from engine.io import hdf5_inside
from engine.io.contract import FORMATS, Format, Writable, WriteOptions
from engine.io.h5_fields import (
    MARKER,
    get_acquisition,
    get_geometry,
    get_json,
    get_kind,
    get_mask,
    get_truth,
    get_words,
    put_acquisition,
    put_common,
    put_json,
    put_mask,
    put_truth,
    put_words,
    truth_bytes,
)
from engine.io.hdf5 import HDF5Reader, complex_dtype, is_hdf5_error, opened_ours
from engine.io.hdf5_arrays import HDF5_ARRAYS
from engine.io.overrides import checked_kind, series_times
from engine.io.probe import Container, check_there, container, expect
from engine.io.space import check_space

VERSION = 1
KSPACE = "kspace"
IMAGE = "image"


# --- writing ----------------------------------------------------------------------------------------------------------


def write_kspace(
    path: str | Path, series: KSpaceSeries, truth: Mapping[str, Any] | None = None, report: Reporter | None = None
) -> None:
    """Write k-space slice by slice; nothing is left behind when it fails or is cancelled.

    Parameters
    ----------
    path
        File to write or replace.
    series
        What to write; slices are read one at a time.
    truth
        Arrays by name (and one level of mappings of arrays) that a phantom knows; numbers and strings become attributes.
    report
        Told after every slice; asked whether to stop before every slice.

    Raises
    ------
    OutputError
        The folder is missing or not writable, or the disk is full.
    InputError
        k-space holds NaN or infinity.
    """
    report = report or silent()
    slices = series.shape[0]
    need = 8 * int(np.prod(series.shape, dtype=np.int64)) + truth_bytes(truth or {})
    with writing(Path(path), need) as file:
        file.attrs[MARKER] = VERSION
        file.attrs["content"] = KSPACE
        data = file.create_dataset(KSPACE, shape=series.shape, dtype=np.complex64)
        data.attrs["axes"] = list(axes.KSPACE_AXES)
        for index in range(slices):
            report.step(index, slices, "writing k-space")
            data[index] = series.read(index)
        put_common(file, series.kind, series.times_ms, series.geometry, series.notes)
        put_words(file, "unknown", series.unknown)
        put_json(file, "attributes", dict(series.attributes))
        if "provenance" not in series.attributes:
            put_json(file, "provenance", provenance.record(source_format=series.format))
        else:
            put_json(file, "provenance", series.attributes["provenance"])
        put_acquisition(file, series.acquisition)
        if truth:
            put_truth(file.create_group("truth"), truth)
    report.step(slices, slices, "writing k-space")


def write_reconstruction(path: str | Path, reconstruction: Reconstruction) -> None:
    """Write a reconstruction with its mask, reference, stages and provenance. Raises ``OutputError`` like :func:`write_kspace`."""
    rec = reconstruction
    arrays = [rec.image, *([] if rec.reference is None else [rec.reference]), *rec.stages.values()]
    with writing(Path(path), sum(8 * array.size for array in arrays) + rec.mask.lines.size) as file:
        file.attrs[MARKER] = VERSION
        file.attrs["content"] = "reconstruction"
        _put_images(file, IMAGE, rec.image)
        if rec.reference is not None:
            _put_images(file, "reference", rec.reference)
        for name, stack in rec.stages.items():
            # The images of the stages are what everybody wants and have the plain name.
            stages = file.create_dataset(_stage_key(name), data=np.asarray(stack, np.complex64))
            stages.attrs["axes"] = ["stage", *axes.IMAGE_AXES]
        put_mask(file, rec.mask)
        put_common(file, rec.kind, rec.times_ms, rec.geometry, rec.notes)
        file.attrs["method"] = rec.method
        file.attrs["slices"] = np.asarray(rec.slices, np.int64)
        file.attrs["frames"] = np.asarray(rec.frames, np.int64)
        file.attrs["seconds"] = float(rec.seconds)
        if rec.weights is not None:
            file.attrs["weights"] = rec.weights
        if rec.peak_mib is not None:
            file.attrs["peak_mib"] = float(rec.peak_mib)
        put_json(file, "provenance", dict(rec.provenance))


@contextlib.contextmanager
def writing(path: Path, need: int) -> Iterator[h5py.File]:
    """Yield a new HDF5 file that takes the place of ``path`` on success; ``need`` bytes must be free on the disk."""
    with replacing(path) as temporary:
        # Said before gigabytes are written; the errors of the writes below remain for what changes meanwhile.
        check_space(temporary.parent, need, path)
        try:
            with h5py.File(temporary, "w", locking=False) as file:
                yield file
        except RuntimeError as error:
            if not is_hdf5_error(error):
                raise
            # The library raises RuntimeError where its own buffers could not be flushed.
            raise OSError(str(error)) from error


def _put_images(file: h5py.File, name: str, images: NDArray[Any]) -> None:
    data = file.create_dataset(name, data=np.asarray(images, np.complex64))
    data.attrs["axes"] = list(axes.IMAGE_AXES)


def _stage_key(name: str) -> str:
    return "stages" if name == IMAGE else f"stages_{name}"


# --- reading ----------------------------------------------------------------------------------------------------------


def read_reconstruction(path: str | Path) -> Reconstruction:
    """Read what :func:`write_reconstruction` wrote; raise ``FormatError`` for any other file."""
    file_path = Path(path)
    check_there(file_path)
    expect(file_path, Container.HDF5)
    with opened_ours(file_path) as file:
        if _content(file) != "reconstruction":
            raise FormatError(
                f"{file_path.name} is not a reconstruction (expected a complex dataset image and one called mask / found "
                f"{', '.join(file) or 'none'})",
                "Make one with `myoscope reconstruct`.",
            )
        image = _images(file_path, file, IMAGE)
        stages = {
            name.removeprefix("stages_") if name != "stages" else IMAGE: file[name][()].astype(np.complex64, copy=False)
            for name in file
            if name == "stages" or name.startswith("stages_")
        }
        attrs = file.attrs
        return Reconstruction(
            image=image,
            method=str(attrs.get("method", "")),
            slices=tuple(int(n) for n in attrs.get("slices", range(image.shape[0]))),
            frames=tuple(int(n) for n in attrs.get("frames", range(image.shape[1]))),
            mask=get_mask(file["mask"]),
            kind=get_kind(attrs),
            times_ms=attrs.get("times_ms"),
            geometry=get_geometry(file),
            reference=_images(file_path, file, "reference") if "reference" in file else None,
            stages=stages,
            weights=str(attrs["weights"]) if "weights" in attrs else None,
            seconds=float(attrs.get("seconds", 0.0)),
            peak_mib=float(attrs["peak_mib"]) if "peak_mib" in attrs else None,
            notes=get_words(attrs, "notes"),
            provenance=get_json(file, "provenance"),
        )


def read_truth(path: str | Path) -> dict[str, Any]:
    """Return the truth maps of a phantom's file, nested as they were written; empty when there are none."""
    with opened_ours(Path(path)) as file:
        return get_truth(file["truth"]) if "truth" in file else {}


def _content(file: h5py.File) -> str | None:
    """Return ``kspace`` or ``reconstruction``; files made by hand with the same names and complex numbers are taken too."""
    if isinstance(hdf5_inside.get(file, KSPACE), h5py.Dataset) and (MARKER in file.attrs or "kind" in file.attrs):
        return KSPACE
    image = hdf5_inside.get(file, IMAGE)
    if isinstance(image, h5py.Dataset) and isinstance(hdf5_inside.get(file, "mask"), h5py.Dataset):
        # Others call their magnitude images so as well; theirs are arrays that need --axes.
        return "reconstruction" if MARKER in file.attrs or complex_dtype(image.dtype) is not None else None
    return None


def _not_ours(path: Path, file: h5py.File) -> FormatError:
    return FormatError(
        f"{path.name} is not a Myoscope file (expected a dataset kspace or image / found {', '.join(file) or 'none'})",
        "Say what its arrays are with --key and --axes.",
    )


def _images(path: Path, file: h5py.File, name: str) -> NDArray[np.complex64]:
    data = file[name]
    if complex_dtype(data.dtype) is None or data.ndim != len(axes.IMAGE_AXES):
        raise ShapeError(
            f"{name} in {path.name} is not a series of images (expected complex, {', '.join(axes.IMAGE_AXES)} / found "
            f"{data.dtype}, {data.shape})",
            "The file was not written by Myoscope, or was changed.",
        )
    found = np.empty(data.shape, np.complex64)
    found[...] = data[()] if data.dtype.kind == "c" else data[()].view(complex_dtype(data.dtype))
    return found


class MyoscopeH5(Format):
    """Our own k-space and reconstruction files; further arrays in them are opened by their key."""

    name = "myoscope_h5"
    title = "Myoscope HDF5"
    suffixes = ("*.h5", "*.hdf5")
    precedence = 80
    description = "Our own k-space and reconstruction files."
    writes: ClassVar[Mapping[Content, tuple[str, ...]]] = {
        Content.KSPACE: (".h5", ".hdf5"),
        Content.RECONSTRUCTION: (".h5", ".hdf5"),
    }

    def sniff(self, path: Path) -> float:
        """Return 1 for a file with our marker, 0.05 for another or a damaged HDF5 file named .h5, else 0."""
        named = path.suffix.lower() in (".h5", ".hdf5") and path.is_file()
        if container(path) is not Container.HDF5:
            return 0.05 if named else 0.0
        try:
            with h5py.File(path, "r", locking=False) as file:
                return 1.0 if _content(file) is not None else (0.05 if named else 0.0)
        except (OSError, RuntimeError, KeyError, ValueError):
            return 0.3 if named else 0.0

    def list(self, path: Path) -> Iterator[Entry]:
        """Yield the k-space or the reconstruction of a file."""
        expect(path, Container.HDF5)
        with opened_ours(path) as file:
            content = _content(file)
            if content is None:
                raise _not_ours(path, file)
            data = file[KSPACE if content == KSPACE else IMAGE]
            names = axes.KSPACE_AXES if content == KSPACE else axes.IMAGE_AXES
            masks = get_acquisition(file).masks
            entry = Entry(
                path,
                self.name,
                title=path.stem,
                content=Content(content),
                kind=get_kind(file.attrs),
                axes=dict(zip(names, (int(n) for n in data.shape), strict=False)),
                shape=tuple(int(n) for n in data.shape),
                dtype=str(complex_dtype(data.dtype) or data.dtype),
                size_bytes=int(data.size) * data.dtype.itemsize,
                acceleration=masks[0].nominal_acceleration if masks else None,
                files=(path,),
                notes=get_words(file.attrs, "notes"),
            )
        yield entry

    def read(self, entry: Entry, options: OpenOptions) -> KSpaceSeries | ImageSeries:
        """Open a file of our own: k-space lazily, a reconstruction as complex images."""
        path = entry.path
        expect(path, Container.HDF5)
        with opened_ours(path) as file:
            content = _content(file)
        if entry.key not in (None, KSPACE if content == KSPACE else IMAGE):
            return HDF5_ARRAYS.read(entry, options)  # another array of the file, a truth map for example
        with opened_ours(path) as file:
            if options.axes is not None:
                raise InputError(
                    f"{path.name} tells its axes itself (expected no --axes / found {options.axes})", "Leave out --axes."
                )
            if content is None:
                raise _not_ours(path, file)
            attributes = get_json(file, "attributes")
            record = get_json(file, "provenance")
            if record:
                attributes["provenance"] = record
            kind = checked_kind(options, get_kind(file.attrs))
            times = file.attrs.get("times_ms")
            common: dict[str, Any] = {
                "kind": kind,
                "geometry": get_geometry(file),
                "name": path.stem,
                "source": str(path),
                "format": self.name,
                "notes": get_words(file.attrs, "notes"),
                "unknown": get_words(file.attrs, "unknown"),
                "attributes": attributes,
            }
            if content == "reconstruction":
                images = _images(path, file, IMAGE)
                attributes["method"] = str(file.attrs.get("method", ""))
                mask = get_mask(file["mask"])
                attributes["acceleration"] = {
                    "nominal": mask.nominal_acceleration,
                    "effective": mask.effective_acceleration,
                    "pattern": mask.pattern,
                }
                return ImageSeries(images, times_ms=series_times(options, times, images.shape[:2]), **common)
            axes_found = file[KSPACE].shape
            acquisition = get_acquisition(file)
        if len(axes_found) != len(axes.KSPACE_AXES):
            raise ShapeError(
                f"kspace in {path.name} has the wrong number of axes (expected 5: {', '.join(axes.KSPACE_AXES)} / found "
                f"{len(axes_found)}: {axes_found})",
                "Store k-space with all five axes; a length-1 axis is enough for a missing one.",
            )
        reader = HDF5Reader(path, KSPACE, (0, 1, 2, 3, 4))
        return KSpaceSeries(reader, times_ms=series_times(options, times, reader.shape[:2]), acquisition=acquisition, **common)

    def write(self, what: Writable, path: Path, options: WriteOptions) -> Path:
        """Write k-space with the truth of a phantom, or a reconstruction."""
        if isinstance(what, Reconstruction):
            write_reconstruction(path, what)
        else:
            assert isinstance(what, KSpaceSeries)
            write_kspace(path, what, options.truth, options.report)
        return path


FORMATS.register(MyoscopeH5.name, MyoscopeH5())
