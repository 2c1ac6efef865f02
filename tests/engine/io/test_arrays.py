from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from engine.core.errors import FormatError, InputError, ShapeError
from engine.core.types import ImageSeries, Kind, KSpaceSeries
from engine.io import OpenOptions, open_series
from tests.engine.io.builders import asymmetric, lines_mask, write_v73

IMAGES = np.abs(asymmetric())[:, :, 0]  # (slice, frame, y, x)
KSPACE = asymmetric()


def save(path, array, **beside):
    """Write ``array`` so that the letters of --axes refer to its own order, whatever the format."""
    if path.suffix == ".npz":
        np.savez(path, images=array, **beside)
    elif path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["images"] = array
            for name, value in beside.items():
                file[name] = value
    elif path.stem == "v73":
        write_v73(path, "images", array)
        for name, value in beside.items():
            write_v73(path, name, np.atleast_2d(np.asarray(value, np.float64)), single=False)
    else:
        scipy.io.savemat(path, {"images": array, **beside})
    return path


FILES = ("a.npz", "a.npy", "a.h5", "v5.mat", "v73.mat")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("letters", ["sfyx", "xysf", "fsxy", "yxfs"])
def test_images_in_any_axis_order(tmp_path, name, letters):
    stored = IMAGES.transpose(["sfyx".index(letter) for letter in letters])
    series = open_series(save(tmp_path / name, stored), OpenOptions(axes=letters, kind="cine"))
    assert isinstance(series, ImageSeries)
    assert series.images.dtype == np.float32
    assert series.kind is Kind.CINE
    np.testing.assert_array_equal(series.images, IMAGES)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("letters", ["sfcyx", "xycsf", "cyxfs"])
def test_kspace_in_any_axis_order(tmp_path, name, letters):
    stored = KSPACE.transpose(["sfcyx".index(letter) for letter in letters])
    series = open_series(save(tmp_path / name, stored), OpenOptions(axes=letters, key="a" if name == "a.npy" else None))
    assert isinstance(series, KSpaceSeries)
    for index in range(3):
        np.testing.assert_array_equal(series.read(index), KSPACE[index])
    found = series.reader.read_frame(1, 2)
    np.testing.assert_array_equal(found, KSPACE[1, 2])
    assert found.flags.c_contiguous
    assert series.fully_sampled


@pytest.mark.parametrize("name", FILES)
def test_missing_axes_get_length_one(tmp_path, name):
    series = open_series(save(tmp_path / name, IMAGES[0, 0]))
    np.testing.assert_array_equal(series.images, IMAGES[:1, :1])
    (tmp_path / name).unlink()
    cyx = open_series(save(tmp_path / name, KSPACE[0, 0]), OpenOptions(axes="CYX"))
    np.testing.assert_array_equal(cyx.read(0), KSPACE[0, :1])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("letters", ["yxsf", "yxfs"])
def test_one_slice_or_one_frame_beside_the_last_axis(tmp_path, name, letters):
    """Axes of length 1 may stand anywhere, the last two places included."""
    stored = IMAGES[:1].transpose(["sfyx".index(letter) for letter in letters])
    series = open_series(save(tmp_path / name, stored), OpenOptions(axes=letters))
    np.testing.assert_array_equal(series.images, IMAGES[:1])


def test_vectors_are_no_images(tmp_path):
    for array in (np.float64(3), np.arange(4.0), np.ones((1, 1, 5))):
        with pytest.raises(FormatError, match="holds no images or k-space"):
            open_series(save(tmp_path / "a.npy", array))


def test_references_and_words_beside_the_images(tmp_path):
    with h5py.File(save(tmp_path / "a.h5", IMAGES), "a") as file:
        file.create_dataset("one", data=file["images"].ref, dtype=h5py.ref_dtype)
        file.create_dataset("ragged", data=np.array([np.arange(3), np.arange(2)], object), dtype=h5py.vlen_dtype("i4"))
        file["axes"] = "sfyx"
    np.testing.assert_array_equal(open_series(tmp_path / "a.h5").images, IMAGES)
    assert open_series(save(tmp_path / "a.npz", IMAGES, axes="sfyx", voxel_mm="8 mm")).voxel_mm is None


def test_complex_images_stay_complex(tmp_path):
    series = open_series(save(tmp_path / "a.npz", KSPACE[:, :, 0]), OpenOptions(axes="sfyx"))
    assert series.images.dtype == np.complex64
    np.testing.assert_array_equal(series.images, KSPACE[:, :, 0])


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f8", ">i2", "?"])
def test_number_types(tmp_path, dtype):
    array = (np.arange(3 * 4 * 5 * 6) % 100).reshape(3, 4, 5, 6).astype(dtype)
    series = open_series(save(tmp_path / "a.npz", array), OpenOptions(axes="sfyx"))
    np.testing.assert_array_equal(series.images, array.astype(np.float32))


