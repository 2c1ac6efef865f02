"""The benchmark of maps: its lines are complete, and its alternatives are what they are called."""

from __future__ import annotations

import numpy as np
import pytest

from engine.bench import BENCHES
from engine.bench import relaxometry as module
from engine.core.jobs import silent


def test_lines_name_every_alternative(monkeypatch):
    monkeypatch.setattr(module, "TIMES_T2", {"3 TE": module.TIMES_T2["3 TE"]})
    results = list(BENCHES.get("relaxometry").run(True, silent()))
    names = {r.other for r in results}
    assert {"scipy curve_fit, magnitude, one start", "scipy curve_fit, all polarities", "scipy curve_fit"} <= names
    assert {"dictionary match, 700 entries", "our torch form (without numba)"} <= names
    for r in results:
        assert r.ratio == pytest.approx(r.other_s / r.ours_s)
        assert "rms z" in r.quality_ours
        assert "Mpx/s" in r.quality_other
    slow = next(r for r in results if r.other == "scipy curve_fit, all polarities")
    assert slow.ratio > 1000


def test_problem_is_bounded_rightly():
    """The bound of the problem is that of a numerical Jacobian."""
    problem = module.molli(3)
    rng = np.random.default_rng(20261121)
    t1, ratio, snr = (rng.uniform(*limits, 3) for limits in (module.RANGE_T1_MS, module.RATIO, module.SNR))
    for i in range(3):

        def signal(p):
            return p[0] - p[1] * np.exp(-problem.times / p[2])

        p = np.array([1.0, ratio[i], t1[i] / (ratio[i] - 1)])
        steps = np.diag([1e-6, 1e-6, 1e-3])
        jacobian = np.stack([(signal(p + h) - signal(p - h)) / (2 * h.max()) for h in steps], -1)
        gradient = np.array([-p[2] * p[1], p[2], ratio[i] - 1])
        assert problem.bound[i] == pytest.approx(
            np.sqrt(gradient @ np.linalg.inv(jacobian.T @ jacobian) @ gradient) / snr[i], rel=1e-4
        )


def test_others_find_the_truth_without_noise():
    """Each alternative is a fair one: it recovers what has no noise, as far as it can."""
    problem = module.molli(400)
    clean = np.abs(1 - 1.86 * np.exp(-problem.times[:, None] * 0.86 / problem.truth)).astype(np.float32)
    still = module.Problem(clean, problem.times, problem.truth, problem.bound)
    assert np.allclose(module.scipy_all_polarities(still, 6), still.truth[:6], rtol=1e-3)
    assert np.median(np.abs(module.scipy_one_start(still, 30) / still.truth[:30] - 1)) < 1e-3
    assert np.median(np.abs(module.dictionary_match(still, True) / still.truth - 1)) < 0.01
    decays = module.t2prep(50, module.TIMES_T2["9 TE"])
    clean = np.exp(-decays.times[:, None] / decays.truth).astype(np.float32)
    still = module.Problem(clean, decays.times, decays.truth, decays.bound)
    assert np.allclose(module.scipy_t2(still, 10), still.truth[:10], rtol=1e-3)
    assert np.allclose(module.dictionary_match(still, False), still.truth, rtol=0.02)


def test_mrpro_is_left_out_where_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(module, "module", lambda _: None)
    assert module.mrpro_fit(module.molli(4), True, 0) is None
