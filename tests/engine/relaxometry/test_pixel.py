"""The curve of one pixel: the same numbers as the map's, the samples with their sign, intervals that cover the truth."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from engine import api
from engine.core.errors import InputError
from engine.core.maps import FitRequest, Reason
from engine.relaxometry import pixel as module
from tests.engine.relaxometry.problems import SCHEMES, decay, recovery

TIMES = SCHEMES["4(1)3(1)2"]


def images(rng, kind, snr=40):
    t1 = rng.uniform(400, 1800, (6, 5))
    signal = recovery(TIMES, t1, np.full(t1.shape, 1.9))
    z = signal + (rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape)) / snr
    if kind == "complex":
        return (z * np.exp(1j * rng.uniform(-3, 3, t1.shape)))[None].astype(np.complex64), signal
    return (np.abs(z) if kind == "magnitude" else z.real)[None].astype(np.float32), signal


@pytest.mark.parametrize("kind", ["magnitude", "signed", "complex"])
def test_pixel_is_that_of_the_map(rng, kind):
    stack, signal = images(rng, kind)
    maps = api.fit_maps(stack, FitRequest(signed=kind, efficiency=0.97), times_ms=TIMES)
    for y, x in ((0, 0), (5, 4), (2, 3)):
        one = api.fit_pixel(maps, 0, y, x)
        for name, (value, low, high, unit) in one.parameters.items():
            assert value == pytest.approx(float(maps.maps[name].values[0, y, x]), rel=1e-5)
            sd = float(maps.maps[name].sd[0, y, x])
            free = len(TIMES) * (2 if kind == "complex" else 1) - (4 if kind == "complex" else 3)
            student = {6: 2.446912, 14: 2.144787}[free]
            assert high - low == pytest.approx(2 * student * sd, rel=1e-4)
            assert unit == maps.maps[name].unit
        assert one.r2 == pytest.approx(float(maps.r2[0, y, x]))
        assert np.allclose(one.times_ms, TIMES)  # as acquired
        sure = np.abs(signal[:, y, x]) > 0.15
        assert np.array_equal(np.sign(one.samples[sure]), np.sign(signal[sure, y, x]))
        assert np.allclose(np.abs(one.samples), np.abs(stack[0, :, y, x]), atol=0.1)
        drawn = np.interp(one.times_ms, one.curve_times_ms, one.curve)
        assert np.allclose(one.samples - drawn, one.residuals, atol=5e-3)
        assert one.curve_times_ms[0] == 0
        assert one.curve_times_ms[-1] > TIMES.max()


def test_pixel_of_a_decay(rng):
    times = np.array([35.0, 0.0, 55.0, 80.0])
    maps = api.fit_maps((decay(times, np.full((2, 2), 50.0)) + 0.1)[None].astype(np.float32), FitRequest("t2prep3"), times_ms=times)
    one = api.fit_pixel(maps, 0, 1, 1)
    assert list(one.parameters) == ["t2_ms", "a", "c"]
    assert one.parameters["t2_ms"][0] == pytest.approx(50.0, abs=0.05)
    assert one.curve[0] == pytest.approx(1.1, abs=1e-3)


def test_intervals_cover_the_truth_as_often_as_they_say(rng):
    t1 = np.full((40, 50), 1100.0)
    z = recovery(TIMES, t1, np.full(t1.shape, 1.9)) + 0.02 * rng.standard_normal((9, 40, 50))
    maps = api.fit_maps(z[None].astype(np.float32), FitRequest(signed="signed"), times_ms=TIMES)
    ends = np.array([api.fit_pixel(maps, 0, y, x).parameters["t1_ms"][1:3] for y in range(40) for x in range(50)])
    covered = np.mean((ends[:, 0] <= 1100.0) & (ends[:, 1] >= 1100.0))
    assert covered == pytest.approx(0.95, abs=0.02)


def test_pixels_without_a_value(rng):
    stack, _ = images(rng, "magnitude")
    stack[0, 3, 0, 0], stack[0, :, 1, 1] = np.nan, 0.001
    maps = api.fit_maps(stack, FitRequest(), times_ms=TIMES)
    broken, dark = api.fit_pixel(maps, 0, 0, 0), api.fit_pixel(maps, 0, 1, 1)
    assert (broken.reason, dark.reason) == (Reason.NOT_FINITE, Reason.BACKGROUND)
    assert broken.parameters == dark.parameters == {}
    assert broken.curve.size == 0
    assert np.isnan(broken.samples).sum() == 1


def test_no_degrees_of_freedom_means_no_interval():
    times = np.array([0.0, 55.0])
    maps = api.fit_maps(decay(times, np.full((1, 1), 50.0))[None].astype(np.float32), FitRequest("t2prep2"), times_ms=times)
    value, low, high, _ = api.fit_pixel(maps, 0, 0, 0).parameters["t2_ms"]
    assert value == pytest.approx(50.0, abs=0.01)
    assert math.isnan(low)
    assert math.isnan(high)


def test_pixel_outside_is_refused(rng):
    maps = api.fit_maps(images(rng, "magnitude")[0], FitRequest(), times_ms=TIMES)
    with pytest.raises(InputError, match="no pixel slice 0, y 6, x 0"):
        api.fit_pixel(maps, 0, 6, 0)


def test_pixel_of_a_network_is_drawn_from_its_maps(rng):
    maps = api.fit_maps(images(rng, "magnitude", 1e4)[0], FitRequest(), times_ms=TIMES)
    estimated = replace(maps, model="mapping_t1")
    one, fitted = api.fit_pixel(estimated, 0, 2, 2), api.fit_pixel(maps, 0, 2, 2)
    assert np.allclose(one.curve, fitted.curve, atol=1e-4)
    assert np.allclose(one.samples, fitted.samples)
    assert math.isnan(one.parameters["t1_ms"][1])


def test_a_click_fits_one_pixel(rng, monkeypatch):
    maps = api.fit_maps(images(rng, "magnitude")[0], FitRequest(), times_ms=TIMES)
    fitted = []
    original = module.solve
    monkeypatch.setattr(module, "solve", lambda samples, *rest: fitted.append(samples.shape) or original(samples, *rest))
    api.fit_pixel(maps, 0, 1, 1)
    assert fitted == [(len(TIMES), 1)]
