"""Covariances against a numerical Jacobian, and intervals against the table of Student's t."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.relaxometry.contract import MODELS
from engine.relaxometry.signal import amplitudes, parameters
from engine.relaxometry.solve import solve
from engine.relaxometry.uncertainty import degrees_of_freedom, half_width, variances
from tests.engine.relaxometry.problems import SCHEMES

TIMES = {"T1": np.sort(SCHEMES["5(3)3"]), "T2": np.array([0.0, 20.0, 35.0, 55.0, 90.0])}
AMPLITUDES = {"molli3": (1.0, -1.9, 700.0), "ir3": (1.0, -1.9, 900.0), "t2prep2": (0.0, 1.0, 50.0), "t2prep3": (0.1, 0.9, 45.0)}


def numerical(model, times, c0, c1, tau, efficiency):
    """Return the variance of each parameter by finite differences of the signal, for noise of variance 1."""
    x = np.array([c0, c1, np.log(tau)] if model.offset else [c1, np.log(tau)])

    def split(x):
        return (x[0], x[1], np.exp(x[2])) if model.offset else (0.0, x[0], np.exp(x[1]))

    def signal(x):
        a, b, t = split(x)
        return a + b * np.exp(-times / t)

    def read(x):
        return np.array(list(parameters(model, *split(x), efficiency).values()))

    def jacobian(f):
        steps = 1e-6 * np.eye(len(x))
        return np.stack([(f(x + h) - f(x - h)) / 2e-6 for h in steps], axis=-1)

    inverse = np.linalg.inv(jacobian(signal).T @ jacobian(signal))
    g = jacobian(read)
    return dict(zip(parameters(model, *split(x), efficiency), np.einsum("ij,jk,ik->i", g, inverse, g), strict=True))


@pytest.mark.parametrize("name", AMPLITUDES)
@pytest.mark.parametrize("efficiency", [1.0, 0.9653])
def test_variances_are_those_of_a_numerical_jacobian(name, efficiency):
    model = MODELS.get(name)
    if efficiency != 1.0 and not model.look_locker:
        return
    times, (c0, c1, tau) = TIMES[model.quantity], AMPLITUDES[name]
    samples = (c0 + c1 * np.exp(-times / tau)).astype(np.float32)[:, None]
    found = solve(samples, times, model, "signed", "cpu")
    ours = variances(model, found.c0, found.c1, found.tau, found.cov, efficiency)
    theirs = numerical(model, times, c0, c1, tau, efficiency)
    assert list(ours) == list(model.parameters)
    for parameter, value in theirs.items():
        assert float(ours[parameter][0]) == pytest.approx(value, rel=1e-3), parameter


@pytest.mark.parametrize("name", AMPLITUDES)
def test_amplitudes_undo_parameters(name):
    model, (c0, c1, tau) = MODELS.get(name), AMPLITUDES[name]
    assert amplitudes(model, parameters(model, c0, c1, tau, 0.97)) == pytest.approx((c0, c1, tau))


def test_variances_do_not_depend_on_the_sign_that_is_open():
    """A magnitude fit whose polarity was counted from the other end has the same uncertainty."""
    model, times = MODELS.get("molli3"), TIMES["T1"]
    signal = (1.0 - 1.9 * np.exp(-times / 700.0)).astype(np.float32)[:, None]
    up, down = (solve(s, times, model, "signed", "cpu") for s in (signal, -signal))
    for name in model.parameters:
        a, b = (float(variances(model, f.c0, f.c1, f.tau, f.cov, 1.0)[name][0]) for f in (up, down))
        assert a == pytest.approx(b, rel=1e-6)


def test_degrees_of_freedom():
    molli, t2 = MODELS.get("molli3"), MODELS.get("t2prep2")
    assert degrees_of_freedom(molli, 8, "magnitude") == 5
    assert degrees_of_freedom(molli, 3, "signed") == 0
    assert degrees_of_freedom(molli, 8, "complex") == 12  # 16 numbers, 3 parameters and a phase
    assert degrees_of_freedom(t2, 3, "magnitude") == 1


def test_half_width_is_students_t():
    assert half_width(5) == pytest.approx(2.570582, abs=1e-6)
    assert half_width(1) == pytest.approx(12.706205, abs=1e-5)
    assert math.isnan(half_width(0))
