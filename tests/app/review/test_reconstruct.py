"""Running, cancelling, failing, results and masks, undo, the command line's words."""

from __future__ import annotations

import shlex
import threading

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDoubleSpinBox, QLabel, QPushButton, QToolButton, QWidget

from app.document.results import is_stale
from app.review.method_dialog import MethodDialog
from app.review.no_weights_dialog import NoWeightsDialog
from engine.core.errors import InputError
from engine.core.requests import MaskRequest
from tests.app.finding import find


def tick(window, *names):
    window.panels.methods.model.set_ticked(names)


def button(window) -> QPushButton:
    return window.findChild(QPushButton, "review.reconstruct")


def idle(window):
    return lambda: not window.runner.active() and not window.reconstruct.running and not window.sampling.pending


def run(window, qtbot, *names):
    tick(window, *names)
    button(window).click()
    qtbot.waitUntil(idle(window))


def status(window, name):
    return window.panels.methods.model.row_of(name).status


def test_ticked_methods_run_on_the_slice_on_screen_and_are_scored(loaded, engine, qtbot):
    run(loaded, qtbot, "zero_filled", "cg_sense")
    assert [r.method for r in loaded.session.current.results] == ["zero_filled", "cg_sense"]
    assert [r.slices for r in loaded.session.current.results] == [(1,), (1,)]
    assert set(loaded.session.current.results[0].scores) >= {("psnr", "whole"), ("ssim", "dynamic"), ("nmse", "static")}
    assert [p.key for p in loaded.review.display.panes] == ["reference", *(r.key for r in loaded.session.current.results)], (
        "the preview gives way"
    )
    assert all("@False" in thread for thread in engine.threads if thread.startswith("reconstruct")), "never on the GUI thread"
    assert "Reconstructed in" in loaded.statusBar().currentMessage()


def test_all_slices_begin_with_the_one_on_screen(loaded, engine, qtbot):
    loaded.panels.methods.all_slices.setChecked(True)
    run(loaded, qtbot, "cg_sense", "l1_wavelet")
    order = [(call[2], call[1]) for call in engine.calls if call[0] == "reconstruct"]
    assert order[:2] == [((1,), "cg_sense"), ((1,), "l1_wavelet")]
    assert loaded.session.current.results[0].slices == (0, 1, 2)


def test_the_button_becomes_cancel_and_cancelling_and_is_answered(loaded, engine, qtbot):
    engine.gate.clear()
    tick(loaded, "cg_sense", "l1_wavelet")
    assert button(loaded).text() == "Reconstruct"
    button(loaded).click()
    assert button(loaded).text() == "Cancel"
    qtbot.waitUntil(lambda: status(loaded, "cg_sense") not in ("", "waiting"))
    assert "job" in loaded.top_bar.indicator.text()
    button(loaded).click()
    assert button(loaded).text() == "Cancelling…"
    assert not button(loaded).isEnabled()
    qtbot.waitUntil(idle(loaded))
    assert not engine.gate.is_set(), "the work was cancelled, not done"
    assert button(loaded).text() == "Reconstruct"
    assert button(loaded).isEnabled()
    assert not loaded.session.current.results
    assert "cancelled" in loaded.statusBar().currentMessage()


def test_escape_cancels(loaded, engine, qtbot):
    engine.gate.clear()
    tick(loaded, "cg_sense")
    loaded.reconstruct.run()
    qtbot.waitUntil(lambda: status(loaded, "cg_sense") not in ("", "waiting"))
    loaded.activateWindow()
    qtbot.keyClick(loaded.review_panel.grid, Qt.Key.Key_Escape)
    qtbot.waitUntil(idle(loaded))
    assert not loaded.session.current.results


def test_progress_and_time_left_are_shown(loaded, engine, qtbot):
    engine.seconds = 1.2
    tick(loaded, "cg_sense")
    loaded.reconstruct.run()
    stage = loaded.findChild(QLabel, "methods.stage")
    qtbot.waitUntil(lambda: "left" in stage.toolTip())
    assert "CG-SENSE, iterating" in stage.toolTip()
    assert "%" in loaded.top_bar.indicator.text()
    qtbot.waitUntil(idle(loaded))
    assert stage.isHidden()


