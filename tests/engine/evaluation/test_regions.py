"""The dynamic region of CRUNet-MR, its complement, and regions from files."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from engine.core.errors import FormatError, InputError, ShapeError
from engine.evaluation.region_files import read_region
from engine.evaluation.regions import dynamic_region, region_by_name, static_region


@pytest.fixture
def beating():
    """Two slices of a still square with a disc that grows; the disc's rim is what moves. Complex, with a phase."""
    y, x = np.mgrid[:40, :50]
    frames = []
    for slice_index in range(2):
        for radius in (5, 6, 7, 6):
            frames.append(((np.hypot(y - 20, x - 20 - 5 * slice_index) < radius) * 2.0 + (x > 10)) * np.exp(1j * x / 9))
    return np.reshape(frames, (2, 4, 40, 50)).astype(np.complex64)


def test_dynamic_region_is_the_moving_rim(beating):
    region = dynamic_region(beating)
    y, x = np.mgrid[:40, :50]
    assert region.pixels.shape == (2, 40, 50)
    for index in range(2):
        radius = np.hypot(y - 20, x - 20 - 5 * index)
        assert np.array_equal(region.pixels[index], (radius >= 5) & (radius < 7))


def test_a_tenth_of_the_pixels_of_each_slice_is_dynamic(rng):
    images = rng.standard_normal((3, 8, 50, 40)).astype(np.complex64) * np.array([1, 10, 100]).reshape(3, 1, 1, 1)
    assert dynamic_region(images).pixels.sum(axis=(1, 2)).tolist() == [200, 200, 200]
    assert dynamic_region(images, 75).pixels.sum(axis=(1, 2)).tolist() == [500, 500, 500]


def test_it_looks_at_magnitude_only(beating):
    turning = beating * np.exp(1j * np.arange(4)).reshape(1, 4, 1, 1)
    assert np.array_equal(dynamic_region(turning).pixels, dynamic_region(beating).pixels)


def test_static_region_is_the_complement(beating):
    assert np.array_equal(static_region(beating).pixels, ~dynamic_region(beating).pixels)
    assert (static_region(beating).name, dynamic_region(beating).name) == ("static", "dynamic")


@pytest.mark.parametrize("find", [dynamic_region, static_region])
def test_single_frame(beating, find):
    with pytest.raises(InputError, match="a single frame does not move"):
        find(beating[:, :1])


def test_still_series(beating):
    with pytest.raises(InputError, match="nothing moves in slice 0"):
        dynamic_region(np.repeat(beating[:, :1], 4, axis=1))


