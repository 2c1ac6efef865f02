"""Signal equations and their fits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from engine.phantom.scheme import parse_scheme
from engine.phantom.signals import bssfp, fit_look_locker, fit_t2, look_locker, look_locker_parameters, t2_decay


def test_look_locker_correction_is_exact():
    t1, t2, pd = np.array([500.0, 1400.0, 1850.0]), np.array([45.0, 45.0, 150.0]), np.array([0.8, 0.8, 0.95])
    a, b, t1_star = look_locker_parameters(t1, t2, pd, 900.0)
    np.testing.assert_allclose(t1_star * (b / a - 1.0), t1, rtol=1e-12)
    assert np.all(t1_star < t1)


def test_look_locker_ratio_is_that_of_real_myocardium():
    """Native scans read B/A 2.5 ... 2.6 and T1* 740 ... 810 ms at RR 750 (true T1 near 1400)."""
    a, b, t1_star = look_locker_parameters(np.array(1400.0), np.array(45.0), np.array(1.0), 750.0)
    assert 2.4 < b / a < 2.8
    assert 720 < t1_star < 900


@pytest.mark.parametrize("scheme", ["5(3)3", "4(1)3(1)2", "3(3)3(3)5"])
@pytest.mark.parametrize("t1_star", [180.0, 844.0, 2600.0])
def test_fit_recovers_what_made_the_signal(scheme, t1_star):
    times = np.array(parse_scheme(scheme).times_ms(850.0))
    a, b, found = fit_look_locker(times, look_locker(times, 0.31, 0.74, t1_star))
    assert (a, b, found) == pytest.approx((0.31, 0.74, t1_star), rel=1e-4)


def test_fit_is_the_least_squares_optimum(rng):
    times = np.array(parse_scheme("5(3)3").times_ms(900.0))
    signal = look_locker(times, 0.3, 0.73, 850.0) + 0.01 * rng.normal(size=times.size)
    expected, _ = curve_fit(lambda t, a, b, c: a - b * np.exp(-t / c), times, signal, p0=(0.3, 0.7, 800.0))
    assert fit_look_locker(times, signal) == pytest.approx(tuple(expected), rel=1e-4)


def test_t2_fit_recovers_what_made_the_signal():
    echoes = (0.0, 35.0, 55.0)
    assert fit_t2(echoes, np.array([t2_decay(t, 0.8, 45.0) for t in echoes])) == pytest.approx((0.8, 45.0), rel=1e-12)


def test_bssfp_tends_to_the_ratio_of_t2_and_t1():
    """TR much shorter than T1 and T2, at the best flip angle: half the root of T2 / T1 (Scheffler, Eur Radiol 2003;13:2409)."""
    from engine.phantom.sequences import Readout

    t1, t2 = 1000.0, 100.0
    best = np.rad2deg(np.arccos((t1 / t2 - 1.0) / (t1 / t2 + 1.0)))
    signal = bssfp(np.array(t1), np.array(t2), np.array(1.0), Readout(flip_deg=best, tr_ms=0.02, te_ms=0.01))
    assert float(signal) == pytest.approx(0.5 * np.sqrt(t2 / t1), rel=1e-3)
