"""The whole phantom: truth is what the k-space holds, noise is what was asked, the same seed is the same data."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.core.errors import Cancelled
from engine.core.jobs import CancelToken, Reporter, silent
from engine.core.types import Kind
from engine.phantom.acquire import PhantomRequest, make_phantom
from engine.phantom.anatomy import Plane
from engine.phantom.signals import fit_look_locker
from engine.phantom.tissues import Structure

SMALL = {"matrix": (48, 44), "coils": 3}


def make(**options):
    return make_phantom(PhantomRequest(**{**SMALL, **options}), silent())


def inverse(kspace):
    shifted = np.fft.ifftshift(kspace.astype(np.complex128), axes=(-2, -1))
    return np.fft.fftshift(np.fft.ifft2(shifted, norm="ortho"), axes=(-2, -1))


def combined(series, truth, s=0):
    return np.sum(np.conj(truth["coil_maps"][s]) * inverse(series.read(s)), axis=1)


KINDS = [
    {"kind": "cine", "frames": 5},
    {"kind": "cine", "frames": 4, "analytic": True},
    {"kind": "molli"},
    {"kind": "molli", "scheme": "4(1)3(1)2", "analytic": True},
    {"kind": "t2prep"},
    {"kind": "t2prep", "analytic": True},
]


@pytest.mark.slow
@pytest.mark.parametrize("options", KINDS, ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.parametrize("matrix", [(48, 44), (45, 51)])
def test_truth_is_what_kspace_holds(options, matrix):
    series, truth = make(**options, matrix=matrix, slices=2, snr=np.inf)
    for s in range(2):
        image = combined(series, truth, s)
        np.testing.assert_allclose(image, truth["image"][s], atol=1e-5 * np.abs(truth["image"]).max())


@pytest.mark.slow
@pytest.mark.parametrize("options", KINDS, ids=lambda o: "-".join(map(str, o.values())))
def test_record_is_complete(options):
    request = PhantomRequest(**{**SMALL, **options, "slices": 3})
    series, truth = make_phantom(request, silent())
    frames = request.frame_count
    assert series.shape == (3, frames, 3, 48, 44)
    assert series.kind is Kind(options["kind"])
    assert series.times_ms.shape == (3, frames)
    assert series.fully_sampled
    assert series.notes == ("numerical phantom", "simulated coils")
    assert series.voxel_mm[0] == 10.0
    assert series.voxel_mm[1] == series.voxel_mm[2] > 0
    stored = json.loads(json.dumps(dict(series.attributes)))
    assert stored["phantom"]["seed"] == 0
    assert stored["labels"]["lv_myocardium"] == 2
    assert truth["image"].shape == (3, frames, 48, 44)
    assert truth["image"].dtype == np.complex64
    assert truth["coil_maps"].shape == (3, 1, 3, 48, 44)
    assert truth["labels"].shape == (3, frames if options["kind"] == "cine" else 1, 48, 44)
    assert truth["labels"].dtype == np.uint8
    for name, values in truth.items():
        assert np.isfinite(values).all(), name
        if values.ndim == 3:
            assert values.dtype == np.float32
            assert values.shape == (3, 48, 44)
    assert {"t1_ms", "t2_ms", "pd", "purity"} <= set(truth)
    assert truth["t1_ms"][truth["purity"] * (truth["labels"][:, 0] == 0) > 0.999].max() == 0.0


@pytest.mark.parametrize("kind", ["cine", "molli", "t2prep"])
@pytest.mark.parametrize("coils", [1, 4])
def test_measured_snr_is_what_was_asked(kind, coils):
    """Myocardium in the frame where it is brightest, over the noise in the real part of the combined image."""
    series, truth = make(kind=kind, coils=coils, matrix=(96, 90), snr=25.0)
    image = combined(series, truth)
    noise = image - truth["image"][0]
    pure = (truth["labels"][0, 0] == Structure.LV_MYOCARDIUM) & (truth["purity"][0] > 0.999)
    signal = np.abs(truth["image"][0][:, pure] if kind != "cine" else truth["image"][0, 0, pure]).reshape(-1, pure.sum())
    assert signal.mean(axis=1).max() / noise.real.std() == pytest.approx(25.0, rel=0.05)
    assert noise.imag.std() == pytest.approx(noise.real.std(), rel=0.05)


def test_the_same_seed_is_the_same_data_and_another_is_not():
    (one, truth_one), (two, truth_two), (other, _) = make(seed=4, frames=3), make(seed=4, frames=3), make(seed=5, frames=3)
    np.testing.assert_array_equal(one.read(0), two.read(0))
    for name, values in truth_one.items():
        np.testing.assert_array_equal(values, truth_two[name])
    assert np.abs(one.read(0) - other.read(0)).max() > 0.1 * np.abs(one.read(0)).max()


def test_analytic_molli_is_exact_in_every_pixel():
    series, truth = make(kind="molli", analytic=True, snr=np.inf)
    times = series.times_ms[0].astype(np.float64)
    here = truth["pd"][0] > 0
    a, b, t1_star = (truth[name][0].astype(np.float64) for name in ("a", "b", "t1_star_ms"))
    t = times[:, None, None]
    expected = a - b * np.exp(-t / np.where(here, t1_star, 1.0))
    last = truth["image"][0, int(np.argmax(times))]
    signed = truth["image"][0] * np.exp(-1j * np.angle(last))
    np.testing.assert_allclose(signed[:, here].real, expected[:, here], atol=2e-6)
    np.testing.assert_allclose(signed[:, here].imag, 0.0, atol=1e-6)
    np.testing.assert_allclose((t1_star * (b / np.where(here, a, 1.0) - 1.0))[here], truth["t1_ms"][0][here], rtol=1e-5)
    # and a fit finds it, in pixels that mix tissues as well
    mixed = np.argwhere(here & (truth["purity"][0] < 0.7))[::40]
    assert len(mixed) > 5
    for y, x in mixed:
        found = fit_look_locker(times, signed[:, y, x].real)
        assert found[2] * (found[1] / found[0] - 1.0) == pytest.approx(truth["t1_ms"][0, y, x], rel=2e-3)


def test_analytic_t2_prep_is_exact_in_every_pixel():
    series, truth = make(kind="t2prep", analytic=True, snr=np.inf)
    here = truth["pd"][0] > 0
    decay = np.exp(-series.times_ms[0][:, None] / truth["t2_ms"][0][here])
    np.testing.assert_allclose(np.abs(truth["image"][0][:, here]), truth["pd"][0][here] * decay, atol=1e-6)


def test_simulated_molli_carries_its_own_reading():
    """In pure pixels a fit of the image gives the truth's fitted T1, which is less than the tissue's."""
    series, truth = make(kind="molli", snr=np.inf, matrix=(80, 80))
    times = series.times_ms[0].astype(np.float64)
    pure = np.argwhere((truth["labels"][0, 0] == Structure.LV_MYOCARDIUM) & (truth["purity"][0] > 0.9999))
    y, x = pure[len(pure) // 2]
    pixel = truth["image"][0, :, y, x]
    a, b, t1_star = fit_look_locker(times, (pixel * np.exp(-1j * np.angle(pixel[4]))).real)
    assert t1_star * (b / a - 1.0) == pytest.approx(truth["t1_fit_ms"][0, y, x], rel=1e-3)
    assert truth["t1_ms"][0, y, x] == 1400.0
    assert truth["t1_fit_ms"][0, y, x] == pytest.approx(1205.0, rel=0.01)
    assert (a, b, t1_star) == pytest.approx(tuple(truth[name][0, y, x] for name in ("a", "b", "t1_star_ms")), rel=1e-3)


def test_simulated_t2_prep_carries_its_own_reading():
    linear, centric = (make(kind="t2prep", ordering=o)[1] for o in ("linear", "centric"))
    myocardium = linear["labels"][0, 0] == Structure.LV_MYOCARDIUM
    assert linear["t2_ms"][0][myocardium].max() == 45.0
    assert 47.0 < linear["t2_fit_ms"][0][myocardium].mean() < 52.0
    assert 42.0 < centric["t2_fit_ms"][0][myocardium].mean() < 46.0


def test_the_heart_beats():
    """Blood of the LV by its label: largest at first, smallest near 35 % of the interval, ejection fraction normal."""
    series, truth = make(frames=20, matrix=(128, 128))
    area = np.count_nonzero(truth["labels"][0] == Structure.LV_BLOOD, axis=(1, 2))
    assert area.argmax() in (0, 1, 19)
    assert abs(area.argmin() / 20 - 0.35) <= 0.06
    assert 0.52 < 1 - area.min() / area.max() < 0.72
    np.testing.assert_allclose(series.times_ms[0], 45.0 * np.arange(20), rtol=1e-6)


def test_maps_stand_still_unless_asked():
    assert make(kind="molli")[1]["labels"].shape[1] == 1
    moved = make(kind="molli", motion_mm=6.0)[1]["labels"]
    assert moved.shape[1] == 8
    assert np.count_nonzero(moved[0, 0] != moved[0, 4]) > 20


def test_images_carry_a_smooth_phase_that_stands_still():
    """All tissues of an analytic cine are in phase, so what is left is that of the slice; another slice has its own."""
    _, truth = make(frames=3, slices=2, analytic=True)
    bright = np.abs(truth["image"]).min(axis=1) > 0.02
    phases = [truth["image"][s][:, bright[s]] for s in range(2)]
    for one in phases:
        turned = one / one[0] / np.abs(one / one[0])
        np.testing.assert_allclose(turned, 1.0, atol=1e-5)
        assert np.abs(np.mean(one[0] / np.abs(one[0]))) < 0.98
    both = bright[0] & bright[1]
    ratio = truth["image"][0, 0, both] / truth["image"][1, 0, both]
    assert np.abs(np.mean(ratio / np.abs(ratio))) < 0.98


def test_coils_stand_at_their_heights_and_turn_with_the_seed():
    maps = make(slices=3, frames=1, coils=10)[1]["coil_maps"][:, 0]
    assert np.abs(maps[0] - maps[2]).max() > 0.02
    other = make(slices=3, frames=1, coils=10, seed=1)[1]["coil_maps"][:, 0]
    assert np.abs(maps[0] - other[0])[:, 20:28, 18:26].max() > 0.2  # in the middle, where a larger chest changes little


def test_a_breathing_cine_closes_its_loop_and_maps_jump(monkeypatch):
    """How far organs are from the first frame: a cine comes back slowly, images of different heartbeats are anywhere."""
    seen = []
    at = Plane.at
    monkeypatch.setattr(Plane, "at", lambda plane, phase, drift: (seen.append(drift), at(plane, phase, drift))[1])
    make(frames=12, motion_mm=6.0)
    cine, seen[:] = np.array(seen), []
    make(kind="molli", motion_mm=6.0)
    molli = np.array(seen)
    for drift in (cine, molli):
        assert np.hypot(*drift.T).max() == pytest.approx(6.0)
    assert np.hypot(*np.diff(cine, axis=0, append=cine[:1]).T).max() < 2.0
    assert np.hypot(*np.diff(molli, axis=0).T).max() > 3.0


def test_slices_go_from_base_to_apex():
    _, truth = make(slices=9, frames=1, matrix=(80, 80))
    area = np.count_nonzero(np.isin(truth["labels"][:, 0], (1, 2, 5)), axis=(1, 2))
    assert np.all(np.diff(area[2:]) < 0)
    assert area[0] > 3 * area[-1] > 0
    right = np.count_nonzero(truth["labels"][:, 0] == Structure.RV_BLOOD, axis=(1, 2))
    assert right[0] > 0
    assert right[-1] == 0


def test_many_slices_stay_between_base_and_apex():
    series, truth = make(slices=20, frames=1)
    assert series.voxel_mm[0] == pytest.approx(68.0 / 19)
    assert np.all(np.count_nonzero(truth["labels"][:, 0] == Structure.LV_BLOOD, axis=(1, 2)) > 0)


@pytest.mark.parametrize("coils", [1, 4, 32])
def test_any_number_of_coils(coils):
    series, truth = make(coils=coils, frames=2)
    assert series.shape[2] == coils
    np.testing.assert_allclose(np.sum(np.abs(truth["coil_maps"]) ** 2, axis=2), 1.0, atol=1e-5)


@pytest.mark.parametrize("matrix", [(33, 29), (17, 64), (64, 17)])
def test_any_matrix(matrix):
    series, _ = make(matrix=matrix, frames=2)
    assert series.shape[-2:] == matrix
    assert np.isfinite(series.read(0)).all()


def test_field_of_view_can_be_given():
    series, _ = make(matrix=(60, 40), frames=1, fov_mm=(300.0, 320.0))
    assert series.voxel_mm[1:] == pytest.approx((5.0, 8.0))


def test_progress_rises_and_cancel_stops():
    seen = []
    make_phantom(PhantomRequest(**SMALL, slices=2, frames=4), Reporter(lambda p: seen.append(p.fraction)))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        make_phantom(PhantomRequest(**SMALL), Reporter(token=token))
