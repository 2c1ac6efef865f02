from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from engine.core.errors import FormatError, ShapeError
from engine.core.types import Acquisition, ArrayReader, KSpaceSeries, Reconstruction, SamplingMask
from engine.io.acquired import central_block
from engine.io.arrays import ordered
from engine.io.masks import read_mask
from engine.io.myoscope_h5 import write_kspace, write_reconstruction
from tests.engine.io.builders import asymmetric, lines_mask, write_v73

LINES = lines_mask()
PLANE = np.tile(LINES[:, None], (1, 8))  # (ky, kx)


def test_numpy_masks_of_one_to_three_axes(tmp_path, rng):
    frames = rng.random((4, 9, 8)) > 0.5
    for name, array, expected in (
        ("line", LINES, LINES[None, :, None]),
        ("plane", PLANE.astype(np.uint8), LINES[None, :, None]),
        ("frames", frames.astype(np.float32), frames),
        ("bytes", frames.astype(np.uint8) * 255, frames),
        ("extra", frames[None], frames),
    ):
        np.save(tmp_path / f"{name}.npy", array)
        np.savez(tmp_path / f"{name}.npz", mask=array, other=np.arange(5))
        for suffix in ("npy", "npz"):
            found = read_mask(tmp_path / f"{name}.{suffix}")
            np.testing.assert_array_equal(found.lines, expected)
            assert found.pattern == "file"


def test_a_plane_stored_the_other_way_round_is_turned(tmp_path):
    np.save(tmp_path / "m.npy", PLANE.T)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.npy").lines[0, :, 0], LINES)


@pytest.mark.parametrize("container", ["7.3", "5"])
def test_cmrxrecon_masks(tmp_path, container, rng):
    cube = rng.random((7, 7, 7)) > 0.5  # equal sizes: only the container tells the order
    for name, mask in (("mask08", PLANE[None]), ("mask", cube)):
        stored = (mask[0].T if mask.shape[0] == 1 else mask.transpose(2, 1, 0)).astype(np.float64)
        path = tmp_path / f"cine_sax_mask_{name}.mat"
        if container == "7.3":
            write_v73(path, name, stored, single=False)
        else:
            scipy.io.savemat(path, {name: stored})
        found = read_mask(path)
        np.testing.assert_array_equal(np.broadcast_to(found.lines, mask.shape), mask)
    assert read_mask(tmp_path / "cine_sax_mask_mask08.mat").nominal_acceleration == 8


def test_masks_in_our_files_keep_what_they_carry(tmp_path):
    mask = SamplingMask(LINES[None, :, None], "equispaced", 4.0, (3, 7), 11)
    write_kspace(tmp_path / "k.h5", KSpaceSeries(ArrayReader(asymmetric()), acquisition=Acquisition((mask,))))
    write_reconstruction(tmp_path / "r.h5", Reconstruction(asymmetric()[:, :, 0], "x", (0, 1, 2), (0, 1, 2, 3), mask))
    for name in ("k.h5", "r.h5"):
        found = read_mask(tmp_path / name)
        np.testing.assert_array_equal(found.lines, mask.lines)
        assert (found.pattern, found.nominal_acceleration, found.acs, found.seed) == ("equispaced", 4.0, (3, 7), 11)