def test_wrapped_int16_is_read_as_uint16(tmp_path, rng):
    true = rng.integers(0, 32768, (1, 2, 60, 60)).astype(np.uint16)
    true[0, 0, :3, :3] = 40000
    series = open_series(save(tmp_path / "a.npz", true.view(np.int16)), OpenOptions(axes="sfyx"))
    np.testing.assert_array_equal(series.images, true.astype(np.float32))
    assert series.notes == ("9 values were stored as negative int16 and read as uint16",)


def test_signed_int16_stays_signed(tmp_path, rng):
    true = rng.integers(-2000, 2000, (1, 2, 20, 20)).astype(np.int16)
    np.testing.assert_array_equal(open_series(save(tmp_path / "a.npz", true), OpenOptions(axes="sfyx")).images, true)


@pytest.mark.parametrize("name", ["a.npz", "a.h5", "v5.mat", "v73.mat"])
@pytest.mark.parametrize(
    ("key", "kind"), [("TI_ms", Kind.MOLLI), ("TE_ms", Kind.T2PREP), ("trigger_ms", Kind.CINE), ("times_ms", Kind.UNKNOWN)]
)
def test_times_beside_the_images(tmp_path, name, key, kind):
    times = np.array([100.0, 180.0, 260.0, 1245.0])
    series = open_series(save(tmp_path / name, IMAGES, **{key: times}), OpenOptions(axes="sfyx"))
    np.testing.assert_array_equal(series.times_ms, [times] * 3)
    assert series.kind is kind


def test_three_axes_are_told_by_the_number_of_times(tmp_path):
    first = open_series(save(tmp_path / "a.npz", IMAGES[0], TI_ms=np.arange(4.0)))
    np.testing.assert_array_equal(first.images, IMAGES[:1])
    last = open_series(save(tmp_path / "b.npz", IMAGES[0].transpose(1, 2, 0)), OpenOptions(times_ms=(1.0, 2.0, 3.0, 4.0)))
    np.testing.assert_array_equal(last.images, IMAGES[:1])


def test_times_without_a_unit_are_not_used(tmp_path):
    series = open_series(save(tmp_path / "a.npz", IMAGES, TI=np.arange(4.0)), OpenOptions(axes="sfyx"))
    assert series.times_ms is None
    assert any("unit of the times in ti" in word for word in series.unknown)


def test_times_that_do_not_fit_are_said(tmp_path):
    series = open_series(save(tmp_path / "a.npz", IMAGES, TI_ms=np.arange(7.0)), OpenOptions(axes="sfyx"))
    assert series.times_ms is None
    assert "times in the file were not used" in series.notes[0]


def test_voxel_size_kind_and_axes_beside_the_images(tmp_path):
    stored = IMAGES.transpose(3, 2, 0, 1)
    series = open_series(save(tmp_path / "a.npz", stored, axes="xysf", kind="molli", voxel_mm=[8, 1.5, 1.25]))
    np.testing.assert_array_equal(series.images, IMAGES)
    assert (series.kind, series.voxel_mm) == (Kind.MOLLI, (8.0, 1.5, 1.25))
    mat = open_series(save(tmp_path / "v5.mat", stored, axes="xysf", kind="molli", pixel_mm=[1.5, 1.25], slice_mm=8.0))
    np.testing.assert_array_equal(mat.images, IMAGES)
    assert (mat.kind, mat.voxel_mm) == (Kind.MOLLI, (8.0, 1.5, 1.25))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("array", [IMAGES, IMAGES[0]], ids=["4-D", "3-D"])
def test_axes_that_are_not_known_are_asked_for(tmp_path, name, array):
    with pytest.raises(
        ShapeError, match=rf"the axes of \w+ are not known \(expected one letter for each of {array.ndim} axes"
    ) as caught:
        open_series(save(tmp_path / name, array))
    assert f"--axes {'sfyx'[4 - array.ndim :] if array.ndim == 4 else 'fyx'}" in caught.value.hint


@pytest.mark.parametrize("letters", ["sfyq", "sfyy", "sfcy"])
def test_letters_that_mean_nothing(tmp_path, letters):
    with pytest.raises(InputError, match=f"--axes {letters} cannot be understood"):
        open_series(save(tmp_path / "a.npz", IMAGES), OpenOptions(axes=letters))


def test_letters_of_another_number(tmp_path):
    with pytest.raises(ShapeError, match="expected 3 letters / found 5") as caught:
        open_series(save(tmp_path / "a.npz", KSPACE[0, 0]), OpenOptions(axes="sfcyx"))
    assert "--axes" in caught.value.hint


