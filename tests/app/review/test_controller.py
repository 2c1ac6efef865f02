"""What panes and player ask for; cursor, window, profile, flip, scores."""

from __future__ import annotations

import csv
import dataclasses
import threading

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QLabel, QTableView

from app.review.controller import WEIGHTED_FPS
from app.review.player import DEFAULT_FPS
from engine.core.types import Kind, SamplingMask
from tests.app.stand_in import kspace


def settled(window):
    return lambda: not window.runner.active() and not window.sampling.pending and not window.reconstruct.running


@pytest.fixture
def compared(loaded, qtbot):
    loaded.panels.methods.model.set_ticked(["zero_filled", "cg_sense"])
    loaded.reconstruct.run()
    qtbot.waitUntil(lambda: settled(loaded)() and all(r.scores for r in loaded.session.current.results))
    loaded.review.refresh()
    return loaded


def test_wheel_and_player_move_the_same_view(loaded, qtbot):
    grid, player = loaded.review_panel.grid, loaded.review_panel.player
    grid.frameRequested.emit(2)
    assert loaded.session.current.view.frame == 2
    player.frameChanged.emit(3)
    assert loaded.session.current.view.frame == 3
    grid.sliceRequested.emit(-1)
    assert loaded.session.current.view.slice_index == 0
    loaded.review.refresh()
    assert loaded.review.display.frame == 3
    assert loaded.review.display.slice_index == 0
    qtbot.waitUntil(settled(loaded))


def test_many_changes_draw_once(loaded, qtbot, monkeypatch):
    drawn = []
    grid = loaded.review_panel.grid
    apply = grid.apply
    monkeypatch.setattr(grid, "apply", lambda display: drawn.append(display) or apply(display))
    for frame in (1, 2, 3, 0, 1):
        loaded.review.look(frame=frame)
    qtbot.waitUntil(lambda: bool(drawn))
    qtbot.wait(30)
    assert len(drawn) == 1


def test_window_drags_undo_as_one_step(loaded):
    grid = loaded.review_panel.grid
    for high in (1.0, 2.0, 3.0):
        grid.windowChanged.emit(0.0, high)
    grid.dragFinished.emit()
    grid.windowChanged.emit(0.0, 9.0)
    grid.dragFinished.emit()
    loaded.session.undo()
    assert loaded.session.current.view.window == (0.0, 3.0)
    grid.windowReset.emit()
    assert loaded.session.current.view.window is None
    loaded.session.undo()
    loaded.session.undo()
    assert loaded.session.current.view.window is None
    assert loaded.session.history.undo_step is None


def test_the_profile_moves_and_comes_back(loaded):
    grid = loaded.review_panel.grid
    grid.viewEdited.emit("move the profile", {"profile": (1.0, 2.0, 3.0, 4.0)})
    assert loaded.session.current.view.profile == (1.0, 2.0, 3.0, 4.0)
    loaded.session.undo()
    assert loaded.session.current.view.profile is None


def test_the_percentile_changes_region_and_scores_and_can_be_undone(compared, engine, qtbot):
    before, count = compared.session.current.region, sum(call[0] == "evaluate" for call in engine.calls)
    compared.findChild(QDoubleSpinBox, "inspector.percentile").setValue(70)
    qtbot.waitUntil(lambda: settled(compared)() and compared.session.current.region is not before)
    assert compared.session.current.region.pixels.sum() > before.pixels.sum()
    assert sum(call[0] == "evaluate" for call in engine.calls) == count + 6
    compared.session.undo()
    assert compared.session.current.view.region_percentile == 90
    qtbot.waitUntil(settled(compared))


def test_scores_are_taken_once_and_shown_for_the_chosen_region(compared, engine, qtbot):
    assert sum(call[0] == "evaluate" for call in engine.calls) == 6, "two results, three regions"
    table = compared.panels.inspector.scores
    assert table.rowCount() == 2
    combo = compared.findChild(QComboBox, "inspector.region")
    combo.setCurrentIndex(1)
    combo.activated.emit(1)
    assert compared.session.current.view.score_region == "dynamic"
    assert table.rowCount() == 2
    assert compared.findChild(QLabel, "inspector.hint").text().startswith("Slice 2, all frames")


