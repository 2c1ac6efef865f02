"""Curves of runs: what is drawn, the best marked, growing costs little and shows the same as drawing anew."""

from __future__ import annotations

import numpy as np
import pytest

from app.train.curves import LossAxis, TrainCurves
from app.train.preview import PreviewPair
from app.train.run import RunRecord
from engine.core.records.events import Started, Stepped, Validation


def run_of(name, steps, best=20):
    run = RunRecord()
    run.take(Started(f"/runs/{name}", steps=1000))
    for step in range(1, steps + 1):
        run.take(Stepped(step, 1000, 1.0 / step, seconds=step))
        if step % 10 == 0:
            psnr = 40.0 - abs(step - best) / 10
            run.take(Validation(step, {"psnr": psnr}, psnr, "psnr", step <= best))
    return run


@pytest.fixture
def view(qtbot):
    view = TrainCurves()
    qtbot.addWidget(view)
    view.resize(700, 220)
    view.show()
    qtbot.waitExposed(view)
    yield view
    view.stop()


def drawn(plot):
    return [np.stack([item.xData, item.yData]) for item in plot.getPlotItem().listDataItems() if item.xData is not None]


def test_loss_and_scores_are_drawn_and_the_best_is_marked(view):
    run = run_of("a", 40)
    view.set_runs([run])
    raw, smooth = drawn(view.loss)
    np.testing.assert_allclose(raw[1], 1.0 / np.arange(1, 41))
    assert smooth[1].max() < raw[1].max()
    scores, star = drawn(view.score)
    np.testing.assert_array_equal(scores, [[10, 20, 30, 40], [39, 40, 39, 38]])
    np.testing.assert_array_equal(star, [[20], [40]])
    assert "best 40.00 dB at step 20" in view.accessibleDescription()


def test_growing_shows_what_drawing_anew_shows(view, qtbot):
    run = run_of("a", 41)
    view.set_runs([run])
    for step in range(42, 49):
        run.take(Stepped(step, 1000, 1.0 / step, seconds=step))
    view.refresh()
    grown = drawn(view.loss)
    assert grown[0].shape == (2, 48)
    view.draw()
    for before, after in zip(grown, drawn(view.loss), strict=True):
        np.testing.assert_array_equal(before, after)


def test_several_runs_are_told_apart_by_line_and_name(view):
    view.set_runs([run_of("a", 20), run_of("b", 30)])
    pens = [item.opts["pen"] for item in view.loss.getPlotItem().listDataItems()]
    assert len(pens) == 2
    assert pens[0].style() != pens[1].style()
    assert [label.text for _, label in view.legend.items] == ["b", "a"]


def test_another_score_is_shown_where_there_is_one(view):
    run = RunRecord()
    run.take(Validation(5, {"held_db": 11.0}, 11.0, "held_db", best=True))
    view.set_runs([run])
    assert "Samples kept aside" in view.score.getAxis("left").labelText
    view.set_metric("psnr")
    assert drawn(view.score)[0][1].tolist() == [11.0]


def test_nothing_is_drawn_while_it_cannot_be_seen(view):
    view.set_runs([run_of("a", 5)])
    view.hide()
    before = view.drawn
    view.refresh()
    assert view.drawn == before


def test_ticks_of_the_loss_are_round_and_apart(qtbot):
    axis = LossAxis("left")
    ((_, places),) = axis.tickValues(-2.3, 0.1, 200)
    np.testing.assert_allclose(10 ** np.array(places), [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0])
    assert axis.tickStrings(places[:3], 1, 1) == ["0.01", "0.02", "0.05"]
    ((_, wide),) = axis.tickValues(-6, 0.1, 200)
    assert len(wide) == 7


def test_previews_share_a_window_step_together_and_show_the_change(qtbot):
    pair = PreviewPair()
    qtbot.addWidget(pair)
    pair.resize(400, 200)
    before = np.zeros((3, 8, 6), np.float32)
    now = before + np.arange(3, dtype=np.float32)[:, None, None]
    pair.set_series(["before", "now"], [before, now])
    assert pair.titles == ("before", "now", "change ×5")
    assert pair.levels == (0.0, 2.0)
    grey = [[words[0, 0] & 255 for _, words in pair._images] for frame in range(3) if pair.set_frame(frame) is None]
    assert [one[0] for one in grey] == [0, 0, 0]
    assert 0 == grey[0][1] < grey[1][1] < grey[2][1] == 255
    assert grey[1][2] == 255, "a change of half the window, five times brighter, is white"
    pair.set_frame(-1)
    assert pair.frame == 2
    pair.set_series([], [])
    assert pair.frames == 0
    pair.grab()
