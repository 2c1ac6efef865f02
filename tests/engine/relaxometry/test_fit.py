"""The whole fit: exact on signals without noise, efficient on noisy ones, and never silent about what it cannot do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from engine import api
from engine.core.errors import Cancelled, InputError, ShapeError, UnknownNameError
from engine.core.geometry import Geometry
from engine.core.jobs import CancelToken, Reporter
from engine.core.maps import FitRequest, Reason
from engine.core.types import Kind, Reconstruction, SamplingMask
from engine.relaxometry import fit as module
from tests.engine.relaxometry.problems import LONG_MS, SCHEMES, SHORT_MS, bound, decay, recovery

WHERE = Geometry(voxel_mm=(8, 1.5, 1.5))
TIMES = SCHEMES["4(1)3(1)2"]


def stack(signal, ny=1):
    """Return (slice, frame, y, x) of a signal (sample, pixel)."""
    return np.asarray(signal, np.float32).reshape(1, len(signal), ny, -1)


def noise(rng, signal, snr, kind="magnitude"):
    z = signal + (rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape)) / snr
    return np.abs(z) if kind == "magnitude" else z.real


# --- what must be true: analytic signals -----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [4, 5, 8, 9, 11, 13, 17])
@pytest.mark.parametrize("mode", ["magnitude", "signed", "complex"])
def test_t1_is_exact_without_noise(rng, count, mode):
    """T1 100 to 3000 ms, unsorted times, odd sizes; nearly all samples of the longest T1 are negative, one of the shortest."""
    times = rng.permutation(np.geomspace(40.0, 4500.0, count))
    t1, ratio = rng.uniform(100, 3000, (7, 31)), rng.uniform(1.6, 2.6, (7, 31))
    signal = recovery(times, t1, ratio)[None]
    if mode == "complex":
        images = (signal * np.exp(1j * rng.uniform(-np.pi, np.pi, t1.shape))).astype(np.complex64)
    else:
        images = (np.abs(signal) if mode == "magnitude" else signal).astype(np.float32)
    maps = api.fit_maps(images, FitRequest(signed=mode), times_ms=times)
    assert maps.valid.all()
    assert np.abs(maps.main.values[0] - t1).max() < 0.05
    assert np.abs(maps.maps["t1_star_ms"].values[0] - t1 / (ratio - 1)).max() < 0.1
    assert np.allclose(maps.maps["b"].values[0], ratio, atol=1e-4)
    assert maps.r2.min() > 0.99999
    if mode == "magnitude":
        assert np.array_equal(maps.polarity[0], (signal[0] < 0).sum(0))
    else:
        assert not maps.polarity.any()


@pytest.mark.parametrize("negative", range(9))
def test_every_crossing_is_found(negative):
    """The null is put between each pair of samples in turn, close to one of them."""
    times = np.sort(TIMES)
    edges = np.concatenate([[60.0], times, [3100.0]])
    null = edges[negative] + np.linspace(0.02, 0.98, 31) * (edges[negative + 1] - edges[negative])
    tau = null / np.log(1.9)
    signal = 1.0 - 1.9 * np.exp(-times[:, None] / tau)
    assert set((signal < 0).sum(0)) == {negative}
    maps = api.fit_maps(np.abs(stack(signal)), FitRequest("ir3"), times_ms=times)
    assert maps.valid.all()
    assert np.abs(maps.main.values[0, 0] - tau).max() < 0.05
    assert np.all(maps.polarity == negative)


@pytest.mark.parametrize("mode", ["signed", "complex"])
def test_three_samples_are_enough_where_the_sign_is_known(rng, mode):
    times = np.array([1700.0, 100.0, 900.0])
    t1 = rng.uniform(100, 2500, 40)
    signal = recovery(times, t1, np.full(40, 1.9)) * (1.0 if mode == "signed" else np.exp(0.7j))
    images = signal.astype(np.complex64 if mode == "complex" else np.float32).reshape(1, 3, 5, 8)
    maps = api.fit_maps(images, FitRequest(signed=mode), times_ms=times)
    assert np.abs(maps.main.values.ravel() - t1).max() < 0.05
    assert (maps.main.sd is None) == (mode == "signed")
    assert any("as many samples" in note for note in maps.notes) == (mode == "signed")


def test_three_magnitudes_take_the_inversion_nearest_to_an_ideal_one(rng):
    times = np.array([150.0, 900.0, 2500.0])
    t1 = rng.uniform(300, 2000, 60)
    maps = api.fit_maps(np.abs(stack(recovery(times, t1, np.full(60, 2.0)))), FitRequest(), times_ms=times)
    assert np.abs(maps.main.values[0, 0] - t1).max() < 0.05
    assert any("polarity open" in note for note in maps.notes)


@pytest.mark.parametrize(
    ("model", "times"), [("t2prep2", [0, 35, 55]), ("t2prep2", [60, 10, 30, 20, 120, 90, 45]), ("t2prep2", [25, 0])]
)
@pytest.mark.parametrize("mode", ["magnitude", "complex"])
def test_t2_is_exact_without_noise(rng, model, times, mode):
    t2 = rng.uniform(10, 300, (9, 13))
    signal = 120.0 * decay(times, t2)[None] * (1 if mode == "magnitude" else np.exp(2.5j))
    images = signal.astype(np.float32 if mode == "magnitude" else np.complex64)
    maps = api.fit_maps(images, FitRequest(model, signed=mode), times_ms=np.array(times, float))
    assert maps.valid.all()
    assert np.abs(maps.main.values[0] - t2).max() < 0.05
    assert np.allclose(maps.maps["a"].values, 120.0, rtol=1e-4)


def test_t2_with_offset_is_exact_without_noise(rng):
    times = np.array([0.0, 10.0, 25.0, 40.0, 60.0, 90.0, 140.0, 300.0])
    t2 = rng.uniform(10, 150, 300)
    maps = api.fit_maps(stack(0.8 * decay(times, t2) + 0.1), FitRequest("t2prep3"), times_ms=times)
    assert np.abs(maps.main.values[0, 0] - t2).max() < 0.05
    assert np.allclose(maps.maps["c"].values, 0.1, atol=1e-4)


def test_seventeen_echoes_of_long_and_short_t2(rng):
    times = rng.permutation(np.linspace(5, 165, 17))
    t2 = rng.uniform(10, 300, 200)
    maps = api.fit_maps(stack(decay(times, t2)), FitRequest("t2prep2"), times_ms=times)
    assert np.abs(maps.main.values[0, 0] - t2).max() < 0.05


# --- what must be true: noise ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_signed_samples_reach_the_bound(rng, scheme):
    times, pixels = SCHEMES[scheme], 60_000
    t1, ratio, snr = rng.uniform(SHORT_MS, LONG_MS, pixels), rng.uniform(1.75, 1.97, pixels), rng.uniform(20, 50, pixels)
    images = stack(noise(rng, recovery(times, t1, ratio), snr, "signed"))
    maps = api.fit_maps(images, FitRequest(signed="signed"), times_ms=times)
    error = maps.main.values[0, 0] - t1
    assert np.sqrt(np.mean((error / bound(times, t1, ratio, 1 / snr)) ** 2)) <= 1.02
    assert np.mean(np.abs(error) > 0.3 * t1) <= 1e-4


def test_magnitudes_reach_the_bound(rng):
    """4(1)3(1)2, Rician noise, SNR 20 to 50: no polarity is lost that could be known."""
    times, pixels = TIMES, 100_000
    t1, ratio, snr = rng.uniform(SHORT_MS, LONG_MS, pixels), rng.uniform(1.75, 1.97, pixels), rng.uniform(20, 50, pixels)
    maps = api.fit_maps(stack(noise(rng, recovery(times, t1, ratio), snr)), FitRequest(), times_ms=times)
    error = maps.main.values[0, 0] - t1
    assert np.sqrt(np.mean((error / bound(times, t1, ratio, 1 / snr, rician=True)) ** 2)) <= 1.02
    assert np.mean(np.abs(error) > 0.3 * t1) <= 1e-4


@pytest.mark.parametrize(("low", "high"), [(500, 1300), (1700, 2300)])
def test_magnitudes_of_five_and_three_reach_the_bound_where_one_sample_at_a_time_crosses_null(rng, low, high):
    times, pixels = SCHEMES["5(3)3"], 60_000
    t1, ratio, snr = rng.uniform(low, high, pixels), rng.uniform(1.75, 1.97, pixels), rng.uniform(20, 50, pixels)
    maps = api.fit_maps(stack(noise(rng, recovery(times, t1, ratio), snr)), FitRequest(), times_ms=times)
    error = maps.main.values[0, 0] - t1
    assert np.sqrt(np.mean((error / bound(times, t1, ratio, 1 / snr)) ** 2)) <= 1.02
    assert np.mean(np.abs(error) > 0.3 * t1) <= 1e-4


def test_magnitudes_of_five_and_three_are_near_the_bound_everywhere(rng):
    """Around 290 and 1500 ms two neighbouring samples cross null together: their signs, and so the bound itself, are uncertain."""
    times, pixels = SCHEMES["5(3)3"], 100_000
    t1, ratio, snr = rng.uniform(SHORT_MS, LONG_MS, pixels), rng.uniform(1.75, 1.97, pixels), rng.uniform(20, 50, pixels)
    maps = api.fit_maps(stack(noise(rng, recovery(times, t1, ratio), snr)), FitRequest(), times_ms=times)
    error = maps.main.values[0, 0] - t1
    assert np.sqrt(np.mean((error / bound(times, t1, ratio, 1 / snr, rician=True)) ** 2)) <= 1.04
    assert np.mean(np.abs(error) > 0.3 * t1) <= 1e-4


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("t1", "ratio"), [(1200.0, 1.9), (600.0, 1.9), (900.0, 2.5)])
@pytest.mark.parametrize("snr", [20, 50])
def test_standard_deviations_are_those_observed(rng, scheme, t1, ratio, snr):
    times, pixels = SCHEMES[scheme], 12_000
    signal = recovery(times, np.full(pixels, t1), np.full(pixels, ratio))
    maps = api.fit_maps(stack(noise(rng, signal, snr)), FitRequest(), times_ms=times)
    for name in ("t1_ms", "t1_star_ms", "a", "b"):
        one = maps.maps[name]
        observed = np.std(one.values[one.valid])
        assert np.sqrt(np.mean(one.sd[one.valid] ** 2)) == pytest.approx(observed, rel=0.1), name


def test_standard_deviation_of_t2_is_that_observed(rng):
    times = np.array([0.0, 25.0, 35.0, 55.0, 80.0])
    maps = api.fit_maps(stack(noise(rng, decay(times, np.full(12_000, 48.0)), 40)), FitRequest("t2prep2"), times_ms=times)
    assert np.sqrt(np.mean(maps.main.sd**2)) == pytest.approx(np.std(maps.main.values), rel=0.1)


def test_signs_help(rng):
    """The same noisy signals: complex samples are fitted better than their magnitudes, as the bounds say."""
    t1 = np.full(20_000, 1450.0)
    signal = recovery(SCHEMES["5(3)3"], t1, np.full(t1.size, 1.9))
    z = signal + (rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape)) / 20
    images = (z * np.exp(1j)).astype(np.complex64).reshape(1, 8, 100, 200)
    spread = {
        m: np.std(api.fit_maps(images, FitRequest(signed=m), times_ms=SCHEMES["5(3)3"]).main.values)
        for m in ("complex", "magnitude")
    }
    assert spread["complex"] < 0.95 * spread["magnitude"]


# --- conventions -------------------------------------------------------------------------------------------------------


def test_efficiency_divides_t1_and_its_deviation():
    images = np.abs(stack(recovery(TIMES, np.array([600.0, 1200.0]), np.array([2.4, 2.4])))) + 0.01
    plain, corrected = (api.fit_maps(images, FitRequest(efficiency=e), times_ms=TIMES) for e in (1.0, 0.9653))
    assert np.allclose(corrected.main.values, plain.main.values / 0.9653)
    assert np.allclose(corrected.main.sd, plain.main.sd / 0.9653, rtol=1e-5)
    assert np.array_equal(corrected.maps["t1_star_ms"].values, plain.maps["t1_star_ms"].values)


def test_efficiency_is_no_matter_of_other_models():
    images = np.abs(stack(recovery(TIMES, np.array([900.0]), np.array([1.9]))))
    plain, other = (api.fit_maps(images, FitRequest("ir3", efficiency=e), times_ms=TIMES) for e in (1.0, 0.9653))
    assert plain.main.values == other.main.values
    assert other.provenance["fit"]["efficiency"] == 1.0
    assert {m.name for m in api.fit_models() if m.efficiency} == {"molli3", "mapping_t1"}


def test_each_slice_has_its_own_times(rng):
    times = np.stack([TIMES, rng.permutation(TIMES) + 40.0])
    t1 = rng.uniform(300, 2000, (2, 5, 7))
    images = np.stack([np.abs(recovery(row, one, np.full((5, 7), 1.9))) for row, one in zip(times, t1, strict=True)])
    maps = api.fit_maps(images.astype(np.float32), FitRequest(), times_ms=times)
    assert np.abs(maps.main.values - t1).max() < 0.05
    assert np.array_equal(maps.times_ms, times.astype(np.float32))


def test_request_goes_before_the_series():
    images = np.abs(stack(recovery(TIMES, np.array([900.0]), np.array([1.9]))))
    maps = api.fit_maps(images, FitRequest(times_ms=TIMES), times_ms=TIMES[::-1])
    assert maps.main.values.item() == pytest.approx(900.0, abs=0.05)


def test_record_says_how_it_was_made():
    images = np.abs(stack(recovery(TIMES, np.array([900.0]), np.array([1.9]))))
    maps = api.fit_maps(
        images,
        FitRequest(),
        times_ms=TIMES,
        title="myonet",
        kind=Kind.MOLLI,
        slices=(4,),
        geometry=WHERE,
    )
    assert maps.provenance["fit"]["signed"] == "magnitude"
    assert maps.provenance["fit"]["efficiency"] == 1.0
    assert (maps.model, maps.title, maps.kind, maps.slices, maps.voxel_mm) == ("molli3", "myonet", Kind.MOLLI, (4,), (8, 1.5, 1.5))
    assert maps.main.unit == "ms"
    assert maps.maps["a"].unit == ""
    assert any("Rician" in note for note in maps.notes)


def test_reconstruction_and_its_reference_are_fitted():
    image = recovery(TIMES, np.array([900.0, 1300.0]), np.array([1.9, 1.9])).reshape(1, 9, 1, 2).astype(np.complex64)
    made = Reconstruction(
        image=image, method="cg_sense", slices=(3,), frames=tuple(range(9)), kind=Kind.MOLLI, times_ms=TIMES,
        mask=SamplingMask(np.ones((1, 1, 1), bool), "full"), reference=image[..., ::-1].copy(),
    )  # fmt: skip
    fitted, reference = api.fit_map(made, FitRequest()), api.fit_map(made, FitRequest(), reference=True)
    assert (fitted.title, reference.title, fitted.slices) == ("cg_sense", "reference", (3,))
    assert np.allclose(fitted.main.values, reference.main.values[..., ::-1])
    bare = Reconstruction(made.image, "cg_sense", (3,), made.frames, made.mask, times_ms=TIMES)
    with pytest.raises(InputError, match="no reference"):
        api.fit_map(bare, FitRequest(), reference=True)


# --- bad input: a clear error, or an invalid pixel that is counted -------------------------------------------------------


def test_pixels_that_are_not_finite_are_counted(rng):
    images = np.abs(stack(recovery(TIMES, rng.uniform(500, 1500, 20), np.full(20, 1.9)), ny=4))
    images[0, 3, 1, 2], images[0, 0, 0, 0] = np.nan, np.inf
    maps = api.fit_maps(images, FitRequest(), times_ms=TIMES)
    assert np.count_nonzero(maps.reason == Reason.NOT_FINITE) == 2
    assert maps.valid.sum() == 18
    assert not maps.main.values[~maps.valid].any()
    assert np.isfinite(maps.main.values).all()
    assert "no value: 2 pixels samples that are not finite" in maps.notes
    assert maps.provenance["fit"]["invalid"] == {"samples that are not finite": 2}


def test_complex_pixels_that_are_not_finite_are_counted(rng):
    images = stack(recovery(TIMES, rng.uniform(500, 1500, 20), np.full(20, 1.9)), ny=4).astype(np.complex64)
    images[0, 3, 1, 2] = np.nan + 0j
    maps = api.fit_maps(images, FitRequest(), times_ms=TIMES)
    assert np.count_nonzero(~maps.valid) == 1


@pytest.mark.parametrize("model", ["molli3", "ir3", "t2prep2", "t2prep3"])
@pytest.mark.parametrize("value", [0.0, 5.0])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_constant_images_have_no_value_and_say_so(model, value, dtype):
    times = TIMES if model in ("molli3", "ir3") else np.array([0.0, 35.0, 55.0, 80.0])
    maps = api.fit_maps(np.full((1, len(times), 3, 4), value, dtype), FitRequest(model), times_ms=times)
    assert not maps.valid.any()
    assert any("12 pixels" in note for note in maps.notes)
    assert np.all(maps.reason == (Reason.BACKGROUND if value == 0 else Reason.BOUND))


def test_images_of_nothing_but_nan():
    maps = api.fit_maps(np.full((1, 9, 2, 2), np.nan, np.float32), FitRequest(), times_ms=TIMES)
    assert np.all(maps.reason == Reason.NOT_FINITE)


def test_background_is_left_out(rng):
    signal = recovery(TIMES, np.full(400, 900.0), np.full(400, 1.9))
    signal[:, 300:] *= 0.01
    maps = api.fit_maps(np.abs(stack(signal)), FitRequest(), times_ms=TIMES)
    assert np.array_equal(maps.reason[0, 0] == Reason.BACKGROUND, np.arange(400) >= 300)
    assert api.fit_maps(np.abs(stack(signal)), FitRequest(background=0.0), times_ms=TIMES).valid.all()


def test_signal_that_is_no_inversion_recovery_has_a_negative_correction():
    """A series that recovers from saturation, signed: B < A, so that T1* (B / A - 1) is negative."""
    signal = 1.0 - 0.6 * np.exp(-TIMES / 800.0)
    maps = api.fit_maps(stack(signal[:, None]), FitRequest(signed="signed"), times_ms=TIMES)
    assert maps.reason.item() == Reason.CORRECTION
    assert maps.main.values.item() == 0.0


@pytest.mark.parametrize("mode", ["magnitude", "signed", "complex"])
def test_repeated_times_weigh_as_often_as_they_were_measured(rng, mode):
    """A series with one image twice is fitted as with that image at double weight: SciPy's weighted fit is the oracle."""
    times = np.array([100.0, 180.0, 180.0, 260.0, 1000.0, 1900.0, 2900.0, 2900.0])
    signal = recovery(times, np.array([1100.0]), np.array([1.9]))[:, 0] + 0.02 * rng.standard_normal(8)
    samples = {"magnitude": np.abs(signal), "signed": signal, "complex": signal * np.exp(0.3j)}[mode]
    images = samples.reshape(1, 8, 1, 1).astype(np.complex64 if mode == "complex" else np.float32)
    maps = api.fit_maps(images, FitRequest(signed=mode), times_ms=times)
    sign = np.sign(1.0 - 1.9 * np.exp(-times / (1100.0 / 0.9)))  # no sample is near the null
    y = np.abs(signal) * sign if mode == "magnitude" else signal
    best = least_squares(lambda p: p[0] - p[1] * np.exp(-times / p[2]) - y, (1.0, 1.9, 1000.0), xtol=1e-14, ftol=1e-14)
    a, b, tau = best.x
    assert maps.main.values.item() == pytest.approx(tau * (b / a - 1.0), rel=2e-4)