def test_keys(tmp_path):
    np.savez(tmp_path / "a.npz", first=IMAGES, second=IMAGES * 2, pixel_mm=[1.0, 1.0])
    with pytest.raises(FormatError, match=r"several arrays \(found first \(3, 4, 9, 8\) float32, second") as caught:
        open_series(tmp_path / "a.npz", OpenOptions(axes="sfyx"))
    assert "--key first" in caught.value.hint
    found = open_series(tmp_path / "a.npz", OpenOptions(axes="sfyx", key="second"))
    np.testing.assert_array_equal(found.images, IMAGES * 2)
    with pytest.raises(FormatError, match=r"no array 'third' \(found first"):
        open_series(tmp_path / "a.npz", OpenOptions(key="third"))
    np.savez(tmp_path / "b.npz", times=np.arange(3))
    with pytest.raises(FormatError, match="holds no images or k-space"):
        open_series(tmp_path / "b.npz")


def test_real_kspace_words_nan_and_empty_arrays_are_refused(tmp_path):
    with pytest.raises(FormatError, match="is not k-space"):
        open_series(save(tmp_path / "a.npz", KSPACE.real), OpenOptions(axes="sfcyx"))
    with pytest.raises(FormatError, match="does not hold numbers"):
        open_series(save(tmp_path / "b.npz", np.full((3, 4), "x")))
    bad = IMAGES.copy()
    bad[0, 0, 0, :2] = np.nan
    with pytest.raises(InputError, match="holds 2 values that are NaN"):
        open_series(save(tmp_path / "c.npz", bad), OpenOptions(axes="sfyx"))
    with pytest.raises(ShapeError, match="is empty"):
        open_series(save(tmp_path / "d.npz", np.zeros((0, 4, 9, 8))), OpenOptions(axes="sfyx"))


def test_undersampled_arrays_carry_their_mask(tmp_path):
    series = open_series(save(tmp_path / "a.npy", KSPACE * lines_mask()[:, None]), OpenOptions(axes="sfcyx"))
    np.testing.assert_array_equal(series.acquisition.mask().lines[0, :, 0], lines_mask())


def test_numpy_kspace_stays_on_disk(tmp_path):
    series = open_series(save(tmp_path / "a.npy", KSPACE), OpenOptions(axes="sfcyx"))
    assert isinstance(series.reader._view.base, np.memmap) or isinstance(series.reader._view, np.memmap)


def test_raw_data_of_another_format_are_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["dataset/data"] = np.zeros(3)
        file["dataset/xml"] = "<ismrmrdHeader/>"
    with pytest.raises(FormatError, match="ISMRMRD"):
        open_series(tmp_path / "a.h5")


@pytest.mark.shared
def test_real_files(shared):
    data = shared / "data"
    kidney = open_series(data / "kidney-molli-mdreg" / "molli_kidney.npz", OpenOptions(axes="xysf"))
    assert kidney.shape == (2, 8, 256, 256)
    assert kidney.times_ms[0].tolist() == [118, 201, 1118, 1201, 2118, 2201, 3118, 4118]
    assert kidney.images.min() == 0
    brain = open_series(data / "brain-8ch-poisson-sigpy" / "cartesian_ksp.npy", OpenOptions(axes="cyx"))
    assert brain.shape == (1, 1, 8, 230, 180)
    assert not brain.acquisition.mask().is_cartesian_1d
    phantom = open_series(data / "molli-phantom-myomapnet" / "demo_Phantom.mat", OpenOptions(key="MOLLIoffLineT1Map", axes="syx"))
    assert phantom.images.max() == pytest.approx(28.946, abs=1e-3)
    with pytest.raises(FormatError, match="ISMRMRD"):
        open_series(data / "ismrmrd-minimal-sim" / "acqDataBrainSim100.h5")


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.h5"])
def test_values_beyond_single_precision_are_said_once(tmp_path, name):
    """They become infinite and are refused as that; no warning comes between (warnings are errors here)."""
    images, kspace = IMAGES.astype(np.float64), KSPACE.astype(np.complex128)
    images.flat[3] = kspace.flat[3] = 1e300
    save(tmp_path / name, images)
    with pytest.raises(InputError, match="holds 1 values that are NaN or infinite"):
        open_series(tmp_path / name, OpenOptions(axes="sfyx"))
    save(tmp_path / name, kspace)
    series = open_series(tmp_path / name, OpenOptions(axes="sfcyx"))
    with pytest.raises(InputError, match="k-space of slice 0 holds 1 values that are NaN or infinite"):
        series.read(0)
