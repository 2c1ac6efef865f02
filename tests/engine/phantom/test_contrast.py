"""Signals of mixed pixels, and the truth that belongs to them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from engine.phantom.contrast import Contrast
from engine.phantom.request import PhantomRequest
from engine.phantom.signals import look_locker, look_locker_parameters
from engine.phantom.tissues import Structure, tissues


def half_and_half(first, second):
    """Three pixels: pure, half, pure."""
    shares = np.zeros((len(Structure), 1, 3), np.float32)
    shares[first, 0] = (1.0, 0.5, 0.0)
    shares[second, 0] = (0.0, 0.5, 1.0)
    return shares


@pytest.mark.parametrize("kind", ["cine", "molli", "t2prep"])
def test_simulated_signals_add_up(kind):
    contrast = Contrast(PhantomRequest(kind=kind))
    contrast.set_shares(half_and_half(Structure.LV_BLOOD, Structure.LV_MYOCARDIUM))
    for frame in range(3):
        one, mixed, other = contrast.image(frame)[0]
        assert mixed == pytest.approx(0.5 * (one + other), rel=1e-5)


def test_fat_and_water_cancel_at_their_border():
    contrast = Contrast(PhantomRequest(kind="cine"))
    contrast.set_shares(half_and_half(Structure.FAT, Structure.LIVER))
    one, mixed, other = np.abs(contrast.image(0)[0])
    assert mixed < 0.6 * min(one, other)


def test_analytic_maps_mix_parameters_by_density():
    contrast = Contrast(PhantomRequest(kind="molli", analytic=True, rr_ms=1000.0))
    shares = half_and_half(Structure.LV_BLOOD, Structure.FAT)
    contrast.set_shares(shares)
    maps = contrast.maps(np.argmax(shares, axis=0).astype(np.uint8))
    blood, fat = (tissues(3.0)[s] for s in (Structure.LV_BLOOD, Structure.FAT))
    density = 0.5 * (blood.pd + fat.pd)
    t1 = 0.5 * (blood.pd * blood.t1_ms + fat.pd * fat.t1_ms) / density
    t2 = 0.5 * (blood.pd * blood.t2_ms + fat.pd * fat.t2_ms) / density
    assert maps["t1_ms"][0, 1] == pytest.approx(t1, rel=1e-6)
    assert maps["t2_ms"][0, 1] == pytest.approx(t2, rel=1e-6)
    assert maps["pd"][0, 1] == pytest.approx(density, rel=1e-6)
    a, b, t1_star = look_locker_parameters(np.array(t1), np.array(t2), np.array(density), 1000.0)
    for frame, time in enumerate(PhantomRequest(kind="molli", rr_ms=1000.0).times_ms()):
        assert contrast.image(frame)[0, 1] == pytest.approx(look_locker(time, a, b, t1_star), rel=1e-4)


def test_myocardium_is_the_brightest_it_gets():
    contrast = Contrast(PhantomRequest(kind="t2prep", analytic=True))
    assert contrast.myocardium == pytest.approx(0.8)


def test_nothing_gives_no_signal():
    for kind in ("cine", "molli", "t2prep"):
        for analytic in (False, True):
            contrast = Contrast(PhantomRequest(kind=kind, analytic=analytic))
            shares = np.zeros((len(Structure), 2, 2), np.float32)
            shares[0] = 1.0
            contrast.set_shares(shares)
            assert np.abs(contrast.image(0)).max() == 0.0
            for name, values in contrast.maps(np.zeros((2, 2), np.uint8)).items():
                assert np.all(values == 0.0), name


def fitted(**options):
    """Truth of each structure, in a row of pure pixels."""
    contrast = Contrast(PhantomRequest(**options))
    contrast.set_shares(np.eye(len(Structure), dtype=np.float32)[:, None])
    return {name: values[0] for name, values in contrast.maps(np.arange(len(Structure), dtype=np.uint8)[None]).items()}


def test_readings_are_relaxation_times_or_nothing():
    """Bone is read while it is saturated, and at two late echoes it is the same: a fit says T1 < 0, T2 = 1e18 ms."""
    for options in ({"kind": "molli"}, {"kind": "molli", "scheme": "4(1)3(1)2", "rr_ms": 400.0}):
        readings = fitted(**options)["t1_fit_ms"]
        assert np.all((readings == 0.0) | ((readings > 20.0) & (readings < 10_000.0)))
        assert readings[Structure.BONE] == 0.0
        assert readings[Structure.LV_MYOCARDIUM] == pytest.approx(1200.0, rel=0.02)
    late = fitted(kind="t2prep", echo_times_ms=(35.0, 55.0))
    assert late["t2_fit_ms"][Structure.BONE] == 0.0
    assert late["t2_ms"][Structure.BONE] == pytest.approx(0.6)


def test_a_signal_that_never_crosses_zero_is_inverted_all_the_same():
    """At RR 400 the third image of blood comes before its zero: A and B are positive, as in tissue that crosses it."""
    row = fitted(kind="molli", scheme="3", rr_ms=400.0)
    blood = {name: float(values[Structure.LV_BLOOD]) for name, values in row.items()}
    assert blood["b"] > blood["a"] > 0
    assert blood["a"] - blood["b"] * np.exp(-920.0 / blood["t1_star_ms"]) < 0
    assert blood["t1_fit_ms"] == pytest.approx(blood["t1_star_ms"] * (blood["b"] / blood["a"] - 1), rel=1e-6)
    assert 1600 < blood["t1_fit_ms"] < 1850


@pytest.mark.parametrize("kind", ["molli", "t2prep"])
def test_analytic_readings_are_the_tissue_itself(kind):
    truth = fitted(kind=kind, analytic=True)
    name = "t1" if kind == "molli" else "t2"
    np.testing.assert_array_equal(truth[f"{name}_fit_ms"], truth[f"{name}_ms"])
    assert truth[f"{name}_ms"][Structure.LV_BLOOD] == pytest.approx(1850.0 if kind == "molli" else 150.0)


def test_a_of_t2_prep_is_the_signal_without_preparation():
    """Three echoes of tissue, simulated: the line through their logarithms starts near the first."""
    contrast = Contrast(PhantomRequest(kind="t2prep"))
    shares = half_and_half(Structure.LV_MYOCARDIUM, Structure.LV_BLOOD)
    contrast.set_shares(shares)
    a = contrast.maps(np.argmax(shares, axis=0).astype(np.uint8))["a"][0]
    np.testing.assert_allclose(a[[0, 2]], np.abs(contrast.image(0)[0, [0, 2]]), rtol=0.02)


def test_field_strength_changes_the_contrast():
    low, high = (Contrast(PhantomRequest(kind="cine", field_t=field)).myocardium for field in (1.5, 3.0))
    assert low > 1.1 * high


def test_importing_the_phantom_loads_neither_torch_nor_scipy():
    script = (
        "import sys, engine.phantom.acquire, engine.phantom.simulate; print([m for m in ('torch', 'scipy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "[]"