def test_three_times_measured_twice_leave_the_polarity_as_open_as_three_images(rng):
    times = np.array([100.0, 900.0, 2500.0, 100.0, 900.0, 2500.0])
    t1 = rng.uniform(500, 1500, 200)
    signal = np.abs(recovery(times, t1, np.full(200, 2.0)) + 0.002 * rng.standard_normal((6, 200)))
    maps = api.fit_maps(stack(signal), FitRequest(), times_ms=times)
    assert any("polarity" in note for note in maps.notes)
    error = np.abs(maps.main.values.ravel() / t1 - 1.0)
    assert np.median(error) < 0.02
    assert np.mean(error < 0.1) > 0.95


def test_a_value_below_its_standard_deviation_is_none(rng):
    """Noise alone, above the background: some fits find a time, with a standard deviation that says it may be any."""
    images = np.abs(1.0 + 0.3 * rng.standard_normal((1, 8, 30, 30))).astype(np.float32)
    maps = api.fit_maps(images, FitRequest(), times_ms=SCHEMES["5(3)3"])
    assert np.count_nonzero(maps.reason == Reason.UNSURE) > 20
    assert np.all(maps.main.sd[maps.valid] <= maps.main.values[maps.valid])
    at = np.argwhere(maps.reason == Reason.UNSURE)[0]
    pixel = api.fit_pixel(maps, *map(int, at))
    value, low, high, _ = pixel.parameters["t1_ms"]
    assert pixel.reason is Reason.UNSURE
    assert low < 0 < value < high, "the curve and the interval tell why"


