from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from engine.core.errors import FormatError, ShapeError
from engine.core.records.entries import Entry
from engine.core.types import Evidence, ImageSeries, Kind, Window
from engine.io import FORMATS, OpenOptions, open_series
from engine.io.cmrxrecon_names import nominal_of
from tests.engine.io.builders import asymmetric, lines_mask, matlab_order, write_v73

TRUTH = asymmetric()


def write_v5(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, arrays, do_compression=True)
    return path


def check(series, truth):
    assert series.format == "cmrxrecon"
    assert series.shape == truth.shape
    for index in range(truth.shape[0]):
        np.testing.assert_array_equal(series.read(index), truth[index])
    np.testing.assert_array_equal(series.reader.read_frame(1, 0), truth[1, 0])


@pytest.mark.parametrize("single", [True, False], ids=["float32", "float64"])
@pytest.mark.parametrize("container", ["7.3", "5"])
@pytest.mark.parametrize("key", ["kspace_full", "kspace", "KSPACE", "some_other_name"])
def test_full_multi_coil(tmp_path, container, single, key):
    path = tmp_path / "FullSample" / "P001" / "cine_sax.mat"
    if container == "7.3":
        write_v73(path, key, matlab_order(TRUTH), single)
    else:
        write_v5(path, **{key: matlab_order(TRUTH).astype(np.complex64 if single else np.complex128)})
    series = open_series(path)
    check(series, TRUTH)
    assert series.fully_sampled
    assert series.kind is Kind.CINE
    assert series.attributes["matlab_version"] == container
    assert {"orientation", "voxel size", "slice gap"} <= set(series.unknown)
    assert series.times_ms is None


def test_sizes_alone_never_decide_the_axes(tmp_path):
    """A cube: only the container tells what is what."""
    cube = asymmetric(5, 5, 5, 5, 5)
    check(open_series(write_v73(tmp_path / "cine_sax.mat", "kspace_full", matlab_order(cube))), cube)
    check(open_series(write_v5(tmp_path / "cine_lax.mat", kspace_full=matlab_order(cube))), cube)


@pytest.mark.parametrize(("key", "folder"), [("kspace_single_full", "x"), ("kspace_full", "SingleCoil")])
@pytest.mark.parametrize("container", ["7.3", "5"])
def test_single_coil(tmp_path, key, folder, container):
    truth = asymmetric(coils=1)
    array = matlab_order(truth)[:, :, 0]
    path = tmp_path / folder / "cine_sax.mat"
    series = open_series(write_v73(path, key, array) if container == "7.3" else write_v5(path, **{key: array}))
    check(series, truth)
    assert "single-coil data" in series.notes


def test_static_modalities_have_one_frame(tmp_path):
    truth = asymmetric(frames=1)
    series = open_series(write_v73(tmp_path / "blackblood.mat", "kspace_full", matlab_order(truth)[..., 0]))
    check(series, truth)
    assert series.kind is Kind.UNKNOWN


def test_four_axes_that_are_not_known_are_asked_for(tmp_path):
    truth = asymmetric(coils=1)
    path = write_v73(tmp_path / "cine_sax.mat", "kspace_full", matlab_order(truth)[:, :, 0])
    with pytest.raises(ShapeError, match=r"expected 5: kx, ky, coil, slice, time / found 4: \(8, 9, 3, 4\)") as caught:
        open_series(path)
    assert "--axes xysf" in caught.value.hint
    check(open_series(path, OpenOptions(axes="xysf")), truth)


def test_three_axes_are_refused(tmp_path):
    path = write_v73(tmp_path / "cine_sax.mat", "kspace_full", matlab_order(TRUTH)[..., 0, 0])
    with pytest.raises(ShapeError, match=r"expected 5.*found 3") as caught:
        open_series(path)
    assert "--axes xyc " in caught.value.hint
    np.testing.assert_array_equal(open_series(path, OpenOptions(axes="xyc")).read(0), TRUTH[:1, 0][0][None])


