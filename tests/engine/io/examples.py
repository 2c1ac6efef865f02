"""One good file for each format that is only read, written by hand; for the others the writer makes it.

A format of a new kind of file adds a builder here, or none when it writes.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import scipy.io

from engine.core.acquisition import WHOLE
from engine.core.geometry import Geometry
from engine.core.maps import FitRequest
from engine.core.records.entries import Content
from engine.core.types import ArrayReader, ImageSeries, Kind, KSpaceSeries, Reconstruction, SamplingMask
from engine.io import FORMATS, WriteOptions
from engine.io.contract import FOLDER
from tests.engine.io.builders import asymmetric, lines_mask, matlab_order, write_v73

# Oblique, no two sizes alike, off-centre: (x, y, slice) -> mm.
TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
AFFINE = np.vstack([np.column_stack([TURN * (1.25, 1.5, 8.0), (10.0, -20.0, 30.0)]), [0, 0, 0, 1]])
WHERE = Geometry.from_affine(AFFINE, 3, phase_encode="y", frame_of_reference="scanner")
TIMES = np.array([120.0, 1020.0, 1920.0, 200.0], np.float32)


def images():
    """Magnitude images (slice, frame, y, x) of a recovery, without any symmetry."""
    base = np.abs(asymmetric()[:, :, 0])
    t1 = 400 + base[:, :1] / base.max() * 900
    return (base[:, :1] * np.abs(1 - 1.9 * np.exp(-TIMES[:, None, None] / t1))).astype(np.float32)


def kspace_series():
    return KSpaceSeries(ArrayReader(asymmetric()), Kind.CINE, acquisition=WHOLE, geometry=WHERE, name="phantom")


def reconstruction():
    data = asymmetric()
    mask = SamplingMask(lines_mask()[None, :, None], "equispaced", 3.0, (3, 7), 5)
    return Reconstruction(data[:, :, 0], "cg_sense", (0, 1, 2), (0, 1, 2, 3), mask, Kind.CINE, geometry=WHERE)


def maps():
    from engine import api

    return api.fit_maps(images(), FitRequest(), times_ms=TIMES, kind=Kind.MOLLI, slices=(0, 1, 2), geometry=WHERE)


MAKERS = {
    Content.KSPACE: kspace_series,
    Content.IMAGES: lambda: ImageSeries(images(), Kind.MOLLI, TIMES, WHERE),
    Content.RECONSTRUCTION: reconstruction,
    Content.MAPS: maps,
}


def _nifti(folder):
    import nibabel

    nibabel.save(nibabel.Nifti1Image(images().transpose(3, 2, 0, 1), AFFINE), folder / "plain.nii.gz")
    return folder / "plain.nii.gz", images()


def _npz(folder):
    np.savez_compressed(folder / "a.npz", images=images(), axes="sfyx", times_ms=TIMES)
    return folder / "a.npz", images()


def _npy(folder):
    np.save(folder / "a.npy", images()[0, 0])
    return folder / "a.npy", images()[:1, :1]


def _mat(folder):
    scipy.io.savemat(folder / "plain.mat", {"images": images(), "axes": "sfyx"}, do_compression=True)
    return folder / "plain.mat", images()


def _hdf5(folder):
    with h5py.File(folder / "other.h5", "w") as file:
        file["images"], file["axes"] = images(), "sfyx"
    return folder / "other.h5", images()


def _cmrxrecon(folder):
    return write_v73(folder / "cine_sax.mat", "kspace_full", matlab_order(asymmetric())), asymmetric()


HAND_MADE = {"nifti": _nifti, "npz": _npz, "npy": _npy, "mat": _mat, "hdf5": _hdf5, "cmrxrecon": _cmrxrecon}


def write(one, content, folder: Path, ending: str) -> Path:
    """Write the example of ``content`` in a format; return what is opened to have it back."""
    target = folder / f"{one.name}-{content}{'' if ending == FOLDER else ending}"
    return one.write(MAKERS[content](), target, WriteOptions())


def example(name: str, folder: Path):
    """Return a good file of the format called ``name``, and its values when they are simple to compare (else None)."""
    if name in HAND_MADE:
        return HAND_MADE[name](folder)
    one = FORMATS.get(name)
    assert one.writes, f"a format that does not write needs an example in {__name__}"
    content, endings = next(iter(one.writes.items()))
    return write(one, content, folder, endings[0] if endings else FOLDER), None
