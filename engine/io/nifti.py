"""NIfTI: series of images and maps, read with nibabel; maps written as BIDS wants them, in seconds.

An array is stored (x, y, z, time). Images are turned to (slice, frame, y, x) and not flipped: the affine says where they lie.
Times come from the sidecar (``.json``; InversionTime or EchoTime in seconds, one number or a list), or from ``--times``. Of a BIDS
collection (``_inv-1_IRT1``, ``_echo-1_MESE``) any file opens all.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine import __version__
from engine.core.axes import IMAGE_AXES
from engine.core.errors import DependencyError, EngineError, FormatError, InputError, ShapeError
from engine.core.files import replacing, translate
from engine.core.geometry import Geometry
from engine.core.maps import MapSet
from engine.core.provenance import RESEARCH_USE
from engine.core.records.entries import Content, Entry
from engine.core.requests import OpenOptions
from engine.core.types import Float, ImageSeries, Kind
from engine.io.contract import FOLDER, FORMATS, Format, Writable, WriteOptions
from engine.io.overrides import checked_kind, series_times, unknown_words
from engine.io.probe import check_there
from engine.io.sizes import DEFLATE_RATIO, check_claim

ENDINGS = (".nii.gz", ".nii")
MS = 1000.0
BIDS_VERSION = "1.10.0"
TIME_FIELDS = {"InversionTime": Kind.MOLLI, "EchoTime": Kind.T2PREP}
COLLECTION = re.compile(r"_(inv|echo)-(\d+)_")
DAMAGE = (OSError, EOFError, ValueError, TypeError, OverflowError, zlib.error)
# What a transform leads to, by its code; BIDS's words for the axis of phase encoding (i is x) -> ours.
SPACES = ("", "scanner", "aligned", "talairach", "mni")
PHASE_AXES = {"i": "x", "i-": "x-", "j": "y", "j-": "y-", "k": "slice", "k-": "slice-"}
HEADER_SIZES = ((348).to_bytes(4, "little"), (348).to_bytes(4, "big"), (540).to_bytes(4, "little"), (540).to_bytes(4, "big"))


def nibabel() -> ModuleType:
    """Return the library; raise ``DependencyError`` that says what to install when it is missing."""
    try:
        import nibabel as library
    except ImportError as error:
        raise DependencyError("NIfTI needs nibabel, which is not installed", "Install it: pip install nibabel.") from error
    found: ModuleType = library
    return found


# --- reading ----------------------------------------------------------------------------------------------------------


def stem(path: Path) -> str:
    """Return the name without ``.nii.gz``."""
    for ending in ENDINGS:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.stem


def collection(path: Path) -> list[Path]:
    """Return the files of the BIDS collection that ``path`` belongs to, in order of their number; else just ``path``."""
    match = COLLECTION.search(path.name)
    if match is None:
        return [path]
    pattern = re.compile(re.escape(path.name[: match.start()]) + f"_{match[1]}-(\\d+)_" + re.escape(path.name[match.end() :]))
    found = [(int(other[1]), file) for file in path.parent.iterdir() if (other := pattern.fullmatch(file.name))]
    return [file for _, file in sorted(found)]


def _opened(path: Path) -> Any:
    """Return the image of the library, its values unread."""
    library = nibabel()
    check_there(path)
    try:
        return library.load(path)
    except (library.filebasedimages.ImageFileError, library.spatialimages.HeaderDataError, *DAMAGE) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> FormatError:
    return FormatError(
        f"{path.name} is damaged (expected a complete NIfTI file / found: {' '.join(str(error).split()) or type(error).__name__})",
        "Copy or export the file again.",
    )


def _check_size(path: Path, image: Any) -> None:
    """Refuse a header that claims more than the file can hold, before memory is taken."""
    shape = tuple(int(n) for n in image.header.get_data_shape())
    if min(shape, default=0) < 0:
        raise _damaged(path, ValueError(f"sizes {shape}"))
    ratio = DEFLATE_RATIO if path.name.lower().endswith(".gz") else 1
    check_claim(path, "the image", shape, image.header.get_data_dtype(), path.stat().st_size * ratio)


def _load(path: Path) -> tuple[NDArray[Any], Geometry]:
    """Return the array (x, y, z, time) and where it lies."""
    image = _opened(path)
    _check_size(path, image)
    try:
        values = np.asanyarray(image.dataobj)
    except DAMAGE as error:
        raise _damaged(path, error) from error
    if values.dtype.names is not None or values.dtype.kind not in "buifc":
        raise FormatError(
            f"{path.name} does not hold numbers (expected integers, floats or complex / found {values.dtype})",
            "Colour images cannot be fitted or reconstructed.",
        )
    values = values.reshape(values.shape + (1,) * (4 - values.ndim)) if values.ndim < 4 else values
    if values.ndim > 4:
        if int(np.prod(values.shape[4:])) != 1:
            raise ShapeError(
                f"{path.name} has too many axes (expected x, y, z, time / found {values.shape})", "Export one series in one file."
            )
        values = values.reshape(values.shape[:4])
    if 0 in values.shape:
        raise ShapeError(f"{path.name} is empty (expected samples / found shape {values.shape})", "Export it again.")
    dtype = np.complex64 if values.dtype.kind == "c" else np.float32
    return values.astype(dtype), _geometry(path, image, values.shape[2])


def _geometry(path: Path, image: Any, slices: int) -> Geometry:
    """Return where the voxels lie; only their size when the header gives no transform (both codes 0)."""
    header = image.header
    scale = {"meter": 1000.0, "micron": 0.001}.get(header.get_xyzt_units()[0], 1.0)
    zooms = [scale * float(z) for z in [*header.get_zooms()[:3], 1.0, 1.0][:3]]
    x, y, z = (zoom if np.isfinite(zoom) and zoom > 0 else 1.0 for zoom in zooms)
    code = int(header["sform_code"]) or int(header["qform_code"])
    axis = PHASE_AXES.get(str(sidecar(path).get("PhaseEncodingDirection", "")), "")
    if code == 0:
        return Geometry(voxel_mm=(z, y, x), phase_encode=axis)
    affine = np.asarray(image.affine, np.float64) * np.array([[scale]] * 3 + [[1.0]])
    space = SPACES[code] if code < len(SPACES) else ""
    try:
        return Geometry.from_affine(affine, slices, voxel_mm=(z, y, x), phase_encode=axis, frame_of_reference=space)
    except EngineError as error:
        raise _damaged(path, ValueError(error.message)) from error


def _times(files: Sequence[Path]) -> tuple[Float | None, Kind]:
    """Return times in ms that the sidecars tell, and what they are of."""
    for field, kind in TIME_FIELDS.items():
        times: list[float] = []
        for file in files:
            value = sidecar(file).get(field)
            numbers = value if isinstance(value, list) else [value]
            times += [MS * float(n) for n in numbers if isinstance(n, int | float)]
        if len(times) >= len(files) and times:
            return np.asarray(times, np.float32), kind
    return None, Kind.UNKNOWN


def beside(path: Path) -> Path:
    """Return where the sidecar of a NIfTI file is, or would be."""
    return path.with_name(stem(path) + ".json")


def sidecar(path: Path) -> dict[str, Any]:
    """Return the record beside a NIfTI file; empty when there is none or it cannot be read."""
    try:
        found = json.loads(beside(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


# --- writing ----------------------------------------------------------------------------------------------------------


def write_map(path: str | Path, maps: MapSet) -> None:
    """Write the asked map in seconds with its sidecar beside; pixels without a value are 0."""
    target = Path(path)
    _write(target, maps, maps.main.values / MS, _record(maps, maps.main.quantity, "s"))


def write_folder(path: str | Path, maps: MapSet) -> Path:
    """Write a BIDS derivative: ``sub-01/anat/sub-01_T1map.nii.gz`` (returned), standard deviation, R2, residual, valid pixels."""
    folder = Path(path)
    anat = folder / "sub-01" / "anat"
    try:
        anat.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise translate(error, folder) from error
    quantity = maps.main.quantity
    main = anat / f"sub-01_{quantity}map.nii.gz"
    _write(main, maps, maps.main.values / MS, _record(maps, quantity, "s"))
    if maps.main.sd is not None:
        _write(
            anat / f"sub-01_desc-sd_{quantity}map.nii.gz",
            maps,
            maps.main.sd / MS,
            _record(maps, f"standard deviation of {quantity}", "s"),
        )
    for name, values in (("r2", maps.r2), ("residual", maps.residual)):
        _write(anat / f"sub-01_desc-{name}_{quantity}map.nii.gz", maps, values, _record(maps, name, "arbitrary"))
    _write(anat / "sub-01_desc-valid_mask.nii.gz", maps, maps.valid.astype(np.uint8), _record(maps, "1 where the fit holds", ""))
    description = {
        "Name": f"{quantity} map",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "Myoscope", "Version": __version__, "Description": RESEARCH_USE}],
    }
    _write_text(folder / "dataset_description.json", json.dumps(description, indent=2))
    return main


def _record(maps: MapSet, quantity: str, unit: str) -> dict[str, Any]:
    rows = [[float(t) / MS for t in row] for row in maps.times_ms]
    field = "InversionTime" if maps.main.quantity == "T1" else "EchoTime"
    return {
        "Quantity": quantity,
        "Units": unit,
        field: [round(t, 7) for t in rows[0]] if all(row == rows[0] for row in rows) else rows,
        "EstimationAlgorithm": maps.model,
        "EstimationReference": "Myoscope " + __version__,
        "Notes": [*maps.notes, "0: no value"],
        "Use": RESEARCH_USE,
    }


def _write(target: Path, maps: MapSet, values: NDArray[Any], record: dict[str, Any]) -> None:
    library = nibabel()
    known = maps.geometry.affine  # None where no single one can say it
    data = values.astype(np.uint8 if values.dtype == np.uint8 else np.float32).transpose(2, 1, 0)  # (x, y, z)
    image = library.Nifti1Image(data, known)
    if known is not None:
        code = maps.geometry.frame_of_reference if maps.geometry.frame_of_reference in SPACES else "scanner"
        image.set_qform(known, code=code)
        image.set_sform(known, code=code)
    elif maps.voxel_mm is not None:  # without an affine the file says that nobody knows where it lies
        image.header.set_zooms(maps.voxel_mm[::-1])
    image.header.set_xyzt_units("mm" if maps.voxel_mm is not None or known is not None else "unknown")
    content = image.to_bytes()
    with replacing(target) as temporary:
        temporary.write_bytes(gzip.compress(content, mtime=0) if target.name.lower().endswith(".gz") else content)
    _write_text(beside(target), json.dumps(record, indent=2))


def _write_text(target: Path, text: str) -> None:
    with replacing(target) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


class Nifti(Format):
    """Series of images; maps are written in seconds, as BIDS wants them."""

    name = "nifti"
    title = "NIfTI"
    suffixes = ("*.nii", "*.nii.gz")
    precedence = 60
    description = "Series of images (x, y, z, time), with times from the BIDS sidecar or --times; maps are written in seconds."
    writes: ClassVar[Mapping[Content, tuple[str, ...]]] = {Content.MAPS: (".nii.gz", ".nii", FOLDER)}
    loses = frozenset({"phase encoding", "kind"})

    def sniff(self, path: Path) -> float:
        """Return 1 for a NIfTI header, 0.1 for another file of that name, else 0."""
        name = path.name.lower()
        if not name.endswith(ENDINGS) or not path.is_file():
            return 0.0
        try:
            with gzip.open(path) if name.endswith(".gz") else path.open("rb") as stream:
                head = stream.read(4)
        except (OSError, EOFError, zlib.error):
            return 0.1
        return 1.0 if head in HEADER_SIZES else 0.1

    def list(self, path: Path) -> Iterator[Entry]:
        """Yield the series of a file, or of the collection that it belongs to."""
        files = collection(path)
        header = _opened(path).header
        shape = tuple(int(n) for n in header.get_data_shape())
        x, y, z, time = (*shape[:4], *(1,) * (4 - len(shape)))
        _, kind = _times(files)
        dtype = header.get_data_dtype()
        yield Entry(
            path,
            self.name,
            title=stem(path),
            content=Content.IMAGES,
            kind=kind,
            axes=dict(zip(IMAGE_AXES, (z, time * len(files), y, x), strict=True)),
            shape=shape,
            dtype=str(dtype),
            size_bytes=math.prod(shape) * dtype.itemsize * len(files),
            files=tuple(file for one in files for file in (one, beside(one)) if file.is_file()),
        )

    def read(self, entry: Entry, options: OpenOptions) -> ImageSeries:
        """Open a series of images.

        Raises
        ------
        FormatError
            The file is damaged, or the files of a collection differ.
        DependencyError
            nibabel is not installed.
        """
        path = entry.path
        if options.axes is not None:
            raise InputError(f"{path.name} tells its axes itself (expected no --axes / found {options.axes})", "Leave out --axes.")
        files = collection(path)
        arrays = []
        for file in files:
            array, geometry = _load(file)
            arrays.append(array)
        if len({a.shape for a in arrays}) > 1:
            raise FormatError(
                f"the files of the collection of {path.name} differ in size (found {', '.join(str(a.shape) for a in arrays)})",
                "Remove those that do not belong to it.",
            )
        stored = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)
        images = np.ascontiguousarray(stored.transpose(2, 3, 1, 0))  # (slice, frame, y, x)
        if not np.isfinite(images).all():
            bad = int(np.count_nonzero(~np.isfinite(images)))
            raise InputError(
                f"{path.name} holds {bad} values that are NaN or infinite (expected none)", "Set pixels without signal to 0."
            )
        times, kind = _times(files)
        notes = []
        if times is not None and len(times) != images.shape[1]:
            if options.times_ms is None:
                notes.append(f"times in the sidecar were not used: {len(times)} for {images.shape[1]} frames")
            times = None
        return ImageSeries(
            images=images,
            kind=checked_kind(options, kind),
            times_ms=series_times(options, times, images.shape[:2]),
            geometry=geometry,
            name=stem(path),
            source=str(path),
            format=self.name,
            notes=tuple(notes),
            unknown=unknown_words(geometry),
            attributes={"axes": "xysf", "files": len(files)},
        )

    def write(self, what: Writable, path: Path, options: WriteOptions) -> Path:
        """Write the asked map as one file, or all maps as a BIDS folder."""
        del options
        assert isinstance(what, MapSet)
        if path.name.lower().endswith(ENDINGS) and not path.is_dir():
            write_map(path, what)
            return path
        return write_folder(path, what)

    def outputs(self, content: Content, path: Path) -> tuple[Path, ...]:
        """Return the file and its sidecar."""
        del content
        return path, beside(path)


FORMATS.register(Nifti.name, Nifti())