@pytest.mark.parametrize(
    ("key", "rate"), [("kspace_sub04", 4), ("kspace_sub08", 8), ("kspace_sub10", 10), ("kspace_single_sub04", 4)]
)
def test_2023_undersampled_with_mask(tmp_path, key, rate):
    single = "single" in key
    truth = asymmetric(coils=1 if single else 5)
    lines = lines_mask()
    under = truth * lines[:, None]
    folder = tmp_path / ("SingleCoil" if single else "MultiCoil") / f"AccFactor{rate:02d}" / "P001"
    array = matlab_order(under)
    write_v73(folder / "cine_sax.mat", key, array[:, :, 0] if single else array)
    write_v73(folder / "cine_sax_mask.mat", f"mask{rate:02d}", np.tile(lines.astype(np.float64), (8, 1)), single=False)
    series = open_series(folder / "cine_sax.mat")
    check(series, under)
    assert not series.fully_sampled
    assert series.acquisition.mask().lines.shape == (1, 9, 1)
    np.testing.assert_array_equal(series.acquisition.mask().lines[0, :, 0], lines)
    assert series.acquisition.mask().nominal_acceleration == rate
    assert series.acquisition.mask().effective_acceleration == pytest.approx(9 / lines.sum())
    assert series.acquisition.mask().acs == (3, 7)


@pytest.mark.parametrize("container", ["7.3", "5"])
def test_2024_radial_mask_keeps_its_readout_direction(tmp_path, container, rng):
    mask = rng.random((4, 9, 8)) > 0.6  # (frame, ky, kx)
    mask[:, 2:7, 2:7] = True
    under = TRUTH * mask[:, None]
    data = tmp_path / "Cine" / "ValidationSet" / "UnderSample_Task2" / "P007" / "cine_lax_kus_ktRadial8.mat"
    there = tmp_path / "Cine" / "ValidationSet" / "Mask_Task2" / "P007" / "cine_lax_mask_ktRadial8.mat"
    stored = mask.transpose(2, 1, 0).astype(np.float64)
    if container == "7.3":
        write_v73(data, "kus", matlab_order(under))
        write_v73(there, "mask", stored, single=False)
    else:
        write_v5(data, kus=matlab_order(under))
        write_v5(there, mask=stored)
    series = open_series(data)
    check(series, under)
    np.testing.assert_array_equal(series.acquisition.mask().lines, mask)
    assert not series.acquisition.mask().is_cartesian_1d
    assert series.acquisition.mask().nominal_acceleration == 8
    assert series.kind is Kind.CINE


@pytest.mark.parametrize("per_frame", [False, True])
def test_mask_is_found_in_the_zeros_when_no_file_tells(tmp_path, per_frame, rng):
    lines = rng.random((4, 9)) > 0.5
    lines[:, 3:7] = True
    lines[0] = lines_mask()
    if not per_frame:
        lines[:] = lines_mask()
    under = TRUTH * lines[:, None, :, None]
    series = open_series(write_v73(tmp_path / "cine_sax_kus_Uniform8.mat", "kus", matlab_order(under)))
    assert series.acquisition.mask().lines.shape == (4 if per_frame else 1, 9, 1)
    np.testing.assert_array_equal(np.broadcast_to(series.acquisition.mask().lines[..., 0], (4, 9)), lines)
    assert series.acquisition.mask().nominal_acceleration == 8
    assert series.acquisition.mask().pattern == "acquired"
    assert any("zeros of slice 0" in note for note in series.notes)


def test_unnamed_undersampling_is_noticed(tmp_path):
    under = TRUTH * lines_mask()[:, None]
    series = open_series(write_v73(tmp_path / "cine_sax.mat", "kspace", matlab_order(under)))
    np.testing.assert_array_equal(series.acquisition.mask().lines[0, :, 0], lines_mask())


def test_partial_fourier_is_not_undersampling(tmp_path):
    part = TRUTH.copy()
    part[:, :, :, :2] = 0
    part[..., 7:] = 0
    series = open_series(write_v73(tmp_path / "cine_sax.mat", "kspace", matlab_order(part)))
    assert series.fully_sampled
    assert series.acquisition.window == Window((2, 9), (0, 7))
    assert series.acquisition.evidence is Evidence.PART  # slice 0 alone was looked at
    assert "ky outside 2..8 is empty: partial acquisition or zero filling" in series.notes
    assert "kx outside 0..6 is empty: partial acquisition or zero filling" in series.notes


def test_mask_of_another_size_is_refused(tmp_path):
    write_v73(tmp_path / "cine_sax.mat", "kspace_sub04", matlab_order(TRUTH))
    write_v73(tmp_path / "cine_sax_mask.mat", "mask04", np.tile(lines_mask(11), (8, 1)).astype(np.float64))
    with pytest.raises(ShapeError, match="the mask does not fit the data"):
        open_series(tmp_path / "cine_sax.mat")