def test_rising_magnitudes_are_no_decay():
    times = np.array([0.0, 35.0, 55.0, 80.0])
    maps = api.fit_maps(stack((1.0 - 0.5 * np.exp(-times / 30.0))[:, None]), FitRequest("t2prep3"), times_ms=times)
    assert maps.reason.item() == Reason.BOUND


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (FitRequest("molly3"), "unknown signal model"),
        (FitRequest(signed="real"), "--signed real cannot be used"),
        (FitRequest(signed="complex"), "not complex"),
        (FitRequest(efficiency=0.2), "expected 0.5 to 1"),
        (FitRequest(background=1.5), "background share"),
        (FitRequest(motion="affine"), "unknown motion correction"),
        (FitRequest(weights="x"), "takes no weights"),
        (FitRequest(device="tpu"), "unknown device"),
    ],
)
def test_bad_requests_are_refused(request_, message):
    images = np.abs(stack(recovery(TIMES, np.array([900.0]), np.array([1.9]))))
    with pytest.raises((InputError, UnknownNameError), match=message):
        api.fit_maps(images, request_, times_ms=TIMES)


def test_bad_images_are_refused():
    with pytest.raises(ShapeError, match="wrong number of axes"):
        api.fit_maps(np.zeros((9, 4, 4), np.float32), FitRequest(), times_ms=TIMES)
    with pytest.raises(InputError, match="do not hold numbers"):
        api.fit_maps(np.full((1, 9, 1, 1), "a"), FitRequest(), times_ms=TIMES)
    with pytest.raises(ShapeError, match="frame 8"):
        api.fit_maps(np.zeros((1, 8, 4, 4), np.float32), FitRequest(), times_ms=TIMES)
    with pytest.raises(InputError, match="are complex"):
        api.fit_maps(np.zeros((1, 9, 4, 4), np.complex64), FitRequest(signed="signed"), times_ms=TIMES)