def test_a_failing_method_leaves_the_old_result_and_the_others(loaded, engine, qtbot):
    run(loaded, qtbot, "cg_sense")
    old = loaded.session.current.results[0].reconstruction
    shown = []
    loaded.errors.shown.connect(shown.append)
    engine.fail["cg_sense"] = InputError("it diverged (expected a finite image)", "Choose a lower R.")
    run(loaded, qtbot, "cg_sense", "zero_filled")
    assert loaded.session.current.results[0].reconstruction is old
    assert any(p.key == loaded.session.current.results[0].key and p.image is not None for p in loaded.review.display.panes)
    assert loaded.session.current.results[1].method == "zero_filled"
    assert len(shown) == 1
    assert status(loaded, "cg_sense") == "failed"
    bar = loaded.notices
    assert bar.isVisible()
    assert bar.message.text() == "Reconstruct with CG-SENSE: it diverged (expected a finite image)"
    assert bar.hint.text() == "Choose a lower R."


def test_a_defect_in_a_method_is_told_with_its_traceback(loaded, engine, qtbot):
    engine.fail["cg_sense"] = ZeroDivisionError("division by zero")
    run(loaded, qtbot, "cg_sense")
    notice = loaded.notices.current()
    assert not notice.expected
    assert "ZeroDivisionError" in notice.details
    assert "reconstruct" in notice.details


def test_methods_without_weights_say_so_and_cannot_be_ticked_or_run(loaded, engine):
    model = loaded.panels.methods.model
    names = [row.name for row in model.rows()]
    index = model.index(names.index("bare_net"), 0)
    assert model.index(index.row(), 1).data() == "no weights"
    assert not model.setData(index, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    tick(loaded, "bare_net")
    assert model.ticked() == []
    assert not button(loaded).isEnabled()
    assert "Tick at least one" in button(loaded).toolTip()
    shown = []
    loaded.errors.shown.connect(shown.append)
    loaded.reconstruct.run()
    assert "no method is ticked that can run" in shown[0].message


def test_methods_of_another_kind_cannot_run(loaded):
    model = loaded.panels.methods.model
    row = [row.name for row in model.rows()].index("t1_net")
    assert model.index(row, 1).data() == "not for cine"


def test_imported_weights_make_the_method_run(loaded, engine, qtbot):
    loaded.weights.import_weights("weights.tar", "net-tf")
    qtbot.waitUntil(idle(loaded))
    assert loaded.panels.methods.model.row_of("bare_net").chosen == "bare-1"
    run(loaded, qtbot, "bare_net")
    assert loaded.session.current.results[0].method == "bare_net"


def test_weights_can_be_chosen(loaded, qtbot):
    panel = loaded.panels.methods
    panel.select("net")
    assert panel.findChild(QWidget, "methods.weights").isVisibleTo(panel)
    find(panel, "methods.weights").setCurrentIndex(1)
    find(panel, "methods.weights").activated.emit(1)
    assert panel.model.row_of("net").chosen == "net-b"
    panel.select("cg_sense")
    assert not panel.findChild(QWidget, "methods.weights").isVisibleTo(panel)


def test_results_of_another_mask_are_marked_replaced_when_run_again_and_come_back_by_undo(loaded, qtbot):
    run(loaded, qtbot, "cg_sense")
    first = loaded.session.current.results[0]
    loaded.sampling.set_request(MaskRequest("equispaced", 4.0, 8, 0))
    qtbot.waitUntil(idle(loaded))
    assert is_stale(first, loaded.session.current)
    assert status(loaded, "cg_sense") == "other mask"
    assert any("stale: made with R 8" in badge for badge in loaded.review.display.pane(first.key).badges)
    run(loaded, qtbot, "cg_sense")
    assert len(loaded.session.current.results) == 1
    loaded.actions_by_key["edit.undo"].trigger()
    assert [r.key for r in loaded.session.current.results][1] == first.key
    loaded.results.remove_stale()
    assert len(loaded.session.current.results) == 1
    qtbot.waitUntil(idle(loaded))


def test_removing_the_selected_result_and_undo(loaded, qtbot):
    run(loaded, qtbot, "zero_filled", "cg_sense")
    loaded.review_panel.grid.paneClicked.emit(loaded.session.current.results[1].key)
    loaded.actions_by_key["edit.remove_result"].trigger()
    assert [r.method for r in loaded.session.current.results] == ["zero_filled"]
    assert "remove CG-SENSE" in loaded.actions_by_key["edit.undo"].text()
    loaded.actions_by_key["edit.undo"].trigger()
    assert [r.method for r in loaded.session.current.results] == ["zero_filled", "cg_sense"]
    qtbot.waitUntil(idle(loaded))


def test_copy_as_command_is_what_the_command_line_takes(loaded, qtbot):
    from engine.cli.commands import parser

    tick(loaded, "cg_sense", "net")
    loaded.actions_by_key["edit.copy_command"].trigger()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0] == (
        "myoscope reconstruct tiny.h5 --method cg_sense --mask equispaced -R 8 --acs 24 --seed 0 --same-frame"
        " --slices 1 --out cg_sense.h5"
    )
    assert "--weights net-a" in lines[1]
    for line in lines:
        options = parser().parse_args(shlex.split(line)[1:])
        assert options.acceleration == 8.0