def test_nan(beating):
    spoiled = beating.copy()
    spoiled[0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN or infinite"):
        dynamic_region(spoiled)


@pytest.mark.parametrize("percentile", [-1, 100, np.nan])
def test_impossible_percentile(beating, percentile):
    with pytest.raises(InputError, match=r"percentile .* is not possible"):
        dynamic_region(beating, percentile)


def test_images_of_three_axes(beating):
    with pytest.raises(ShapeError, match="reference has the wrong number of axes"):
        dynamic_region(beating[0])


@pytest.mark.shared
def test_on_the_porcine_heart_it_is_the_heart(shared):
    stack = np.load(shared / "data/pig-cine-sax-ep/sax_stack_uint16_z20_t20_256x256.npz")["images"]
    images = stack[10:11].astype(np.float32)
    region = dynamic_region(images).pixels[0]
    assert region.mean() == pytest.approx(0.1, abs=0.001)
    motion = images[0].std(axis=0)
    assert motion[region].min() > motion[~region].max() * (1 - 1e-6)
    # The heart is one place: half of the region lies within a fifth of the image.
    counts = region.reshape(8, 32, 8, 32).sum(axis=(1, 3)).ravel()
    assert np.sort(counts)[::-1][:13].sum() > 0.5 * counts.sum()


def test_names(beating):
    assert region_by_name("whole", beating) is None
    assert np.array_equal(region_by_name("dynamic", beating).pixels, dynamic_region(beating).pixels)
    assert np.array_equal(region_by_name("static", beating, 75).pixels, static_region(beating, 75).pixels)
    with pytest.raises(InputError, match="unknown region 'dynamix'"):
        region_by_name("dynamix", beating)


@pytest.fixture
def drawn(rng):
    return rng.random((2, 40, 50)) < 0.2


@pytest.mark.parametrize("kind", ["npy", "npz", "h5", "mat v5", "mat v7.3"])
def test_files(tmp_path, drawn, kind, beating):
    path = tmp_path / f"myocardium.{kind.split()[0]}"
    if kind == "npy":
        np.save(path, drawn)
    elif kind == "npz":
        np.savez(path, mask=drawn.astype(np.uint8) * 3, other=np.ones((4, 4)))
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["something"] = np.ones((5, 5))
            file["drawing"] = drawn
    elif kind == "mat v5":
        savemat(path, {"roi": np.moveaxis(drawn, 0, -1).astype(float)})
    else:
        with h5py.File(path, "w") as file:
            # MATLAB (y, x, slice) is shown as (slice, x, y).
            file["mask"] = np.swapaxes(drawn, 1, 2).astype(np.uint8)
    region = region_by_name(str(path), beating)
    assert np.array_equal(region.pixels, drawn)
    assert region.name == "myocardium"


def test_one_drawing_serves_all_slices(tmp_path, drawn):
    np.save(tmp_path / "roi.npy", drawn[0])
    assert np.array_equal(read_region(tmp_path / "roi.npy", (3, 40, 50)).pixels, np.stack([drawn[0]] * 3))


def test_file_of_another_matrix(tmp_path, drawn):
    np.save(tmp_path / "roi.npy", drawn)
    with pytest.raises(ShapeError, match=r"the region in roi.npy does not fit \(expected slice 2, y 40, x 51"):
        read_region(tmp_path / "roi.npy", (2, 40, 51))


def test_missing_file(tmp_path):
    with pytest.raises(FormatError, match="no such file"):
        read_region(tmp_path / "roi.npy", (2, 40, 50))


@pytest.mark.parametrize("name", ["roi.npy", "roi.npz", "roi.mat", "roi.h5"])
def test_damaged_file(tmp_path, name):
    (tmp_path / name).write_text("this is no array")
    with pytest.raises(FormatError, match=f"{name} cannot be read"):
        read_region(tmp_path / name, (2, 40, 50))


@pytest.mark.parametrize("name", ["roi.npy", "roi.npz", "roi.mat", "roi.h5"])
def test_file_that_ends_too_early(tmp_path, drawn, name):
    path = tmp_path / name
    if name == "roi.npy":
        np.save(path, drawn)
    elif name == "roi.npz":
        np.savez_compressed(path, roi=drawn)
    elif name == "roi.mat":
        savemat(path, {"roi": np.moveaxis(drawn, 0, -1).astype(np.uint8)}, do_compression=True)
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("roi", data=drawn, compression="gzip")
    whole = path.read_bytes()
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(FormatError, match=r"roi\.\w+ is (a )?(damaged|truncated)"):
            read_region(path, (2, 40, 50))


def test_region_in_a_group(tmp_path, drawn):
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["drawn/ROI"] = drawn
        file["drawn/other"] = ~drawn
    assert np.array_equal(read_region(tmp_path / "all.h5", (2, 40, 50)).pixels, drawn)


def test_file_without_a_region(tmp_path):
    np.savez(tmp_path / "roi.npz", name=np.array("heart"), line=np.arange(4))
    with pytest.raises(FormatError, match="holds no region"):
        read_region(tmp_path / "roi.npz", (2, 40, 50))


def test_file_with_nan(tmp_path):
    np.save(tmp_path / "roi.npy", np.full((40, 50), np.nan))
    with pytest.raises(FormatError, match="holds NaN"):
        read_region(tmp_path / "roi.npy", (2, 40, 50))