def test_cancelling_stops_between_slices():
    token = CancelToken()
    seen = []

    def sink(progress):
        seen.append(progress.stage)
        token.cancel()

    with pytest.raises(Cancelled):
        api.fit_maps(np.ones((3, 9, 4, 4), np.float32), FitRequest(), Reporter(sink, token), times_ms=TIMES)
    assert seen == ["fitting T1"]


def test_listing_loads_no_torch_and_names_all():
    names = {m.name: m for m in api.fit_models()}
    assert {"molli3", "ir3", "t2prep2", "t2prep3", "mapping_t1", "mapping_t2"} <= set(names)
    assert names["t2prep2"].minimum_samples == 2
    assert names["molli3"].parameters == ("t1_ms", "t1_star_ms", "a", "b")
    assert names["mapping_t1"].network


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_kernels_fit_every_pixel_once_and_are_not_compiled_again(rng, monkeypatch, dtype):
    """What makes a map quick: one pass over the pixels in machine code that serves images of any size, count and memory layout."""
    from engine.relaxometry.kernels import entry, phase, real

    fitted = []
    original = entry.fit
    monkeypatch.setattr(entry, "fit", lambda problem, begin, end: fitted.extend(range(begin, end)) or original(problem, begin, end))
    kernels = (phase.fit,) if dtype is np.complex64 else (real.explore, real.settle, real.rivals)

    def fit(times, ny, nx, layout):
        signal = recovery(times, rng.uniform(300, 2000, (ny, nx)), np.full((ny, nx), 1.9))[None]
        images = (signal if dtype is np.complex64 else np.abs(signal)).astype(dtype)
        fitted.clear()
        api.fit_maps(layout(images), FitRequest(device="cpu"), times_ms=times)
        assert sorted(fitted) == list(range(ny * nx))
        return [len(kernel.signatures) for kernel in kernels]

    compiled = fit(TIMES, 32, 32, np.ascontiguousarray)
    more = np.concatenate([TIMES, [3720.0, 2080.0]])
    assert fit(more, 51, 37, np.asfortranarray) == compiled
    assert fit(more, 16, 33, lambda images: np.repeat(images, 2, axis=-1)[..., ::2]) == compiled


def test_warm_up_fits_every_kind(monkeypatch):
    fitted = []
    original = module.fit_maps

    def spy(images, request, **settings):
        fitted.append((request.model, images.dtype.kind))
        return original(images, request, **settings)

    monkeypatch.setattr(module, "fit_maps", spy)
    api.warm_up_fit()
    assert set(fitted) == {("molli3", "f"), ("molli3", "c"), ("t2prep2", "f"), ("t2prep2", "c")}
