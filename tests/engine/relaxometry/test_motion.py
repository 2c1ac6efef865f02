"""Motion correction: known displacement comes back, T1 errs less, images that stand still stay, contrast may invert."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from engine import api
from engine.core.errors import Cancelled, InputError, ShapeError
from engine.core.jobs import CancelToken, Reporter
from engine.core.maps import FitRequest
from engine.core.requests import PhantomSettings
from engine.phantom.motion import breathing
from engine.phantom.streams import Purpose, stream
from engine.phantom.tissues import Structure
from engine.relaxometry import motion
from engine.relaxometry.contract import MODELS
from engine.relaxometry.motion import predicted, register_series, warped

DRIFT_MM, SEED = 6.0, 1


class Moving:
    """A phantom MOLLI that drifts, what it looks like at rest, and the truth."""

    def __init__(self):
        settings = {"kind": "molli", "matrix": (112, 96), "coils": 1, "analytic": True, "snr": 60.0, "seed": SEED}
        series, _ = api.make_phantom(PhantomSettings(**settings, motion_mm=DRIFT_MM))
        _, truth = api.make_phantom(PhantomSettings(**settings))
        self.complex = api.reference(series)
        self.images = np.abs(self.complex)
        self.times = series.times_ms
        drift = breathing(self.images.shape[1], DRIFT_MM, stream(SEED, Purpose.DRIFT, 0), False)
        self.drift = drift / np.asarray(series.voxel_mm[1:])
        labels = truth["labels"][0, 0]
        self.heart = np.isin(labels, (Structure.LV_BLOOD, Structure.LV_MYOCARDIUM))
        self.wall = (labels == Structure.LV_MYOCARDIUM) & (truth["purity"][0] > 0.98)
        self.t1 = truth["t1_fit_ms"]

    def left(self, displacement):
        """Return the root mean square of what is left of the drift in the heart, in pixels, and where the heart lies now."""
        off = displacement[0][:, :, self.heart] - self.drift[:, :, None]
        place = off.mean(axis=(0, 2))
        return float(np.sqrt(((off - place[:, None]) ** 2).sum(1).mean())), place

    def t1_error(self, images, place):
        """Return the root mean square error of T1 in the wall, in ms, where the heart lies now."""
        found = warped(
            api.fit_maps(images, FitRequest(), times_ms=self.times).main.values[0], -place[:, None, None] * np.ones((2, 112, 96))
        )
        return float(np.sqrt(np.mean((found - self.t1[0])[self.wall] ** 2)))


@pytest.fixture(scope="module")
def moving():
    return Moving()


@pytest.mark.slow
@pytest.mark.parametrize(("how", "share"), [("rigid", 0.3), ("deformable", 0.4)])
def test_known_drift_comes_back_and_t1_errs_less(moving, how, share):
    images, displacement, before, after = register_series(moving.images, moving.times, "molli3", how)
    drift, place = moving.left(np.zeros_like(displacement))
    left, moved_place = moving.left(displacement)
    assert drift > 0.6  # pixels
    assert left < share * drift
    assert after[0] < 0.5 * before[0]
    assert moving.t1_error(images, moved_place) < 0.7 * moving.t1_error(moving.images, place)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert displacement.shape == (1, 8, 2, 112, 96)
    assert np.array_equal(images[0, 3], warped(moving.images[0, 3], displacement[0, 3]))


def test_complex_frames_move_with_their_phase(moving):
    images, displacement, before, after = register_series(moving.complex, moving.times, "molli3", "rigid")
    assert images.dtype == np.complex64
    assert moving.left(displacement)[0] < 0.3 * moving.left(np.zeros_like(displacement))[0]
    assert after[0] < 0.5 * before[0]


def test_t2_series(moving):
    series, _ = api.make_phantom(
        PhantomSettings(
            kind="t2prep",
            matrix=(96, 80),
            coils=1,
            analytic=True,
            snr=80.0,
            motion_mm=8.0,
            seed=3,
            echo_times_ms=(0.0, 25.0, 40.0, 55.0),
        )
    )
    _, _, before, after = register_series(np.abs(api.reference(series)), series.times_ms, "t2prep2", "rigid")
    assert after[0] < 0.6 * before[0]


def test_the_region_decides_what_is_brought_into_register(moving):
    region = binary_dilation(moving.heart, iterations=3)[None]
    _, displacement, _, _ = register_series(moving.images, moving.times, "molli3", "rigid", region=region)
    assert moving.left(displacement)[0] < 0.3 * moving.left(np.zeros_like(displacement))[0]


def test_images_that_stand_still_stay_as_they_are():
    y, x = np.indices((48, 40))
    t1 = 600.0 + 300.0 * (np.hypot(y - 24, x - 20) < 12)
    times = np.array([120.0, 1020.0, 1920.0, 2820.0, 200.0, 1100.0])
    images = np.abs(1 - 2 * np.exp(-times[:, None, None] / t1))[None].astype(np.float32)
    for how in ("rigid", "deformable"):
        moved, displacement, before, after = register_series(images, times, "ir3", how)
        assert np.abs(displacement).max() < 0.05
        assert np.abs(moved - images).max() < 0.05
        assert after[0] <= before[0] < 1e-3


@pytest.mark.slow
def test_the_scale_of_the_images_does_not_matter(moving):
    small = register_series(moving.images * np.float32(2.0**-40), moving.times, "molli3", "rigid")[1]
    assert np.abs(small - register_series(moving.images, moving.times, "molli3", "rigid")[1]).max() < 1e-3


def test_pixels_that_are_not_finite_stay_so_and_spread_to_neighbours_only(moving):
    images = moving.images.copy()
    images[0, 2, 50, 40] = np.nan
    moved = register_series(images, moving.times, "molli3", "rigid")[0]
    lost = ~np.isfinite(moved)
    assert lost[0, 2].sum() in range(1, 5)
    assert lost.sum() == lost[0, 2].sum()


def test_nothing_to_register_and_no_residual():
    empty = np.zeros((1, 4, 16, 16), np.float32)
    times = np.array([100.0, 1100.0, 2100.0, 3100.0])
    moved, displacement, before, after = register_series(empty, times, "molli3", "deformable")
    assert not moved.any()
    assert not displacement.any()
    assert before[0] == after[0] == 0.0


def test_as_many_samples_as_parameters_still_have_a_residual(moving):
    images, times = moving.images[:, :3], np.asarray(moving.times)[:, :3]
    _, _, before, after = register_series(images, times, "molli3", "rigid")
    assert 0 < after[0] <= before[0]


def test_predicted_images_are_the_signal_where_the_inversion_is_that_ratio():
    times = np.array([120.0, 1020.0, 1920.0, 2820.0, 200.0])
    tau = np.geomspace(20.0, 10_000.0, motion.GRID)[20:40:3]
    signal = 3.0 * (1 - 1.9 * np.exp(-times[:, None] / tau))
    model = MODELS.get("ir3")
    assert predicted(np.abs(signal), times, model, "magnitude", 1.9) == pytest.approx(np.abs(signal), abs=1e-5)
    assert predicted(-signal, times, model, "signed", 1.9) == pytest.approx(-signal, abs=1e-5)
    assert predicted(signal * np.exp(0.7j), times, model, "complex", 1.9) == pytest.approx(np.abs(signal), abs=1e-5)


def test_fit_maps_corrects_and_keeps_the_displacement(moving):
    maps = api.fit_maps(moving.images, FitRequest(motion="rigid"), times_ms=moving.times)
    assert maps.displacement is not None
    assert moving.left(maps.displacement)[0] < 0.4 * moving.left(np.zeros_like(maps.displacement))[0]
    assert any(note.startswith("rigid motion correction: residual") for note in maps.notes)


def test_cancel_is_answered(moving):
    token = CancelToken()

    def stop(progress):
        if progress.fraction > 0.05:
            token.cancel()

    with pytest.raises(Cancelled):
        register_series(moving.images, moving.times, "molli3", "deformable", Reporter(stop, token))


def test_what_cannot_be_used(moving):
    with pytest.raises(InputError, match="unknown motion correction"):
        register_series(moving.images, moving.times, "molli3", "affine")
    with pytest.raises(ShapeError, match="region does not fit"):
        register_series(moving.images, moving.times, "molli3", "rigid", region=np.ones((1, 2, 2), bool))
    with pytest.raises(ShapeError, match="images to register"):
        register_series(moving.images[0], moving.times, "molli3", "rigid")
    with pytest.raises(InputError, match="do not differ enough"):
        register_series(moving.images, np.full(8, 100.0), "molli3", "rigid")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["rigid", "deformable"])
@pytest.mark.parametrize("name", ["phantom_molli", "phantom_at_rest"])
def test_what_stood_still_is_not_moved(how, name):
    """Real and simulated vials and hearts at rest: moved towards their model they would fit better, and read noisier times."""
    if name == "phantom_molli":
        series = api.open_sample(name)
        images, times = np.asarray(series.images), series.times_ms
    else:
        made, _ = api.make_phantom(PhantomSettings(kind="molli", matrix=(112, 96), coils=1, snr=30.0, seed=SEED))
        images, times = np.abs(api.reference(made)), made.times_ms
    maps = api.fit_maps(images, FitRequest(motion=how), times_ms=times)
    assert not maps.displacement.any()
    assert np.array_equal(maps.images, images)
    assert any("was not kept" in note for note in maps.notes)
    assert np.array_equal(maps.main.values, api.fit_maps(images, FitRequest(), times_ms=times).main.values)


@pytest.mark.slow
def test_a_rigid_move_that_is_not_worth_it_is_not_made():
    # Organs, spine and wall move apart: no single shift serves, unless one says for what.
    series = api.open_sample("kidney_molli")
    moved, displacement, before, after = register_series(series.images[:1], series.times_ms[:1], "molli3", "rigid")
    assert before[0] == after[0]
    assert not displacement.any()
    assert np.array_equal(moved, series.images[:1])
    kidney = np.zeros((1, 256, 256), bool)
    kidney[:, 85:165, 62:108] = True
    _, displacement, before, after = register_series(series.images[:1], series.times_ms[:1], "molli3", "rigid", region=kidney)
    assert after[0] < 0.75 * before[0]


@pytest.mark.slow
def test_the_kidneys_that_breathe():
    series = api.open_sample("kidney_molli")
    images = np.asarray(series.images[:1, :, 70:190, 40:140])
    _, displacement, before, after = register_series(images, series.times_ms[:1], "molli3", "deformable")
    assert after[0] < 0.8 * before[0]
    # The sixth image was taken after a breath: both kidneys lie several pixels lower.
    moved = np.percentile(np.abs(displacement[0, :, 0]), 90, axis=(1, 2))
    assert moved[5] > 8.0
    assert np.delete(moved, 5).max() < 5.0
