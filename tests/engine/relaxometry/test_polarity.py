"""What the samples are: the rule of ``auto``, and the sign that is left open."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import InputError
from engine.relaxometry.contract import MODELS
from engine.relaxometry.polarity import orders, orient, resolve_mode
from engine.relaxometry.solution import Solution
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
    assert resolve_mode((signal + noise).astype(np.float32), TIMES, MOLLI, "auto") == "signed"
    assert resolve_mode(np.abs(noisy).astype(np.float32), TIMES, MOLLI, "auto") == "magnitude"
    assert resolve_mode(noisy.astype(np.complex64), TIMES, MOLLI, "auto") == "complex"


def test_auto_distrusts_phases_that_do_not_know_of_the_inversion(rng):
    """Some scanners write the same phase before and after the null."""
    signal, noise = series(rng)
    still = (np.abs(signal + noise) * np.exp(0.4j)).astype(np.complex64)
    assert resolve_mode(still, TIMES, MOLLI, "auto") == "magnitude"


def test_auto_distrusts_phases_that_change_from_frame_to_frame(rng):
    signal, noise = series(rng)
    turned = ((signal + noise) * np.exp(1j * rng.uniform(-np.pi, np.pi, (1, 8, 1, 1)))).astype(np.complex64)
    assert resolve_mode(turned, TIMES, MOLLI, "auto") == "magnitude"


def test_auto_is_not_led_by_a_few_wrapped_values(rng):
    """Magnitudes stored as int16: a few are negative."""
    signal, noise = series(rng)
    images = np.abs(signal + noise)
    images[0, 0, :2, 15] *= -1
    assert resolve_mode(images.astype(np.float32), TIMES, MOLLI, "auto") == "magnitude"


def test_auto_on_decays(rng):
    times = np.array([[0.0, 35.0, 55.0]])
    signal = decay(times[0], rng.uniform(30, 100, (10, 10)))[None]
    assert resolve_mode(signal.astype(np.float32), times, T2, "auto") == "magnitude"
    assert resolve_mode((signal - 0.2).astype(np.float32), times, T2, "auto") == "signed"
    assert resolve_mode((signal * np.exp(1j)).astype(np.complex64), times, T2, "auto") == "complex"


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_auto_on_nothing_is_magnitude(value):
    assert resolve_mode(np.full((1, 8, 3, 3), value, np.complex64), TIMES, MOLLI, "auto") == "magnitude"


def test_what_is_told_goes_before_what_is_seen(rng):
    signal, _ = series(rng)
    assert resolve_mode(signal.astype(np.float32), TIMES, MOLLI, "magnitude") == "magnitude"
    assert resolve_mode(signal.astype(np.complex64), TIMES, MOLLI, "magnitude") == "magnitude"


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


def solution(c0, c1, polarity=2):
    one = np.ones(1)
    return Solution(c0 * one, c1 * one, 800 * one, one, one, np.array([polarity], np.uint8), 0 * one, one > 2, tuple([one] * 6))


def test_open_sign_is_that_of_a_recovery_or_a_decay():
    turned = orient(solution(-1.0, 1.9), MOLLI, "magnitude", 8)
    assert (turned.c0[0], turned.c1[0], int(turned.polarity[0])) == (1.0, -1.9, 6)
    assert (turned.cov[4][0], turned.cov[5][0], turned.cov[2][0]) == (-1.0, -1.0, 1.0)
    assert orient(solution(1.0, -1.9), MOLLI, "magnitude", 8).polarity[0] == 2
    half = orient(solution(-1.0, 1.9), MOLLI, "complex", 8)
    assert (half.c1[0], half.phase[0]) == (-1.9, np.pi)
    assert orient(solution(0.0, -1.0), T2, "complex", 3).c1[0] == 1.0
    assert orient(solution(-1.0, 1.9), MOLLI, "signed", 8).c1[0] == 1.9


def test_slices_of_the_same_times_go_together():
    rows = np.array([[100.0, 900.0, 180.0], [120.0, 920.0, 200.0], [100.0, 900.0, 180.0]])
    found = {tuple(members): (list(times), list(order)) for members, times, order in orders(rows)}
    assert found == {(0, 2): ([100.0, 180.0, 900.0], [0, 2, 1]), (1,): ([120.0, 200.0, 920.0], [0, 2, 1])}


def test_auto_on_real_values_of_which_none_can_be_used_is_magnitude():
    values = np.full((1, 8, 3, 3), np.nan, np.float32)
    values[0, 0, 0, 0] = -1.0
    assert resolve_mode(values, TIMES, MOLLI, "auto") == "magnitude"


@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
def test_auto_does_not_hang_on_the_unit_of_the_images(rng, scale):
    signal, noise = series(rng)
    images = ((signal + noise) * np.exp(0.7j) * scale).astype(np.complex64)
    assert resolve_mode(images, TIMES, MOLLI, "auto") == "complex"