def test_ticks_are_remembered(loaded, settings):
    tick(loaded, "l1_wavelet")
    assert settings.get("methods/ticked") == ["l1_wavelet"]


def test_run_methods_waits_for_table_and_mask(make_window, qtbot):
    from tests.app.stand_in import kspace

    window = make_window()
    session = window.session
    session.insert(session.new_case(kspace(), "early"))
    window.reconstruct.run_methods(("cg_sense",))
    assert not window.panels.methods.model.rows()
    qtbot.waitUntil(lambda: bool(session.current.results) and idle(window)())
    assert session.current.results[0].method == "cg_sense"


@pytest.mark.parametrize("name", ["review.reconstruct"])
def test_nothing_can_run_without_a_series(window, name):
    assert not button(window).isEnabled()
    assert button(window).toolTip() == "Open a series first."


def open_settings(window, name="cg_sense"):
    panel = window.panels.methods
    panel.select(name)
    window.findChild(QToolButton, "methods.settings").click()
    return window.findChild(MethodDialog)


def test_settings_of_a_method_are_edited_used_and_told(loaded, engine, qtbot):
    run(loaded, qtbot, "cg_sense")
    dialog = open_settings(loaded)
    weight = dialog.findChild(QDoubleSpinBox, "method.option.weight")
    assert weight.text() == "0.01"
    assert dialog.findChild(QLabel, "method.option.weight.help").text() == "Tikhonov weight"
    weight.lineEdit().setText("3e-7")
    dialog.findChild(QPushButton, "method.accept").click()
    row = loaded.panels.methods.model.row_of("cg_sense")
    assert row.settings == {"weight": 3e-7}
    assert status(loaded, "cg_sense") == "other settings"
    run(loaded, qtbot, "cg_sense")
    assert engine.requests[-1].options == {"weight": 3e-7}
    case = loaded.session.current
    assert [r.title for r in loaded.session.current.results] == ["CG-SENSE, weight 3e-07"], (
        "it took the place of the one with other settings"
    )
    assert status(loaded, "cg_sense").startswith("done")
    assert "--option weight=3e-07" in loaded.results.commands(case)[-1]
    loaded.session.undo()
    assert [r.title for r in loaded.session.current.results] == ["CG-SENSE, weight 3e-07", "CG-SENSE"]

    dialog = open_settings(loaded)
    assert dialog.findChild(QDoubleSpinBox, "method.option.weight").value() == 3e-7
    dialog.findChild(QPushButton, "method.defaults").click()
    dialog.findChild(QPushButton, "method.accept").click()
    assert loaded.panels.methods.model.row_of("cg_sense").settings == {}


