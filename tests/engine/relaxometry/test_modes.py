"""What the samples are: the rule of ``auto``, and where zero lies."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import InputError
from engine.core.maps import FitRequest
from engine.relaxometry.contract import MODELS
from engine.relaxometry.fit import fit_maps
from engine.relaxometry.modes import resolve_mode, zero_level
from tests.engine.relaxometry.problems import SCHEMES, decay, recovery

MOLLI, T2 = MODELS.get("molli3"), MODELS.get("t2prep2")
TIMES = SCHEMES["5(3)3"][None]


def series(rng, background=0.5):
    """Return a signed series (1, 8, 20, 20) of which a part is empty, and noise of it."""
    t1 = rng.uniform(400, 1800, (20, 20))
    signal = recovery(TIMES[0], t1, np.full(t1.shape, 1.9))
    signal[:, :, : int(20 * background)] = 0.0
    return signal[None], 0.03 * rng.standard_normal((1, *signal.shape))


def test_auto_tells_the_three_kinds_apart(rng):
    signal, noise = series(rng)
    phase = np.exp(1j * rng.uniform(-np.pi, np.pi, (20, 20)))
    noisy = (signal + noise + 1j * noise[..., ::-1]) * phase
    assert resolve_mode((signal + noise).astype(np.float32), TIMES, MOLLI, "auto").name == "signed"
    assert resolve_mode(np.abs(noisy).astype(np.float32), TIMES, MOLLI, "auto").name == "magnitude"
    assert resolve_mode(noisy.astype(np.complex64), TIMES, MOLLI, "auto").name == "complex"


def test_auto_distrusts_phases_that_do_not_know_of_the_inversion(rng):
    """Some scanners write the same phase before and after the null."""
    signal, noise = series(rng)
    still = (np.abs(signal + noise) * np.exp(0.4j)).astype(np.complex64)
    assert resolve_mode(still, TIMES, MOLLI, "auto").name == "magnitude"


def test_auto_distrusts_phases_that_change_from_frame_to_frame(rng):
    signal, noise = series(rng)
    turned = ((signal + noise) * np.exp(1j * rng.uniform(-np.pi, np.pi, (1, 8, 1, 1)))).astype(np.complex64)
    assert resolve_mode(turned, TIMES, MOLLI, "auto").name == "magnitude"


def test_auto_is_not_led_by_a_few_wrapped_values(rng):
    """Magnitudes stored as int16: a few are negative."""
    signal, noise = series(rng)
    images = np.abs(signal + noise)
    images[0, 0, :2, 15] *= -1
    assert resolve_mode(images.astype(np.float32), TIMES, MOLLI, "auto").name == "magnitude"


def test_auto_on_decays(rng):
    times = np.array([[0.0, 35.0, 55.0]])
    signal = decay(times[0], rng.uniform(30, 100, (10, 10)))[None]
    assert resolve_mode(signal.astype(np.float32), times, T2, "auto").name == "magnitude"
    assert resolve_mode((signal - 0.2).astype(np.float32), times, T2, "auto").name == "signed"
    assert resolve_mode((signal * np.exp(1j)).astype(np.complex64), times, T2, "auto").name == "complex"


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_auto_on_nothing_is_magnitude(value):
    assert resolve_mode(np.full((1, 8, 3, 3), value, np.complex64), TIMES, MOLLI, "auto").name == "magnitude"


def test_what_is_told_goes_before_what_is_seen(rng):
    signal, _ = series(rng)
    assert resolve_mode(signal.astype(np.float32), TIMES, MOLLI, "magnitude").name == "magnitude"
    assert resolve_mode(signal.astype(np.complex64), TIMES, MOLLI, "magnitude").name == "magnitude"


def test_modes_that_do_not_fit_are_refused(rng):
    signal, _ = series(rng)
    with pytest.raises(InputError, match="are not complex"):
        resolve_mode(signal.astype(np.float32), TIMES, MOLLI, "complex")
    with pytest.raises(InputError, match="are complex"):
        resolve_mode(signal.astype(np.complex64), TIMES, MOLLI, "signed")
    with pytest.raises(InputError, match="--signed psir cannot be used with molli3"):
        resolve_mode(signal.astype(np.float32), TIMES, MOLLI, "psir")
    with pytest.raises(InputError, match="--signed complex cannot be used with mapping_t1"):
        resolve_mode(signal.astype(np.complex64), TIMES, MODELS.get("mapping_t1"), "complex")


def test_auto_on_real_values_of_which_none_can_be_used_is_magnitude():
    values = np.full((1, 8, 3, 3), np.nan, np.float32)
    values[0, 0, 0, 0] = -1.0
    assert resolve_mode(values, TIMES, MOLLI, "auto").name == "magnitude"


@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
def test_auto_does_not_hang_on_the_unit_of_the_images(rng, scale):
    signal, noise = series(rng)
    images = ((signal + noise) * np.exp(0.7j) * scale).astype(np.complex64)
    assert resolve_mode(images, TIMES, MOLLI, "auto").name == "complex"


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.04])
@pytest.mark.parametrize("bias", [1e-6, 0.02, 0.04])
def test_slightly_negative_magnitudes_are_magnitudes(rng, noise, bias):
    """The bias of the noise was subtracted, and much tissue is near its null in the earliest image."""
    t1 = np.where(np.arange(400).reshape(20, 20) % 3 == 0, 120.0 / np.log(2.0), 1000.0)  # fat: null at 120 ms
    clean = recovery(TIMES[0], t1, np.full(t1.shape, 2.0))[None]
    images = np.abs(clean + noise * rng.standard_normal(clean.shape)) - bias
    images[images < 0.05] -= 0.05 if bias < 0.01 else 0.0  # rounding after interpolation
    images = np.where(images < 0, np.maximum(images, -bias), images).astype(np.float32)
    assert (images[0, 0] < 0).mean() > 0.05
    found = resolve_mode(images, TIMES, MOLLI, "auto")
    assert found.name == "magnitude"
    assert "negative" in found.why


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.1])
def test_signs_are_believed_in_noise(rng, noise):
    signal, one = series(rng, background=0.3)
    assert resolve_mode((signal + one / 0.03 * noise).astype(np.float32), TIMES, MOLLI, "auto").name == "signed"


def test_signs_that_no_recovery_explains_are_not_believed(rng):
    """Magnitudes of which every second pixel was turned: large negative values that fit no inversion recovery."""
    signal, noise = series(rng)
    images = np.abs(signal + noise)
    images[:, ::2] *= -1.0  # every second image
    found = resolve_mode(images.astype(np.float32), TIMES, MOLLI, "auto")
    assert found.name == "magnitude"
    assert "worse" in found.why


@pytest.mark.parametrize("zero", [2048, 4096, 32768])
def test_integers_coded_with_an_offset_are_recognised(rng, zero):
    signal, noise = series(rng)
    stored = np.round(zero + 0.4 * zero * (signal + noise)).clip(0, 65535).astype(np.uint16)
    assert zero_level(stored) == zero
    maps = fit_maps(stored, FitRequest(), times_ms=TIMES)
    assert maps.provenance["fit"]["signed"] == "signed"
    assert any(f"coded with {zero} for zero" in note for note in maps.notes)
    exact = fit_maps((signal + noise).astype(np.float32), FitRequest(), times_ms=TIMES)
    tissue = np.s_[0, :, 10:]
    assert (maps.valid & exact.valid)[tissue].all()
    assert np.abs(maps.main.values - exact.main.values)[tissue].max() < 5


def test_integers_that_are_magnitudes_keep_their_zero(rng):
    signal, noise = series(rng)
    for air in (0, 130):  # a bright background at 128 is no offset: nothing lies below it
        stored = np.round(air + 2000 * np.abs(signal + noise)).astype(np.uint16)
        assert zero_level(stored) == 0
    assert zero_level(np.full((1, 8, 4, 4), 2048, np.uint16)) == 0
    assert zero_level((signal + 2048.5).astype(np.float32)) == 0
