from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections import namedtuple

import h5py
import numpy as np
import pytest

from engine.core.errors import Cancelled, FormatError, InputError, OutputError, ShapeError
from engine.core.geometry import Geometry
from engine.core.jobs import CancelToken, Reporter
from engine.core.types import (
    Acquisition,
    ArrayReader,
    Evidence,
    ImageSeries,
    Kind,
    KSpaceSeries,
    Reconstruction,
    SamplingMask,
    Window,
)
from engine.io import OpenOptions, open_series
from engine.io.myoscope_h5 import read_reconstruction, read_truth, write_kspace, write_reconstruction
from tests.engine.io.builders import asymmetric, lines_mask


def make_series(**changes):
    fields = {
        "reader": ArrayReader(asymmetric()),
        "kind": Kind.MOLLI,
        "times_ms": np.arange(12.0).reshape(3, 4) * 100,
        "geometry": Geometry(voxel_mm=(8.0, 1.5, 1.25)),
        "acquisition": Acquisition((SamplingMask(lines_mask()[None, :, None], "equispaced", 3.0, (3, 7), 5),), Evidence.TOLD),
        "notes": ("simulated coils", "phantom"),
        "unknown": ("orientation",),
        "attributes": {"rr_ms": 900, "scheme": "5(3)3", "list": [1, 2]},
    }
    return KSpaceSeries(**{**fields, **changes})


def make_reconstruction():
    k = asymmetric()
    return Reconstruction(
        image=k[:, :, 0],
        method="cg_sense",
        slices=(0, 2, 4),
        frames=(1, 2, 3, 5),
        mask=SamplingMask(np.eye(9, dtype=bool)[None, :, :8].repeat(4, 0), "kt_radial", 8.0, None, 3),
        kind=Kind.CINE,
        times_ms=np.arange(12.0).reshape(3, 4),
        geometry=Geometry(voxel_mm=(8.0, 1.5, 1.25)),
        reference=k[:, :, 1],
        stages={"image": k[None, :, :, 2].repeat(3, 0), "low_rank": k[None, :, :, 3]},
        weights="jotlasnet-1",
        seconds=1.5,
        peak_mib=120.0,
        notes=("simulated coils",),
        provenance={"method": "cg_sense", "software": {"myoscope": "0"}, "normalisation": 2.5},
    )


def test_kspace_round_trip_keeps_everything(tmp_path):
    series = make_series()
    write_kspace(tmp_path / "k.h5", series)
    found = open_series(tmp_path / "k.h5")
    assert isinstance(found, KSpaceSeries)
    assert found.reader._raw  # contiguous: read past the library
    for index in range(3):
        np.testing.assert_array_equal(found.read(index), series.read(index))
    np.testing.assert_array_equal(found.times_ms, series.times_ms)
    np.testing.assert_array_equal(found.acquisition.mask().lines, series.acquisition.mask().lines)
    mask = found.acquisition.mask()
    assert (mask.pattern, mask.nominal_acceleration, mask.acs, mask.seed) == (
        "equispaced",
        3.0,
        (3, 7),
        5,
    )
    assert (found.kind, found.voxel_mm, found.notes, found.unknown) == (series.kind, series.voxel_mm, series.notes, series.unknown)
    assert found.attributes["scheme"] == "5(3)3"
    assert found.attributes["provenance"]["software"]["myoscope"]
    assert (found.name, found.format) == ("k", "myoscope_h5")


def test_kspace_round_trip_without_optional_fields(tmp_path):
    write_kspace(tmp_path / "k.h5", KSpaceSeries(ArrayReader(asymmetric())))
    found = open_series(tmp_path / "k.h5")
    assert (found.kind, found.times_ms, found.voxel_mm, found.acquisition.mask()) == (Kind.UNKNOWN, None, None, None)
    assert (found.notes, found.unknown) == ((), ())
    assert found.fully_sampled


def test_kspace_opens_without_our_code(tmp_path):
    write_kspace(tmp_path / "k.h5", make_series())
    with h5py.File(tmp_path / "k.h5") as file:
        assert file["kspace"].dtype == np.complex64
        assert file["kspace"].chunks is None
        np.testing.assert_array_equal(file["kspace"][()], asymmetric())
        assert file["mask"].dtype == bool
        assert file.attrs["kind"] == "molli"
        assert json.loads(file.attrs["provenance"])["use"] == "research use only"