def test_masks_in_other_hdf5_files(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["mask"] = PLANE
    np.testing.assert_array_equal(read_mask(tmp_path / "m.h5").lines[0, :, 0], LINES)


def test_what_is_no_mask_is_refused(tmp_path):
    with pytest.raises(FormatError, match="does not exist"):
        read_mask(tmp_path / "no.npy")
    np.save(tmp_path / "grey.npy", np.linspace(0, 1, 72).reshape(9, 8))
    with pytest.raises(FormatError, match="expected zeros and ones"):
        read_mask(tmp_path / "grey.npy")
    np.save(tmp_path / "none.npy", np.zeros((9, 8)))
    with pytest.raises(FormatError, match="expected zeros and ones"):
        read_mask(tmp_path / "none.npy")
    np.save(tmp_path / "deep.npy", np.ones((2, 3, 9, 8)))
    with pytest.raises(ShapeError, match="wrong number of axes"):
        read_mask(tmp_path / "deep.npy")
    np.savez(tmp_path / "two.npz", a=PLANE, b=PLANE)
    with pytest.raises(FormatError, match="no mask that can be told"):
        read_mask(tmp_path / "two.npz")
    (tmp_path / "text.npy").write_text("mask")
    with pytest.raises(FormatError, match="found a text file"):
        read_mask(tmp_path / "text.npy")


@pytest.mark.parametrize(("ky", "acs"), [(9, 5), (10, 5), (10, 4), (9, 4), (9, 9)])
def test_central_block_of_lines(ky, acs):
    first = ky // 2 - acs // 2
    lines = np.zeros((2, ky, 1), bool)
    lines[:, first : first + acs] = True
    lines[0, 0] = True
    assert central_block(lines) == (first, first + acs)


def test_central_block_of_a_plane_is_a_square():
    lines = np.zeros((1, 21, 17), bool)
    lines[:, ::3, ::2] = True
    lines[:, 10 - 4 : 10 + 4, 8 - 4 : 8 + 4] = True
    low, high = central_block(lines)
    assert (low, high) in ((6, 14), (6, 15))
    assert lines[0, low:high, 8 - (high - low) // 2 : 8 - (high - low) // 2 + high - low].all()


def test_too_small_a_centre_is_none():
    lines = np.zeros((1, 21, 1), bool)
    lines[:, 9:12] = True
    assert central_block(lines) is None
    assert central_block(np.eye(21, dtype=bool)[None]) is None


@pytest.mark.parametrize("suffix", ["npy", "npz", "v73.mat", "v5.mat"])
@pytest.mark.parametrize("transposed", [False, True])
def test_lines_for_each_frame_need_the_shape_of_the_data(tmp_path, suffix, transposed, rng):
    lines = rng.random((4, 9)) > 0.5  # (frame, ky)
    stored = lines.T if transposed else lines
    path = tmp_path / f"m.{suffix}"
    if suffix == "npy":
        np.save(path, stored)
    elif suffix == "npz":
        np.savez(path, mask=stored)
    elif suffix == "v73.mat":
        write_v73(path, "mask", stored.astype(np.float64), single=False)
    else:
        scipy.io.savemat(path, {"mask": stored.astype(np.float64)})
    found = read_mask(path, (3, 4, 5, 9, 8))
    np.testing.assert_array_equal(found.lines, lines[..., None])
    found.check_fits((3, 4, 5, 9, 8))
    assert read_mask(path).lines.shape[0] == 1


def test_two_axes_are_only_taken_for_frames_when_nothing_else_fits(tmp_path, rng):
    plane = rng.random((9, 8)) > 0.5
    np.save(tmp_path / "m.npy", plane)
    # ky 9 and kx 8; 8 frames change nothing about that.
    np.testing.assert_array_equal(read_mask(tmp_path / "m.npy", (8, 5, 9, 8)).lines[0], plane)
    # As many frames as lines, and another kx: frame and ky cannot be told apart, and the mask does not fit.
    np.save(tmp_path / "square.npy", rng.random((9, 9)) > 0.5)
    assert read_mask(tmp_path / "square.npy", (9, 5, 9, 8)).lines.shape == (1, 9, 9)
    np.save(tmp_path / "same.npy", np.tile(LINES, (4, 1)))
    assert read_mask(tmp_path / "same.npy", (4, 5, 9, 8)).lines.shape == (1, 9, 1)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "axes"),
    [
        ("crnn-mri-released", "fyx"),
        ("crnn-mri-random", "fxy"),
        ("cinevn", "cfxy"),
        ("crunet-mr", "fcxy"),
        ("fastmri-varnet", "cxy"),
        ("released/inputs-multicoil", "cfxy"),
        ("released/jotlasnet-radial-16", "fyx"),
    ],
)
def test_masks_of_other_programs_agree_with_the_zeros_of_their_data(shared, folder, axes):
    """``axes`` are those of their k-space; their masks are (ky), (frame, ky) or (frame, ky, kx)."""
    path = shared / "golden" / folder / "io.npz"
    with np.load(path) as file:
        kspace = file["kspace_masked"]
    kspace = ordered(kspace, axes, "fcyx")
    found = read_mask(path, kspace.shape)
    found.check_fits(kspace.shape)
    np.testing.assert_array_equal(np.broadcast_to(found.lines, kspace[:, 0].shape), (kspace != 0).any(axis=1))