def test_mask_that_contradicts_the_data_is_said(tmp_path):
    write_v73(tmp_path / "cine_sax.mat", "kspace_sub04", matlab_order(TRUTH))
    write_v73(tmp_path / "cine_sax_mask.mat", "mask04", np.tile(lines_mask(), (8, 1)).astype(np.float64))
    series = open_series(tmp_path / "cine_sax.mat")
    assert any("were not measured" in note for note in series.notes)


CSV = ",Slice1,Slice2,Slice3,\n1,100,101,102,\n2,180,181,182,\n3,260,261,262,\n4,1245,1246,1247,\n"


def test_times_per_slice(tmp_path):
    write_v73(tmp_path / "T1map.mat", "kspace_full", matlab_order(TRUTH))
    (tmp_path / "T1map.csv").write_text(CSV)
    series = open_series(tmp_path / "T1map.mat")
    assert series.kind is Kind.MOLLI
    np.testing.assert_array_equal(series.times_ms, [[100 + s, 180 + s, 260 + s, 1245 + s] for s in range(3)])
    assert "inversion times" not in series.unknown


def test_trailing_zero_time_drops_the_last_image(tmp_path):
    write_v73(tmp_path / "T1map.mat", "kspace_full", matlab_order(TRUTH))
    (tmp_path / "T1map.csv").write_text(CSV.replace("4,1245,1246,1247", "4,0,0,0"))
    series = open_series(tmp_path / "T1map.mat")
    check(series, TRUTH[:, :3])
    np.testing.assert_array_equal(series.reader.read_frame(0, -1), TRUTH[0, 2])
    np.testing.assert_array_equal(series.times_ms[2], [102, 182, 262])
    assert any("the last image is left out" in note for note in series.notes)


def test_missing_times_are_unknown_and_the_usual_ones_offered(tmp_path):
    write_v73(tmp_path / "T1map.mat", "kspace_full", matlab_order(TRUTH))
    series = open_series(tmp_path / "T1map.mat")
    assert series.times_ms is None
    assert "inversion times" in series.unknown
    assert any("100, 180, 260, 1245" in note and "--times" in note for note in series.notes)
    told = open_series(tmp_path / "T1map.mat", OpenOptions(times_ms=(1.0, 2.0, 3.0, 4.0)))
    np.testing.assert_array_equal(told.times_ms, [[1, 2, 3, 4]] * 3)


def test_t2_times_serve_all_slices(tmp_path):
    truth = asymmetric(frames=3)
    write_v73(tmp_path / "T2map.mat", "kspace_full", matlab_order(truth))
    (tmp_path / "T2map.csv").write_text("TE,ms\n1,0\n2,35\n3,55\n")
    series = open_series(tmp_path / "T2map.mat")
    assert series.kind is Kind.T2PREP
    np.testing.assert_array_equal(series.times_ms, [[0, 35, 55]] * 3)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("T1mappost", Kind.MOLLI),
        ("T2smap", Kind.UNKNOWN),
        ("T1rho", Kind.UNKNOWN),
        ("aorta_sag", Kind.CINE),
        ("flow2d", Kind.UNKNOWN),
    ],
)
def test_kind_comes_from_the_name(tmp_path, name, kind):
    assert open_series(write_v73(tmp_path / f"{name}.mat", "kspace", matlab_order(TRUTH))).kind is kind


def test_info_gives_the_voxel_size(tmp_path):
    write_v73(tmp_path / "cine_sax.mat", "kspace", matlab_order(TRUTH))
    rows = "Parameter,Value\n"
    rows += "FOVx(mm),320\nFOVy(mm),270\nReconMatrix_X,160\nReconMatrix_Y,135\nReadOutOversample,2\nSliceThickness(mm),8\n"
    (tmp_path / "cine_sax_info.csv").write_text(rows)
    series = open_series(tmp_path / "cine_sax.mat")
    assert series.voxel_mm == pytest.approx((8.0, 270 / 9, 640 / 8))
    assert "voxel size" not in series.unknown
    assert "slice gap" in series.unknown


def test_info_in_the_snapshot_folder_of_the_subject(tmp_path):
    folder = tmp_path / "Cine" / "TrainingSet"
    path = write_v73(folder / "FullSample" / "P003" / "cine_sax.mat", "kspace_full", matlab_order(TRUTH))
    (folder / "ImgSnapshot" / "P003").mkdir(parents=True)
    (folder / "ImgSnapshot" / "P003" / "cine_sax_info.csv").write_text("Parameter,Value\nFOVx,320\nFOVy,270\nSliceThickness,8\n")
    assert open_series(path).voxel_mm == pytest.approx((8.0, 30.0, 40.0))