def test_kspace_is_written_slice_by_slice_with_progress(tmp_path):
    seen = []
    write_kspace(tmp_path / "k.h5", make_series(), report=Reporter(lambda p: seen.append(p.fraction)))
    assert seen[-1] == 1.0


def test_truth_round_trip(tmp_path):
    truth = {"t1_ms": np.full((3, 9, 8), 1400.0, np.float32), "labels": {"tissue": np.arange(6), "names": "a,b"}, "field_t": 3.0}
    write_kspace(tmp_path / "k.h5", make_series(), truth)
    found = read_truth(tmp_path / "k.h5")
    np.testing.assert_array_equal(found["t1_ms"], truth["t1_ms"])
    np.testing.assert_array_equal(found["labels"]["tissue"], np.arange(6))
    assert found["labels"]["names"] == "a,b"
    assert found["field_t"] == 3.0


def test_cancelled_writing_leaves_the_old_file(tmp_path):
    (tmp_path / "k.h5").write_bytes(b"old")
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        write_kspace(tmp_path / "k.h5", make_series(), report=Reporter(token=token))
    assert (tmp_path / "k.h5").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["k.h5"]


def test_nan_is_not_written(tmp_path):
    bad = asymmetric().copy()
    bad[1, 0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="slice 1 holds 1 values that are NaN"):
        write_kspace(tmp_path / "k.h5", KSpaceSeries(ArrayReader(bad)))
    assert list(tmp_path.iterdir()) == []


def test_missing_folder(tmp_path):
    with pytest.raises(OutputError, match="does not exist") as caught:
        write_kspace(tmp_path / "no" / "k.h5", make_series())
    assert "folder" in caught.value.hint


def test_full_disk_is_said_before_writing(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1000))
    for write in (
        lambda: write_kspace(tmp_path / "k.h5", make_series()),
        lambda: write_reconstruction(tmp_path / "r.h5", make_reconstruction()),
    ):
        with pytest.raises(OutputError, match=r"the disk is full \(expected \d+\.\d MiB free / found 0\.0\)"):
            write()
    assert list(tmp_path.iterdir()) == []