def test_slices_of_other_settings_or_weights_are_never_joined(loaded, qtbot):
    session, model = loaded.session, loaded.panels.methods.model
    loaded.panels.methods.keep_earlier.setChecked(True)
    for settings in ({}, {"iterations": 5}):
        model.set_settings("cg_sense", settings)
        run(loaded, qtbot, "cg_sense")
    for weights in ("net-a", "net-b"):
        model.choose_weights("net", weights)
        run(loaded, qtbot, "net")
    assert [r.title for r in session.current.results] == ["CG-SENSE", "CG-SENSE, iterations 5", "Network, net-a", "Network, net-b"]
    loaded.review.step_slice(-1)
    run(loaded, qtbot, "net")
    assert [r.slices for r in session.current.results] == [(1,), (1,), (1,), (0, 1)]


def test_methods_without_settings_offer_none(loaded):
    loaded.panels.methods.select("l1_wavelet")
    more = loaded.findChild(QToolButton, "methods.settings")
    assert not more.isEnabled()
    assert "has no settings" in more.toolTip()
    loaded.reconstruct.settings_dialog("l1_wavelet")
    assert loaded.findChild(MethodDialog) is None


def test_a_double_click_opens_settings_or_asks_for_weights(loaded):
    asked = []
    panel = loaded.panels.methods
    panel.model.weights_missing.disconnect()
    panel.model.weights_missing.connect(lambda name: asked.append(f"weights of {name}"))
    panel.settings_requested.disconnect()
    panel.settings_requested.connect(asked.append)
    for name in ("cg_sense", "bare_net", "net"):
        panel.select(name)
        panel.table.doubleClicked.emit(panel.table.currentIndex())
    assert asked == ["cg_sense", "weights of bare_net"]


