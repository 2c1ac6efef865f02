"""Events of a run become curves, words and a time left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.train.run import Growing, RunRecord, event_words, of_history, same_levels, smoothed, thinned
from engine.core.records.events import Ended, Paused, Registered, Skipped, Started, Stepped, Validation
from tests.app.train.stand_in import run_record


def told(*events):
    run = RunRecord()
    for event in events:
        run.take(event)
    return run


def test_curves_grow_and_forget_what_a_resumed_run_repeats():
    grown = Growing()
    for step in range(1, 1001):
        grown.add(step, 1.0 / step)
    grown.add(501, 7.0)
    steps, values = grown.curve()
    np.testing.assert_array_equal(steps, np.arange(1, 502))
    assert values[-1] == 7.0
    assert values[499] == pytest.approx(1 / 500)


def test_thinning_keeps_mean_and_leaves_out_what_is_not_finite():
    steps = np.arange(10_000.0)
    values = np.sin(steps / 500)
    values[17] = np.nan
    x, y = thinned((steps, values), 100)
    assert x.size == 100
    good = np.isfinite(values)
    sizes = np.diff(np.append(np.linspace(0, good.sum(), 101).astype(int)[:-1], good.sum()))
    assert np.average(y, weights=sizes) == pytest.approx(values[good].mean())
    assert np.average(x, weights=sizes) == pytest.approx(steps[good].mean())
    short = (steps[:50], np.ones(50))
    assert thinned(short, 100)[0].size == 50


def test_smoothing_keeps_a_straight_line_inside_and_lowers_noise():
    steps = np.arange(200.0)
    _, line = smoothed((steps, 2 * steps))
    np.testing.assert_allclose(line[20:-20], 2 * steps[20:-20])
    noise = np.random.default_rng(0).standard_normal(200)
    assert smoothed((steps, noise))[1].std() < 0.35 * noise.std()


def test_time_left_follows_the_speed_of_late_and_the_limit_in_minutes():
    run = told(Started("/runs/a", steps=100))
    assert run.seconds_left() is None
    for step in range(1, 11):
        run.take(Stepped(step, 100, 1.0, seconds=100 + 2.0 * step))
    assert run.seconds_left() == pytest.approx(180)
    assert run.seconds_left(minutes=3) == pytest.approx(60)
    assert run.fraction == pytest.approx(0.1)


def test_the_best_is_what_the_engine_says_whatever_it_is_measured_in():
    run = told(
        Validation(0, {"psnr": 30.0, "ssim": 0.8}, 30.0, "psnr", best=True, preview="a"),
        Validation(5, {"psnr": 29.0, "ssim": 0.9}, 29.0, "psnr", preview="b"),
    )
    assert (run.best, run.best_step, run.metric) == (30.0, 0, "psnr")
    assert (run.first_preview, run.last_preview, run.last_preview_step) == ("a", "b", 5)
    blind = told(Validation(3, {"held_db": 11.5}, 11.5, "held_db", best=True))
    assert (blind.best, blind.metric) == (11.5, "held_db")
    assert blind.scores["held_db"].curve()[1][0] == 11.5


def test_words_of_events():
    assert "440,941 parameters" in event_words(Started("/runs/a", "net", parameters=440941, device="CPU"))
    assert event_words(Validation(3, {"psnr": 31.234}, 31.234, "psnr", best=True)) == "step 3: PSNR 31.23 dB, best so far"
    assert event_words(Stepped(1)) == event_words(Paused(1)) == ""
    assert event_words(Skipped("a.h5", "damaged")) == "skipped a.h5: damaged"
    assert "Stopped at step 7" in event_words(Ended(7, "stop", seconds=9))
    assert event_words(Registered("net-b", 31.0, 40)) == "weights net-b are in the library (31.00 dB at step 40)"
    assert event_words(Registered("net-b")) == "weights net-b are in the library"


def test_a_run_of_the_list_has_its_log_or_at_least_its_history():
    info = replace(run_record("/r/a", 20, 50), best=31.0, best_step=20)
    run = of_history(info)
    assert run.scores["psnr"].curve()[1].tolist() == [30.0, 32.0]
    assert (run.best, run.steps, run.weights) == (31.0, 50, "")
    full = of_history(info, [Stepped(1, loss=0.5), Validation(9, {"psnr": 28.0})])
    assert full.loss.curve()[1].tolist() == [0.5]
    assert full.scores["psnr"].curve()[0].tolist() == [9.0]


def test_pictures_share_one_window():
    dark, bright = np.full((2, 4, 4), 1.0, np.float32), np.full((2, 4, 4), 3.0, np.float32)
    assert same_levels([dark, bright]) == (0.0, 3.0)
    assert same_levels([]) == (0.0, 1e-12)