def test_full_disk_while_writing(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(h5py.Dataset, "__setitem__", refuse)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        write_kspace(tmp_path / "k.h5", make_series())
    assert "space" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_writing_past_a_limit_of_the_system_is_an_output_error(tmp_path):
    """The library itself meets the error here, in a process of its own whose files may not grow past 64 KiB."""
    code = """
import resource, signal, sys
import numpy as np
from engine.core.errors import OutputError
from engine.core.types import ArrayReader, KSpaceSeries
from engine.io.myoscope_h5 import write_kspace
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    write_kspace(sys.argv[1], KSpaceSeries(ArrayReader(np.ones((2, 3, 4, 90, 80), np.complex64))))
except OutputError as error:
    print("OutputError", error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "k.h5")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OutputError cannot write")
    assert list(tmp_path.iterdir()) == []


def test_defects_while_reading_the_source_are_not_called_output_errors(tmp_path):
    class Broken(ArrayReader):
        def read(self, slice_index):
            raise RuntimeError(f"a defect in slice {slice_index}")

    with pytest.raises(RuntimeError, match="a defect"):
        write_kspace(tmp_path / "k.h5", KSpaceSeries(Broken(asymmetric())))
    assert list(tmp_path.iterdir()) == []


def test_reconstruction_round_trip_keeps_everything(tmp_path):
    made = make_reconstruction()
    write_reconstruction(tmp_path / "r.h5", made)
    found = read_reconstruction(tmp_path / "r.h5")
    np.testing.assert_array_equal(found.image, made.image)
    np.testing.assert_array_equal(found.reference, made.reference)
    np.testing.assert_array_equal(found.mask.lines, made.mask.lines)
    np.testing.assert_array_equal(found.times_ms, made.times_ms)
    assert set(found.stages) == {"image", "low_rank"}
    for name, stack in made.stages.items():
        np.testing.assert_array_equal(found.stages[name], stack)
    for field in ("method", "slices", "frames", "kind", "voxel_mm", "weights", "seconds", "peak_mib", "notes", "provenance"):
        assert getattr(found, field) == getattr(made, field), field
    assert (found.mask.pattern, found.mask.nominal_acceleration, found.mask.seed) == ("kt_radial", 8.0, 3)


def test_reconstruction_has_the_documented_datasets(tmp_path):
    write_reconstruction(tmp_path / "r.h5", make_reconstruction())
    with h5py.File(tmp_path / "r.h5") as file:
        assert file["image"].shape == (3, 4, 9, 8)
        assert file["image"].dtype == np.complex64
        assert file["mask"].shape == (4, 9, 8)
        assert file["stages"].shape == (3, 3, 4, 9, 8)
        assert file["reference"].shape == (3, 4, 9, 8)
        assert {"provenance", "kind", "times_ms", "voxel_mm"} <= set(file.attrs)


def test_reconstruction_opens_as_complex_images(tmp_path):
    made = make_reconstruction()
    write_reconstruction(tmp_path / "r.h5", made)
    found = open_series(tmp_path / "r.h5")
    assert isinstance(found, ImageSeries)
    np.testing.assert_array_equal(found.images, made.image)
    assert found.attributes["acceleration"]["nominal"] == 8.0
    assert found.attributes["method"] == "cg_sense"


def test_long_provenance_does_not_hit_the_limit_of_attributes(tmp_path):
    made = make_reconstruction()
    long = {"command": ["x" * 1000] * 100}
    write_reconstruction(
        tmp_path / "r.h5",
        Reconstruction(made.image, "x", made.slices, made.frames, made.mask, provenance=long),
    )
    assert read_reconstruction(tmp_path / "r.h5").provenance == long


def test_kspace_is_not_a_reconstruction(tmp_path):
    write_kspace(tmp_path / "k.h5", make_series())
    with pytest.raises(FormatError, match="is not a reconstruction"):
        read_reconstruction(tmp_path / "k.h5")
    with pytest.raises(FormatError, match="does not exist"):
        read_reconstruction(tmp_path / "no.h5")


def test_kspace_with_three_axes_is_refused(tmp_path):
    with h5py.File(tmp_path / "k.h5", "w") as file:
        file["kspace"] = np.ones((4, 9, 8), np.complex64)
        file.attrs["kind"] = "cine"
    with pytest.raises(ShapeError, match=r"expected 5: slice, frame, coil, ky, kx / found 3: \(4, 9, 8\)"):
        open_series(tmp_path / "k.h5")


def test_images_that_are_not_complex_are_refused(tmp_path):
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file["image"] = np.ones((1, 4, 9, 8), np.float32)
        file["mask"] = np.ones((1, 9, 1), bool)
        file.attrs["myoscope_format"] = 1
    with pytest.raises(ShapeError, match="is not a series of images"):
        read_reconstruction(tmp_path / "r.h5")


def test_other_programs_images_beside_a_mask_are_plain_arrays(tmp_path):
    images = np.arange(216.0, dtype=np.float32).reshape(3, 9, 8)
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file["image"] = images
        file["mask"] = np.ones((9, 8), bool)
    np.testing.assert_array_equal(open_series(tmp_path / "r.h5", OpenOptions(axes="fyx")).images[0], images)
    with pytest.raises(FormatError, match="expected a complex dataset image and one called mask / found image, mask"):
        read_reconstruction(tmp_path / "r.h5")


def test_options_go_before_the_file(tmp_path):
    write_kspace(tmp_path / "k.h5", make_series())
    found = open_series(tmp_path / "k.h5", OpenOptions(kind="t2prep", times_ms=(0.0, 25.0, 35.0, 55.0)))
    assert found.kind is Kind.T2PREP
    np.testing.assert_array_equal(found.times_ms, [[0, 25, 35, 55]] * 3)
    with pytest.raises(ShapeError, match="expected 4 times, one for each frame / found 2"):
        open_series(tmp_path / "k.h5", OpenOptions(times_ms=(0.0, 25.0)))
    with pytest.raises(InputError, match="unknown kind of series 'cin'") as caught:
        open_series(tmp_path / "k.h5", OpenOptions(kind="cin"))
    assert caught.value.hint == "Did you mean cine?"


def test_other_arrays_of_our_files_are_reached_by_name_and_wrong_names_are_not_ignored(tmp_path):
    maps = np.arange(72.0, dtype=np.float32).reshape(9, 8)
    write_kspace(tmp_path / "k.h5", make_series(), truth={"t1_ms": maps})
    assert isinstance(open_series(tmp_path / "k.h5", OpenOptions(key="kspace")), KSpaceSeries)
    found = open_series(tmp_path / "k.h5", OpenOptions(key="truth/t1_ms"))
    assert isinstance(found, ImageSeries)
    np.testing.assert_array_equal(found.images[0, 0], maps)
    for wrong in ("kspac", "image"):
        with pytest.raises(FormatError, match=f"has no array '{wrong}'"):
            open_series(tmp_path / "k.h5", OpenOptions(key=wrong))
    with pytest.raises(InputError, match="tells its axes itself"):
        open_series(tmp_path / "k.h5", OpenOptions(axes="sfcyx"))


def test_what_was_measured_comes_back_whole(tmp_path, rng):
    lines = rng.random((3, 4, 9, 8)) < 0.5
    lines[:, :, 4] = True
    noise = np.eye(5) + 0.1j * (np.eye(5, k=1) - np.eye(5, k=-1))
    masks = tuple(SamplingMask(one, "acquired", 2.0) for one in lines)
    made = Acquisition(masks, Evidence.WHOLE, Window((1, 9), (2, 8)), (4.5, 3.0), (1.0, 2.0), noise)
    write_kspace(tmp_path / "k.h5", make_series(acquisition=made))
    found = open_series(tmp_path / "k.h5").acquisition
    assert found.varies_by_slice
    np.testing.assert_array_equal(np.stack([mask.lines for mask in found.masks]), lines)
    for field in ("evidence", "window", "centre", "oversampling"):
        assert getattr(found, field) == getattr(made, field)
    np.testing.assert_array_equal(found.noise, made.noise)
    assert found.effective_acceleration == pytest.approx(made.effective_acceleration)


@pytest.mark.parametrize("frames", [(1, 1, 1), (1, 4, 1)])
def test_masks_of_slices_may_have_other_lengths(tmp_path, frames):
    lines = lines_mask()[None, :, None]
    masks = [SamplingMask(np.roll(np.repeat(lines, count, 0), n, 1), "acquired") for n, count in enumerate(frames)]
    write_kspace(tmp_path / "k.h5", make_series(acquisition=Acquisition(tuple(masks), Evidence.TOLD)))
    found = open_series(tmp_path / "k.h5").acquisition
    for index, mask in enumerate(masks):
        np.testing.assert_array_equal(*np.broadcast_arrays(found.mask((index,)).lines, mask.lines))
    with pytest.raises(InputError, match="different masks"):
        found.mask()


def test_a_file_made_by_hand_is_not_known_to_be_fully_sampled(tmp_path):
    with h5py.File(tmp_path / "k.h5", "w") as file:
        file["kspace"] = asymmetric()
        file.attrs["kind"] = "cine"
    found = open_series(tmp_path / "k.h5").acquisition
    assert (found.fully_sampled, found.certain) == (True, False)
    write_kspace(tmp_path / "o.h5", make_series(acquisition=Acquisition(evidence=Evidence.PART)))
    assert open_series(tmp_path / "o.h5").acquisition.evidence is Evidence.PART


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("acquired_ky", (3, 2)),
        ("acquired_ky", (0, 99)),
        ("acquired_ky", "all"),
        ("kspace_centre", (1.0, 2.0, 3.0)),
        ("oversampling", (0.0, 1.0)),
    ],
)
def test_impossible_attributes_are_refused_in_words(tmp_path, name, value):
    write_kspace(tmp_path / "k.h5", make_series(acquisition=Acquisition(window=Window((0, 9), (0, 8)))))
    with h5py.File(tmp_path / "k.h5", "a") as file:
        file.attrs[name] = value
    with pytest.raises((InputError, ShapeError)) as caught:
        open_series(tmp_path / "k.h5")
    assert caught.value.hint