def test_cursor_values_of_all_panes(compared):
    compared.review_panel.grid.cursorMoved.emit(4, 6)
    values = compared.panels.inspector.values
    assert [values.index(row, 0).data() for row in range(values.rowCount())] == ["Reference", "Zero-filled", "CG-SENSE"]
    assert values.index(0, 1).data() != "–"
    assert compared.findChild(QLabel, "inspector.cursor").text() == "x 4  y 6"
    before = compared.status_bar.cursor_label.text()
    compared.review.look(frame=3)
    compared.review.refresh()
    assert compared.status_bar.cursor_label.text() != before, "the value follows the frame"
    compared.review_panel.grid.cursorLeft.emit()
    assert values.index(0, 1).data() == "–"


def test_the_status_bar_tells_the_value_of_the_picture_under_the_mouse(compared):
    grid, label, values = compared.review_panel.grid, compared.status_bar.cursor_label, compared.panels.inspector.values
    told = {}
    for pane in [grid.pane("reference"), *(grid.pane(result.key) for result in compared.session.current.results)]:
        QTest.mouseMove(pane, pane.rect().center())
        told[pane.frame.title] = label.text().split(": ")[1]
    expected = {values.index(row, 0).data(): values.index(row, 1).data() for row in range(values.rowCount())}
    assert told == {title: f"{title} {value}" for title, value in expected.items()}
    assert len(set(told.values())) == 3


def test_flip_takes_the_selected_pane(compared):
    grid = compared.review_panel.grid
    first, last = compared.session.current.results[0].key, compared.session.current.results[1].key
    compared.review.set_flip(True)
    assert grid.pane(last).frame.key == "reference"
    compared.review.set_flip(False)
    grid.paneClicked.emit(first)
    compared.review.toggle_flip()
    assert grid.pane(first).frame.key == "reference"
    compared.review.toggle_flip()
    grid.paneClicked.emit("reference")
    compared.review.set_flip(True)
    assert grid.pane("reference").frame.key == last
    compared.review.set_flip(False)
    assert grid.pane("reference").frame.key == "reference"


def test_scores_as_csv(compared, qtbot, tmp_path):
    compared.actions_by_key["edit.copy_scores"].trigger()
    rows = list(csv.DictReader(QGuiApplication.clipboard().text().splitlines()))
    assert len(rows) == 2 * 3 * 3
    compared.review.export_scores(str(tmp_path / "scores.csv"))
    qtbot.waitUntil(settled(compared))
    assert list(csv.DictReader((tmp_path / "scores.csv").read_text().splitlines())) == rows


def test_scores_that_cannot_be_written_are_told(compared, qtbot, tmp_path):
    shown = []
    compared.errors.shown.connect(shown.append)
    compared.review.export_scores(str(tmp_path / "nowhere" / "scores.csv"))
    qtbot.waitUntil(settled(compared))
    assert "does not exist" in shown[0].message


def test_exporting_without_scores_says_so(loaded):
    shown = []
    loaded.errors.shown.connect(shown.append)
    loaded.review.export_scores_dialog()
    assert "no scores yet" in shown[0].message


def test_rotate_and_mirror_can_be_undone(loaded):
    loaded.review.rotate()
    loaded.review.mirror()
    assert (loaded.session.current.view.quarter_turns, loaded.session.current.view.flipped) == (1, True)
    loaded.session.undo()
    loaded.session.undo()
    assert (loaded.session.current.view.quarter_turns, loaded.session.current.view.flipped) == (0, False)


def test_gains_go_round(loaded):
    seen = []
    for _ in range(5):
        loaded.review.cycle_gain()
        seen.append(loaded.review.looking.error_gain)
    assert seen == [10.0, 20.0, 1.0, 2.0, 5.0]


def test_view_habits_are_remembered_for_the_next_series(loaded, settings, qtbot):
    from tests.app.stand_in import kspace

    loaded.review.toggle_profile()
    loaded.review.cycle_error()
    session = loaded.session
    session.insert(session.new_case(kspace(), "next"))
    assert not session.current.view.show_profile
    assert session.current.view.error_mode == "signed"
    qtbot.waitUntil(settled(loaded))


def test_a_failing_reference_is_told_once_and_not_asked_for_again(window, engine, qtbot):
    from engine.core.errors import InputError
    from tests.app.stand_in import kspace

    def broken(*_):
        engine.calls.append(("reference", "broken"))
        raise InputError("k-space of slice 1 holds 3 values that are NaN", "Leave out this slice.")

    engine.reference = broken
    window.session.insert(window.session.new_case(kspace(), "nan"))
    qtbot.waitUntil(lambda: settled(window)() and window.session.current.mask is not None)
    assert sum(call[0] == "reference" for call in engine.calls) == 3, "once for each slice"
    assert len(window.errors.log) >= 1


