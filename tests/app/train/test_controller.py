"""The Train workspace on a stand-in engine and a process that obeys: form, checks, run, its three ends, crash, closing, compare."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QLabel,
    QMessageBox,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QWidget,
)

from app.dialogs.closing import ClosingDialog
from app.train.panel import CONTINUE, PAUSE
from tests.app.finding import find
from tests.app.train.stand_in import FakeProcess, run_record

FOLDER = "/runs/net"


@pytest.fixture
def page(window, qtbot):
    window.show_workspace("train")
    page = window.train
    page.train.make_process = FakeProcess
    qtbot.waitUntil(lambda: bool(page.form_panel.fields))
    settle(page, qtbot)
    return page


def settle(page, qtbot):
    qtbot.waitUntil(lambda: page.form.settled)


def field(page, name):
    return page.form_panel.fields[name]


def begin(page, qtbot):
    page.form_panel.button.click()
    qtbot.waitUntil(lambda: page.train.running)
    process = page.train.process
    process.tell("start", folder=FOLDER, network="net", step=0, steps=100, parameters=1000, device="CPU")
    return process


def press(words):
    box = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox) and w.isVisible())
    next(b for b in box.buttons() if b.text().replace("&", "") == words).click()


# --- the form ---------------------------------------------------------------------------------------------------------


def test_the_form_has_a_control_for_every_setting_and_gives_its_defaults(page, engine):
    schema = {setting.name: setting.default for setting in engine.train_config_schema()}
    assert page.form_panel.values() == schema
    for name, one in page.form_panel.fields.items():
        assert one.widget.objectName() == f"train.{name}"
        assert one.widget.accessibleName()


def test_a_contradiction_is_told_while_it_is_typed_and_names_both_settings(page, qtbot):
    field(page, "optimiser.warm_up").box.setValue(3000)
    qtbot.waitUntil(lambda: bool(page.form_panel.problems))
    text = page.form_panel.complaints.text()
    assert "optimiser.warm_up = 3000" in text
    assert "run.steps = 2000" in text
    assert field(page, "optimiser.warm_up").box.property("invalid")
    assert field(page, "run.steps").box.property("invalid")
    assert "⚠" in page.form_panel.folds["optimiser"].head.text()
    assert not page.form_panel.button.isEnabled()
    field(page, "run.steps").box.setValue(5000)
    qtbot.waitUntil(lambda: not page.form_panel.problems)
    assert page.form_panel.button.isEnabled()
    assert not field(page, "run.steps").box.property("invalid")


def test_what_cannot_be_read_is_told_too(page, qtbot):
    field(page, "losses").model.item(0, 1).setText("much")
    qtbot.waitUntil(lambda: bool(page.form_panel.problems))
    assert "losses has a weight that is no number" in page.form_panel.complaints.text()
    page.form.request_start()
    qtbot.wait(100)
    assert not page.train.running


def test_memory_and_time_are_estimated(page, qtbot):
    qtbot.waitUntil(lambda: "2.0 GiB" in page.form_panel.estimate.text())
    assert "17 min in all" in page.form_panel.estimate.text()


def test_a_preset_fills_the_form_and_leaves_the_data(page, qtbot):
    field(page, "data.sources").model.add("/data/hearts")
    page.form.use_preset("quick")
    values = page.form_panel.values()
    assert values["run.steps"] == 7
    assert values["losses"] == {"mse": 2.0, "ssim": 0.5}
    assert [source["location"] for source in values["data.sources"]] == ["sample:pig", "/data/hearts"]
    settle(page, qtbot)


def test_another_network_offers_its_own_presets_and_weights(page, qtbot):
    start = field(page, "model.start")
    assert [start.box.itemData(n) for n in range(start.box.count())] == ["", "net-a", "net-b"]
    start.box.setCurrentIndex(1)
    start.box.activated.emit(1)
    assert page.form_panel.values()["model.start"] == "net-a"
    assert page.form_panel.values()["name"] == "net-tuned"
    assert not field(page, "model.preset").widget.isEnabled()
    network = field(page, "model.network")
    network.box.setCurrentIndex(1)
    network.box.activated.emit(1)
    values = page.form_panel.values()
    assert (values["model.network"], values["model.start"], values["name"]) == ("bare_net", "", "bare_net")
    assert start.box.count() == 1
    settle(page, qtbot)


def test_sources_are_edited_in_their_table(page, qtbot):
    model = field(page, "data.sources").model
    assert model.setData(model.index(0, 1), "0-2, 5")
    assert model.setData(model.index(0, 3), "0,5")
    assert not model.setData(model.index(0, 1), "first")
    model.add("phantom:cine")
    assert page.form_panel.values()["data.sources"] == [
        {"location": "sample:pig", "slices": [0, 1, 2, 5], "weight": 0.5},
        {"location": "phantom:cine"},
    ]
    field(page, "data.sources").remove_selected()
    assert len(model.rows) == 1
    settle(page, qtbot)


def test_a_configuration_goes_to_toml_and_back(page, qtbot, tmp_path):
    field(page, "run.steps").box.setValue(321)
    field(page, "model.options").line.setText("cascades = 3")
    field(page, "masks.patterns").model.item(1).setCheckState(Qt.CheckState.Checked)
    before = page.form.values()
    page.form.save(tmp_path / "a.toml")
    assert tomllib.loads((tmp_path / "a.toml").read_text()) == before
    page.form.set_values({})
    assert page.form.values() != before
    page.form.open(tmp_path / "a.toml")
    assert page.form.values() == before
    settle(page, qtbot)


def test_a_file_that_is_no_configuration_is_told(page, window, tmp_path):
    (tmp_path / "b.toml").write_text("[[[")
    page.form.open(tmp_path / "b.toml")
    assert "not a configuration in TOML" in window.errors.log[-1][1].message


def test_the_form_is_as_it_was_left(page, qtbot, make_window, window):
    field(page, "run.steps").box.setValue(777)
    window.close()
    again = make_window()
    again.show_workspace("train")
    qtbot.waitUntil(lambda: bool(again.train.form_panel.fields))
    assert again.train.form_panel.values()["run.steps"] == 777
    settle(again.train, qtbot)


# --- the run ----------------------------------------------------------------------------------------------------------


def test_a_run_is_started_with_the_form_as_toml_and_watched(page, qtbot, window, tmp_path):
    process = begin(page, qtbot)
    config, *rest = process.arguments
    assert rest == ["--events", "-"]
    assert tomllib.loads(Path(config).read_text(encoding="utf-8")) == page.form.values()
    np.save(tmp_path / "p.npy", np.ones((2, 4, 5), np.float32))
    np.save(tmp_path / "q.npy", np.full((2, 4, 5), 3, np.float32))
    process.tell("validation", step=0, psnr=30.0, score=30.0, metric="psnr", best=True, preview=str(tmp_path / "p.npy"))
    for step in range(1, 11):
        process.tell("step", step=step, steps=100, loss=1.0 / step, seconds=step * 2.0)
    process.tell("validation", step=10, psnr=31.0, score=31.0, metric="psnr", best=True, preview=str(tmp_path / "q.npy"))
    qtbot.waitUntil(lambda: "about 3 min left" in page.panel.state.text())
    assert "best 31.00 dB at step 10" in page.panel.state.text()
    assert window.top_bar.tabs.tabText(2) == "Train 10 %"
    preview = page.panel.preview
    qtbot.waitUntil(lambda: len(preview.titles) == 3)
    assert preview.titles[:2] == ("before", "now, step 10")
    assert preview.levels == (0.0, 3.0)
    assert page.panel.curves.runs[0].best_step == 10
    assert "step 10: PSNR 31.00 dB, best so far" in page.log_panel.text.toPlainText()
    assert not page.form_panel.button.isEnabled()
    process.tell("end", step=100, reason="steps", seconds=200.0)
    process.tell("weights", id="net-2", score=31.0, step=10)
    process.ended.emit(0)
    assert not page.train.running
    assert "Weights net-2 are in the library" in page.panel.state.text()
    assert page.form_panel.button.isEnabled()
    assert window.top_bar.tabs.tabText(2) == "Train"
    assert page.panel.pause.isHidden()
    assert window.settings.get("train/active") == ""


def test_curves_are_drawn_five_times_a_second_at_most(page, qtbot):
    process = begin(page, qtbot)
    curves = page.panel.curves
    clock = curves.findChild(QTimer, "curves.clock")
    assert clock.interval() == 200
    clock.timeout.emit()  # whatever the start of the run left to be drawn
    before = curves.drawn
    for step in range(1, 200):
        process.tell("step", step=step, steps=1000, loss=1.0, seconds=0.1 * step)
    assert clock.isActive()
    assert curves.drawn - before <= 1, "at once, and then not before the clock"
    drawn = curves.drawn
    clock.stop()
    clock.timeout.emit()
    assert curves.drawn == drawn + 1, "what came since, once"
    clock.stop()
    clock.timeout.emit()
    assert curves.drawn == drawn + 1, "nothing new"
    assert len(page.train.run.loss) == 199
    process.ended.emit(0)


def test_pause_stop_and_discard_are_three_things(page, qtbot, engine):
    process = begin(page, qtbot)
    assert page.panel.pause.text() == PAUSE
    page.panel.pause.click()
    assert engine.words_sent == [(FOLDER, "pause")]
    assert page.panel.pause.text() == CONTINUE
    assert page.panel.state.text().startswith("Pausing after the step in progress")
    process.tell("paused", step=3)
    qtbot.waitUntil(lambda: page.panel.state.text().startswith("Paused"))
    page.panel.pause.click()
    page.panel.stop.click()
    assert engine.words_sent[1:] == [(FOLDER, "go"), (FOLDER, "stop")]
    assert "Stopping" in page.panel.state.text()
    assert not page.panel.stop.isEnabled()
    process.ended.emit(0)
    process = begin(page, qtbot)
    page.panel.discard.click()
    press("Go on training")
    assert page.train.running
    assert engine.words_sent[-1] == (FOLDER, "stop")
    page.panel.discard.click()
    press("Discard")
    assert engine.words_sent[-1] == (FOLDER, "discard")
    process.ended.emit(0)
    assert page.panel.state.text() == "The run was discarded."
    assert page.panel.crash.isHidden()


def test_a_run_that_has_not_begun_is_simply_ended(page, qtbot, engine, window):
    page.form_panel.button.click()
    qtbot.waitUntil(lambda: page.train.running)
    process = page.train.process
    page.panel.stop.click()
    assert process.killed
    assert not page.train.running
    assert engine.words_sent == []
    assert not window.errors.log


def test_a_discarded_run_that_does_not_answer_is_ended(page, qtbot):
    process = begin(page, qtbot)
    find(page.train, "train.patience").setInterval(50)
    page.train.discard()
    qtbot.waitUntil(lambda: process.killed)
    assert not page.train.running


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_crash_is_told_with_its_last_words_and_offers_to_go_on(page, qtbot):
    process = begin(page, qtbot)
    process.tell("step", step=40, steps=100, loss=0.5, seconds=10)
    process.lines += ["Traceback", "MemoryError"]
    process.ended.emit(-1)
    assert page.panel.crash.isVisible()
    assert "ended unexpectedly at step 40" in page.panel.crash.message.text()
    assert page.panel.crash.lines.text() == "Traceback\nMemoryError"
    find(page.panel, "train.crash.resume").click()
    assert page.train.running
    assert page.train.process.arguments == ["--resume", FOLDER, "--events", "-"]
    assert page.panel.crash.isHidden()
    page.train.process.ended.emit(0)


def test_a_refusal_is_an_error_with_its_hint_and_no_crash(page, qtbot, window):
    page.form_panel.button.click()
    qtbot.waitUntil(lambda: page.train.running)
    process = page.train.process
    process.lines += ["error: nothing to train on", "hint: Name a folder."]
    process.ended.emit(2)
    notice = window.errors.log[-1][1]
    assert (notice.message, notice.hint, notice.expected) == ("nothing to train on", "Name a folder.", True)
    assert page.panel.crash.isHidden()
    assert page.panel.state.text() == "The run did not begin."


def test_what_was_on_when_the_program_died_is_offered(make_window, engine, settings, qtbot):
    engine.run_records = [run_record(FOLDER)]
    settings.set("train/active", FOLDER)
    window = make_window()
    window.show_workspace("train")
    window.train.train.make_process = FakeProcess
    qtbot.waitUntil(lambda: window.train.panel.crash.isVisible())
    assert "at step 40 of 60" in window.train.panel.crash.message.text()
    window.train.panel.crash.dismissed.emit()
    assert settings.get("train/active") == ""
    qtbot.waitUntil(lambda: bool(window.train.form_panel.fields))
    settle(window.train, qtbot)


# --- closing ----------------------------------------------------------------------------------------------------------


def test_closing_asks_and_may_be_taken_back(page, qtbot, window):
    process = begin(page, qtbot)
    assert not window.close()
    assert not window.close()
    (dialog,) = window.findChildren(ClosingDialog, "closing")
    assert "is being trained" in dialog.findChild(QLabel, "closing.training").text()
    dialog.findChild(QPushButton, "closing.cancel").click()
    assert window.isVisible()
    assert page.train.running
    process.ended.emit(0)
    assert window.close()


def close_with(window, way):
    assert not window.close()
    dialog = window.findChild(ClosingDialog, "closing")
    dialog.findChild(QRadioButton, f"closing.training.{way}").setChecked(True)
    dialog.findChild(QPushButton, "closing.discard").click()


def test_closing_may_stop_and_keep_the_best_first(page, qtbot, window, engine):
    process = begin(page, qtbot)
    close_with(window, "stop")
    assert engine.words_sent == [(FOLDER, "stop")]
    assert window.isVisible()
    process.ended.emit(0)
    assert not window.isVisible()
    assert window.settings.get("train/active") == ""


def test_closing_may_leave_the_run_for_later(page, qtbot, window):
    process = begin(page, qtbot)
    close_with(window, "leave")
    assert process.killed
    assert not window.isVisible()
    assert window.settings.get("train/active") == FOLDER


# --- the list ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def listed(page, engine, qtbot):
    engine.run_records = [
        run_record("/runs/a"),
        run_record("/runs/b", step=60, weights="net-b", ended="steps", state="ended"),
        run_record("/runs/c", step=60, weights="net-b", ended="steps", state="ended", parent=None),
    ]
    page.runs.refresh()
    qtbot.waitUntil(lambda: len(page.runs_panel.model.records) == 3)
    return page


def test_runs_are_listed_shown_and_compared(listed, qtbot):
    model = listed.runs_panel.model
    assert [model.index(0, column).data() for column in range(4)] == ["a", "34.00", "40/60", "interrupted"]
    assert model.index(1, 3).data() == "finished"
    listed.runs_panel.select("/runs/a")
    qtbot.waitUntil(lambda: [run.title for run in listed.panel.curves.runs] == ["a"])
    assert len(listed.panel.curves.runs[0].loss) == 40
    for row in (0, 1):
        model.setData(model.index(row, 0), Qt.CheckState.Checked.value, Qt.ItemDataRole.CheckStateRole)
    qtbot.waitUntil(lambda: [run.title for run in listed.panel.curves.runs] == ["a", "b"])


def test_only_what_is_not_finished_can_go_on(listed, qtbot):
    listed.runs_panel.select("/runs/b")
    assert not listed.runs_panel.resume.isEnabled()
    listed.runs_panel.select("/runs/a")
    assert listed.runs_panel.resume.isEnabled()
    listed.runs_panel.resume.click()
    qtbot.waitUntil(lambda: listed.train.running)
    assert listed.train.process.arguments[:2] == ["--resume", "/runs/a"]
    assert len(listed.train.run.loss) == 40
    listed.train.process.ended.emit(0)


def test_the_settings_of_a_run_fill_the_form(listed, qtbot):
    listed.runs_panel.select("/runs/a")
    listed.runs_panel.settings.click()
    qtbot.waitUntil(lambda: listed.form_panel.values()["run.steps"] == 123)
    settle(listed, qtbot)


def test_compare_with_parent_opens_review_with_both_and_their_scores(listed, qtbot, window, engine):
    from tests.app.stand_in import kspace

    window.session.insert(window.session.new_case(kspace(), "tiny", "tiny.h5"))
    qtbot.waitUntil(lambda: window.session.current.mask is not None and len(window.session.current.reference_slices) == 3)
    listed.runs_panel.select("/runs/c")
    assert listed.runs_panel.review.text() == "Show in Review"
    listed.runs_panel.select("/runs/b")
    assert listed.runs_panel.review.text() == "Compare with parent"
    listed.runs_panel.review.click()
    assert window.workspace == "review"
    qtbot.waitUntil(
        lambda: len(window.session.current.results) == 2 and all(result.scores for result in window.session.current.results)
    )
    assert [request.weights for request in engine.requests] == ["net-a", "net-b"]
    assert [result.title for result in window.session.current.results] == ["Network, net-a", "Network, net-b"]
    assert window.panels.methods.model.ticked_names() == ["net"]
    qtbot.waitUntil(lambda: not window.runner.active())


# --- what is on screen ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_clipped_at_1366_by_768_and_every_control_has_a_name(listed, window, qtbot, theme):
    window.set_theme(theme)
    window.resize(QSize(1366, 768))
    for fold in listed.form_panel.folds.values():
        fold.head.setChecked(True)
    begin(listed, qtbot)
    qtbot.wait(50)
    assert (window.width(), window.height()) == (1366, 768)
    for area in window.findChildren(QScrollArea):
        if area.isVisible():
            assert area.widget().minimumSizeHint().width() <= area.viewport().width(), area.objectName()
    assert listed.panel.width() > 640
    nameless = [
        widget.objectName()
        for page in (listed.panel, listed.form_panel, listed.runs_panel, listed.log_panel)
        for widget in page.findChildren(QWidget)
        if isinstance(widget, QAbstractButton | QAbstractSpinBox | QComboBox | QAbstractItemView)
        and widget.isVisibleTo(page)
        and not widget.objectName().startswith("qt_")
        and "ScrollBar" not in type(widget).__name__
        and not isinstance(widget, QHeaderView)
        and not (widget.accessibleName() or (isinstance(widget, QAbstractButton) and widget.text()))
    ]
    assert nameless == []
    listed.train.process.ended.emit(0)