def test_ticking_a_network_without_weights_says_so_and_leads_to_training(loaded, qtbot):
    panel = loaded.panels.methods
    index = panel.model.index([row.name for row in panel.model.rows()].index("bare_net"), 0)
    assert not panel.model.setData(index, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    qtbot.waitUntil(lambda: loaded.findChild(NoWeightsDialog) is not None)
    dialog = loaded.findChild(NoWeightsDialog)
    assert "Bare network has no weights" in dialog.findChild(QLabel, "no_weights.words").text()
    assert panel.selected() == "bare_net"
    assert "bare_net" not in panel.model.ticked_names()
    dialog.findChild(QPushButton, "no_weights.train").click()
    assert loaded.workspace == "train"
    qtbot.waitUntil(lambda: loaded.train.form.values().get("model", {}).get("network") == "bare_net")
    loaded.show_workspace("review")


def test_costs_come_in_the_background(loaded, engine, qtbot):
    panel = loaded.panels.methods
    qtbot.waitUntil(lambda: panel.model.row_of("bare_net").macs == 4e9)
    assert [call[1] for call in engine.calls if call[0] == "method_macs"] == ["bare_net"], "others are known or have none"
    panel.select("net")
    qtbot.waitUntil(lambda: panel.findChild(QLabel, "methods.memory").text() == "≈ 440 MiB")
    _, *told = next(call for call in reversed(engine.calls) if call[0] == "memory_estimate")
    assert told == ["net", tuple(loaded.session.current.kspace.shape), "net-a", {}]
    assert panel.model.row_of("net").memory_mib == 440.0
    panel.select("cg_sense")
    assert panel.findChild(QLabel, "methods.memory").text() == ""
    assert "method_macs@False" in engine.threads


def test_a_method_that_fails_is_told_once_and_takes_no_further_part(loaded, engine, qtbot):
    engine.fail["cg_sense"] = InputError("it diverged", "Choose a lower R.")
    shown = []
    loaded.errors.shown.connect(shown.append)
    loaded.panels.methods.all_slices.setChecked(True)
    run(loaded, qtbot, "zero_filled", "cg_sense")
    assert loaded.statusBar().currentMessage() == "1 of 2 methods failed"
    assert len(shown) == 1
    assert loaded.session.current.results[0].slices == (0, 1, 2)
    assert sum(call[:2] == ("reconstruct", "cg_sense") for call in engine.calls) == 1


def test_a_run_is_one_job_and_its_slices_are_seen_as_they_come(loaded, engine, qtbot):
    engine.seconds = 0.05
    loaded.panels.methods.all_slices.setChecked(True)
    tick(loaded, "zero_filled", "cg_sense")
    jobs, seen = set(), []

    def watch(_):
        jobs.update(job.title for job in loaded.runner.visible())
        seen.append(tuple(r.slices for r in loaded.session.current.results))

    loaded.session.changed.connect(watch)
    button(loaded).click()
    qtbot.waitUntil(idle(loaded))
    assert jobs == {"Zero-filled, CG-SENSE"}
    assert ((1,), (1,)) in seen
    assert ((1, 0), (1,)) in seen
    assert seen[-1] == ((0, 1, 2), (0, 1, 2)), "ascending at the end"
    assert not any(job for job in engine.threads if job == "evaluate@True")


def test_a_run_that_is_cancelled_keeps_the_slices_it_has_finished(make_window, engine, qtbot):
    from tests.app.stand_in import kspace

    window = make_window()
    qtbot.waitUntil(lambda: bool(window.panels.methods.model.rows()))
    session = window.session
    session.insert(session.new_case(kspace((12, 4, 2, 32, 24)), "twelve"))
    qtbot.waitUntil(idle(window))
    engine.seconds = 0.02
    window.panels.methods.all_slices.setChecked(True)
    tick(window, "zero_filled", "cg_sense", "l1_wavelet")

    def stop(_):
        if [len(r.slices) for r in session.current.results] == [5, 5, 5]:
            window.reconstruct.cancel()

    session.changed.connect(stop)
    button(window).click()
    qtbot.waitUntil(idle(window))
    assert [r.slices for r in session.current.results] == [(0, 1, 2, 3, 6)] * 3
    assert "what was finished is kept" in window.statusBar().currentMessage()
    engine.seconds = 0.0
    session.changed.disconnect(stop)
    button(window).click()
    qtbot.waitUntil(idle(window))
    assert [r.slices for r in session.current.results] == [tuple(range(12))] * 3


@pytest.fixture
def slow_masks(loaded, engine):
    """Return the window; masks are made when the gate is opened."""
    gate, make = threading.Event(), engine.make_mask
    engine.make_mask = lambda request, shape: (gate.wait(5), make(request, shape))[1]
    find(loaded, "sampling.acceleration").setValue(4.0)
    tick(loaded, "cg_sense")
    yield loaded, gate
    gate.set()


def test_reconstruct_pressed_at_once_uses_the_mask_on_the_panel(slow_masks, engine, qtbot):
    window, gate = slow_masks
    button(window).click()
    button(window).click()
    find(window, "sampling.acceleration").setValue(2.0)
    qtbot.waitUntil(lambda: not window.sampling.pending)
    gate.set()
    qtbot.waitUntil(lambda: bool(engine.requests) and idle(window)())
    assert [request.mask.nominal_acceleration for request in engine.requests] == [2.0]


def test_nothing_runs_with_a_mask_that_cannot_be_made(loaded, engine, qtbot):
    panel = loaded.panels.sampling
    find(panel, "sampling.acs").setMaximum(100)
    find(panel, "sampling.acs").setValue(99)
    tick(loaded, "cg_sense")
    button(loaded).click()
    qtbot.waitUntil(idle(loaded))
    assert not engine.requests
    assert "99 ACS lines do not fit" in loaded.notices.message.text()


def test_a_run_that_waits_for_a_mask_does_not_start_on_another_series(slow_masks, engine, qtbot):
    from tests.app.stand_in import kspace

    window, gate = slow_masks
    button(window).click()
    window.session.insert(window.session.new_case(kspace(name="two"), "two"))
    gate.set()
    qtbot.waitUntil(lambda: window.session.current.mask is not None and idle(window)())
    assert not engine.requests