@pytest.mark.parametrize(("kind", "outlined"), [(Kind.CINE, True), (Kind.UNKNOWN, True), (Kind.MOLLI, False), (Kind.T2PREP, False)])
def test_only_motion_is_outlined_by_itself(window, qtbot, kind, outlined):
    session = window.session
    session.insert(session.new_case(kspace(kind=kind), "series"))
    qtbot.waitUntil(lambda: session.current.region is not None and not window.runner.active())
    assert session.current.view.show_region is outlined
    window.review.toggle_region()
    assert session.current.view.show_region is not outlined


def test_a_cine_without_times_is_not_played_as_slowly_as_the_contrasts_before_it(window, qtbot):
    session, player = window.session, window.review_panel.player
    session.insert(session.new_case(kspace(kind=Kind.MOLLI), "contrasts"))
    assert player.rate() == WEIGHTED_FPS
    session.insert(session.new_case(dataclasses.replace(kspace(), times_ms=None), "cine"))
    assert player.rate() == DEFAULT_FPS
    qtbot.waitUntil(lambda: not window.runner.active() and not window.sampling.pending)


def test_values_of_a_removed_pane_are_forgotten(compared):
    loaded = compared
    grid, values = loaded.review_panel.grid, loaded.panels.inspector.values
    grid.cursorMoved.emit(5, 6)
    grid.cursorLeft.emit()
    assert values.rowCount() == 3
    loaded.review.select(loaded.session.current.results[-1].key)
    loaded.results.remove_selected()
    loaded.review.refresh()
    assert [values.index(row, 0).data() for row in range(values.rowCount())] == ["Reference", "Zero-filled"]


def test_what_cannot_be_shown_is_told_to_screen_readers(window, qtbot):
    session = window.session
    mask = SamplingMask(np.arange(32).reshape(1, 32, 1) % 2 == 0, "acquired")
    session.insert(session.new_case(kspace(acquired=mask), "undersampled"))
    qtbot.waitUntil(lambda: session.current.preview is not None and not window.runner.active())
    window.review.refresh()
    assert "No reference" in window.review_panel.grid.accessibleDescription()


def test_zoom_by_keys(loaded):
    grid, actions = loaded.review_panel.grid, loaded.actions_by_key
    actions["view.zoom_in"].trigger()
    actions["view.zoom_in"].trigger()
    assert grid.camera.zoom == pytest.approx(1.5625)
    actions["view.zoom_out"].trigger()
    assert grid.camera.zoom == pytest.approx(1.25)
    actions["view.zoom_reset"].trigger()
    assert grid.camera.zoom == 1.0


def test_a_row_of_the_scores_selects_its_pane(compared):
    table = compared.findChild(QTableView, "inspector.scores")
    table.clicked.emit(table.model().index(1, 0))
    assert compared.session.current.selected == compared.session.current.results[1].key


def test_weighted_series_play_slowly(window):
    session, player = window.session, window.review_panel.player
    session.insert(session.new_case(kspace(kind=Kind.MOLLI), "molli"))
    assert player.rate() == 2.0
    session.insert(session.new_case(kspace(), "cine"))
    assert player.rate() == 25.0


def test_the_region_of_a_series_left_too_early_is_there_when_it_comes_back(window, engine, qtbot):
    gate, find, session = threading.Event(), engine.dynamic_region, window.session
    engine.dynamic_region = lambda *words: (gate.wait(5), find(*words))[1]
    cases = [session.new_case(kspace((1, 4, 2, 32, 24)), name) for name in ("first", "second")]
    for case in cases:
        session.insert(case)
        qtbot.waitUntil(
            lambda case=case: session.find(case.key).reference is not None and bool(window.runner.active("region." + case.key))
        )
    gate.set()
    session.select(cases[0].key)
    qtbot.waitUntil(settled(window))
    assert all(case.region is not None for case in session.cases)


def test_the_percentile_is_one_step_for_each_visit_to_its_control(loaded, qtbot):
    box = loaded.findChild(QDoubleSpinBox, "inspector.percentile")
    for value in (85, 80):
        box.setValue(value)
    box.editingFinished.emit()
    box.setValue(70)
    loaded.session.undo()
    assert loaded.session.current.view.region_percentile == 80
    loaded.session.undo()
    assert loaded.session.current.view.region_percentile == 90
    qtbot.waitUntil(settled(loaded))