def test_odd_stacks_get_a_note_and_are_not_rolled(tmp_path):
    odd = open_series(write_v73(tmp_path / "cine_sax.mat", "kspace_full", matlab_order(TRUTH)))
    assert any("rolled by one" in note and "not undone" in note for note in odd.notes)
    even = open_series(write_v73(tmp_path / "cine_lax.mat", "kspace_full", matlab_order(TRUTH[:2])))
    assert not any("rolled" in note for note in even.notes)


@pytest.mark.parametrize("container", ["7.3", "5"])
def test_empty_kspace_is_refused(tmp_path, container):
    empty = np.zeros((8, 9, 5, 0, 4), np.complex64)
    path = tmp_path / "cine_sax.mat"
    write_v73(path, "kspace", empty) if container == "7.3" else write_v5(path, kspace=empty)
    with pytest.raises(ShapeError, match=r"kspace in cine_sax.mat is empty \(expected samples / found shape \(8, 9, 5, 0, 4\)\)"):
        open_series(path)


def test_a_mask_is_cut_only_with_its_frames(tmp_path, rng):
    lines = rng.random((4, 9)) > 0.4  # (frame, ky)
    lines[:, 3:7] = True
    under = TRUTH * lines[:, None, :, None]
    write_v73(tmp_path / "T1map_kus_ktUniform4.mat", "kus", matlab_order(under))
    stored = np.broadcast_to(lines.T, (8, 9, 4)).astype(np.float64)
    there = write_v73(tmp_path / "T1map_mask_ktUniform4.mat", "mask", stored, single=False)
    (tmp_path / "T1map.csv").write_text(CSV.replace("4,1245,1246,1247", "4,0,0,0"))
    series = open_series(tmp_path / "T1map_kus_ktUniform4.mat")
    np.testing.assert_array_equal(series.acquisition.mask().lines[..., 0], lines[:3])
    there.unlink()
    write_v73(there, "mask", np.concatenate([stored, stored], axis=2), single=False)
    with pytest.raises(ShapeError, match="the mask does not fit the data"):
        open_series(tmp_path / "T1map_kus_ktUniform4.mat")


def test_complex_images_are_not_taken_for_kspace(tmp_path):
    """Four complex axes without a coil are images, as they are in every other format."""
    images = TRUTH[:, :, 0].transpose(3, 2, 0, 1)
    for path in (write_v73(tmp_path / "a.mat", "images", images), write_v5(tmp_path / "b.mat", images=images)):
        series = open_series(path, OpenOptions(axes="xysf"))
        assert isinstance(series, ImageSeries)
        np.testing.assert_array_equal(series.images, TRUTH[:, :, 0])


@pytest.mark.parametrize(
    ("name", "key", "nominal"),
    [
        ("AccFactor08/P001/cine_sax", "kspace", 8),
        ("P001/cine_sax", "kspace_single_sub10", 10),
        ("P001/cine_sax_mask", "mask04", 4),
        ("P001/cine_lax_kus_Uniform4", "kus", 4),
        ("P001/cine_lax_mask_ktGaussian24", "mask", 24),
        ("P001/usmask_ktGaussian10", "mask", 10),
        ("sub07/cine_sax_mask", "mask", None),
        ("a/radial_16", "mask", None),
        ("a/mask1", "mask1", None),
        ("Task2/subject12", "kspace", None),
    ],
)
def test_only_the_challenges_own_names_tell_the_nominal_acceleration(name, key, nominal):
    assert nominal_of(Path(name + ".mat"), key) == nominal


def test_wrong_key_and_files_without_kspace(tmp_path):
    path = write_v73(tmp_path / "cine_sax.mat", "kspace_full", matlab_order(TRUTH))
    with pytest.raises(FormatError, match=r"no array 'nope' \(found kspace_full \(8, 9, 5, 3, 4\) complex64\)"):
        open_series(path, OpenOptions(key="nope"))
    real = write_v73(tmp_path / "T1map.mat", "kspace_full", matlab_order(TRUTH).real)
    with pytest.raises(FormatError, match="is not k-space"):
        open_series(real)
    two = write_v73(tmp_path / "two.mat", "a", matlab_order(TRUTH))
    write_v73(two, "b", matlab_order(TRUTH))
    with pytest.raises(FormatError, match="holds no k-space that can be told"):
        FORMATS.get("cmrxrecon").read(Entry(two), OpenOptions())
    check(FORMATS.get("cmrxrecon").read(Entry(two, key="b"), OpenOptions()), TRUTH)
