"""Opening, asking for axes, samples, phantoms, simulated coils, closing, saving."""

from __future__ import annotations

import shlex
import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QWidget

from app.controllers.files import phantom_command
from app.dialogs.axes import AxesDialog
from engine.cli.commands import parser
from engine.cli.parse import numbers
from engine.core.requests import OpenOptions, PhantomSettings
from engine.core.types import KSpaceSeries
from tests.app.finding import find
from tests.app.stand_in import images


def settled(window):
    return lambda: not window.runner.active() and not window.sampling.pending and not window.reconstruct.running


def test_a_file_becomes_a_case_with_everything_that_follows(window, engine, settings, qtbot, tmp_path):
    window.files.open([tmp_path / "scan.h5"])
    qtbot.waitUntil(lambda: window.session.current is not None)
    qtbot.waitUntil(
        lambda: window.session.current.mask is not None and window.session.current.reference is not None and settled(window)()
    )
    assert window.session.current.title == "scan"
    assert window.session.current.path == str(tmp_path / "scan.h5")
    assert settings.get("files/recent") == [str(tmp_path / "scan.h5")]
    assert settings.get("files/folder") == str(tmp_path)


def test_several_files_become_several_cases(window, qtbot, tmp_path):
    window.files.open([tmp_path / "a.h5", tmp_path / "b.h5"])
    qtbot.waitUntil(lambda: len(window.session.cases) == 2 and settled(window)())
    assert find(window, "series.list").count() == 2


def test_a_file_that_cannot_be_read_is_told_once_and_nothing_changes(loaded, settings, qtbot, tmp_path):
    before, shown = loaded.session.current, []
    loaded.errors.shown.connect(shown.append)
    loaded.files.open([tmp_path / "notes.txt"])
    qtbot.waitUntil(lambda: bool(shown) and settled(loaded)())
    assert shown[0].what == "Open"
    assert "of no format that can be read" in shown[0].message
    assert loaded.session.current is before
    assert settings.get("files/recent") == []


def test_a_reader_that_asks_for_axes_gets_a_dialog_and_the_answer(window, engine, qtbot, tmp_path):
    shown = []
    window.errors.shown.connect(shown.append)
    window.files.open([tmp_path / "axes.npz"])
    find = lambda: next((w for w in QApplication.topLevelWidgets() if isinstance(w, AxesDialog) and w.isVisible()), None)  # noqa: E731
    qtbot.waitUntil(lambda: find() is not None)
    dialog = find()
    accept = dialog.findChild(QPushButton, "axes.accept")
    letters = dialog.findChild(QLineEdit, "axes.letters")
    letters.setText("sfyq")
    assert not accept.isEnabled()
    letters.setText("sfyx")
    dialog.findChild(QLineEdit, "axes.times").setText("1, two")
    assert not accept.isEnabled()
    dialog.findChild(QLineEdit, "axes.times").setText("10, 20; 30")
    accept.click()
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    assert ("open_series", "axes.npz", OpenOptions("sfyx", times_ms=(10.0, 20.0, 30.0))) in engine.calls
    assert not shown


def test_a_sample_of_images_gets_simulated_coils_at_once(window, engine, qtbot):
    window.files.open_sample("pig")
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    assert isinstance(window.session.current.data, KSpaceSeries)
    assert ("simulate", 8, 40.0) in engine.calls
    assert window.session.current.path == "pictures-8coils.h5"
    assert window.session.current.commands == (
        "myoscope simulate pictures.npz --out pictures-8coils.h5 --coils 8 --snr 40 --seed 0",
    )
    parser().parse_args(shlex.split(window.session.current.commands[0])[1:])


def test_images_are_shown_and_simulation_takes_their_place_on_the_list(window, engine, settings, qtbot, tmp_path):
    engine.files["pictures.npz"] = images()
    window.files.open([tmp_path / "pictures.npz"])
    qtbot.waitUntil(
        lambda: window.session.current is not None and window.session.current.reference is not None and settled(window)()
    )
    assert [p.key for p in window.review.display.panes] == ["reference"]
    panel = window.panels.series
    assert panel.findChild(QWidget, "series.simulate").isVisibleTo(panel)
    find(panel, "simulate.coils").setValue(4)
    find(panel, "simulate.snr").setValue(25)
    panel.findChild(QPushButton, "simulate.start").click()
    qtbot.waitUntil(lambda: isinstance(getattr(window.session.current, "data", None), KSpaceSeries) and settled(window)())
    assert ("simulate", 4, 25.0) in engine.calls
    assert len(window.session.cases) == 1
    assert not panel.findChild(QWidget, "series.simulate").isVisibleTo(panel)
    assert settings.get("simulate/coils") == 4


def test_simulating_without_images_says_so(window, qtbot):
    shown = []
    window.errors.shown.connect(shown.append)
    window.files.simulate_dialog()
    assert "no images to simulate coils for" in shown[0].message


def test_a_phantom_is_made_with_the_numbers_of_the_dialog(window, engine, qtbot):
    from app.dialogs.phantom import PhantomDialog

    window.files.phantom_dialog()
    dialog = next(w for w in QApplication.topLevelWidgets() if isinstance(w, PhantomDialog) and w.isVisible())
    find(dialog, "phantom.frames").setValue(6)
    dialog.accept()
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    settings = next(call[1] for call in engine.calls if call[0] == "make_phantom")
    assert settings == PhantomSettings("cine", (192, 160), 10, 1, 6, snr=40.0, seed=0)
    (line,) = window.session.current.commands
    options = parser().parse_args(shlex.split(line)[1:])
    assert (options.frames, options.matrix, options.out) == (6, "192x160", "phantom.h5")


def test_the_samples_menu_opens_samples_and_phantoms(window, engine, qtbot):
    window.top_bar.samples_menu.aboutToShow.emit()
    names = [action.objectName() for action in window.top_bar.samples_menu.actions() if action.objectName()]
    assert names == ["sample.pig", "phantom.cine", "phantom.molli", "phantom.t2prep"]
    window.top_bar.samples_menu.actions()[0].trigger()
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    assert ("open_sample", "pig") in engine.calls


def test_closing_a_series_can_be_undone(loaded, qtbot):
    case = loaded.session.current
    loaded.actions_by_key["file.close_series"].trigger()
    assert loaded.session.current is None
    loaded.actions_by_key["edit.undo"].trigger()
    assert loaded.session.current is case
    assert "Taken back: remove tiny" in loaded.statusBar().currentMessage()
    qtbot.waitUntil(settled(loaded))


def test_saving_writes_the_result_with_its_reference(loaded, engine, qtbot, tmp_path):
    loaded.panels.methods.model.set_ticked(["cg_sense"])
    loaded.reconstruct.run()
    qtbot.waitUntil(settled(loaded))
    case = loaded.session.current
    loaded.files.save_result(case, loaded.session.current.results[0], str(tmp_path / "out.h5"))
    qtbot.waitUntil(settled(loaded))
    _, made, path = next(call for call in engine.calls if call[0] == "save_reconstruction")
    assert path == str(tmp_path / "out.h5")
    np.testing.assert_array_equal(made.reference, loaded.session.current.reference[[1]])
    assert "written" in loaded.statusBar().currentMessage()


def test_saving_without_a_result_says_so(loaded):
    shown = []
    loaded.errors.shown.connect(shown.append)
    loaded.files.save_result_dialog()
    assert "no result to save" in shown[0].message


@pytest.fixture
def pictures(window, engine, qtbot, tmp_path):
    """Return the window with a series of images."""
    engine.files["pictures.npz"] = images()
    window.files.open([tmp_path / "pictures.npz"])
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    return window


def test_simulated_coils_are_taken_back_by_undo(pictures, qtbot):
    before = pictures.session.current
    pictures.files.close_current()
    pictures.session.undo()
    pictures.files.simulate_current(4, 25.0)
    qtbot.waitUntil(lambda: isinstance(pictures.session.current.data, KSpaceSeries) and settled(pictures)())
    assert pictures.session.history.redo_step is None, "the closing cannot be made again: the images are not there"
    assert "simulate coils" in pictures.actions_by_key["edit.undo"].text()
    pictures.session.undo()
    assert [case.data for case in pictures.session.cases] == [before.data]
    assert pictures.session.current.key == before.key
    qtbot.waitUntil(settled(pictures))


def test_coils_for_a_series_that_was_closed_meanwhile(pictures, engine, qtbot):
    before, simulate, gate = pictures.session.current, engine.simulate, threading.Event()
    engine.simulate = lambda *words: (gate.wait(5), simulate(*words))[1]
    pictures.files.simulate_current(4, 25.0)
    pictures.files.close_current()
    gate.set()
    qtbot.waitUntil(lambda: pictures.session.current is not None and settled(pictures)())
    pictures.session.undo()
    assert pictures.session.current.key == before.key
    assert len(pictures.session.cases) == 2
    qtbot.waitUntil(settled(pictures))


def test_pressing_simulate_twice_makes_one_series(pictures, qtbot):
    start = pictures.panels.series.findChild(QPushButton, "simulate.start")
    start.click()
    start.click()
    qtbot.waitUntil(settled(pictures))
    assert len(pictures.session.cases) == 1


def test_the_menu_simulates_with_the_numbers_in_the_panel(pictures, engine, qtbot):
    pictures.panels.series.set_simulation(3, 15.0)
    pictures.actions_by_key["file.simulate"].trigger()
    qtbot.waitUntil(settled(pictures))
    assert ("simulate", 3, 15.0) in engine.calls


def test_what_was_said_about_a_file_is_in_the_command(window, engine, qtbot, tmp_path):
    told = OpenOptions("sfyx", "img", (10.0, 1234.5678), "molli")
    engine.files["axes.npz"] = images((1, 2, 32, 24))
    window.files.open([tmp_path / "axes.npz"], told)
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    window.files.simulate_current(4, 25.0)
    qtbot.waitUntil(lambda: isinstance(window.session.current.data, KSpaceSeries) and settled(window)())
    window.panels.methods.model.set_ticked(["zero_filled"])
    first, second = window.results.commands(window.session.current)
    options = parser().parse_args(shlex.split(first)[1:])
    assert (options.axes, options.key, options.kind) == ("sfyx", "img", "molli")
    assert numbers(options.times, "times") == told.times_ms
    assert "--axes" not in second, "the file it makes tells by itself"
    window.files.open([tmp_path / "scan.h5"], OpenOptions(key="k"))
    qtbot.waitUntil(lambda: len(window.session.cases) == 2 and settled(window)())
    (line,) = window.results.commands(window.session.current)
    assert parser().parse_args(shlex.split(line)[1:]).key == "k"


def test_every_number_of_a_phantom_is_in_its_command():
    words = shlex.split(phantom_command(PhantomSettings("cine", snr=12.5, seed=123456789)))
    options = parser().parse_args(words[1:])
    assert (options.snr, options.seed) == (12.5, 123456789)


def test_a_result_saved_before_its_reference_is_there_takes_it_along(loaded, engine, qtbot, tmp_path):
    loaded.panels.methods.model.set_ticked(["cg_sense"])
    loaded.reconstruct.run()
    qtbot.waitUntil(settled(loaded))
    case = loaded.session.current
    whole = loaded.session.current.reference
    case = replace(loaded.session.current, reference_slices=frozenset())
    loaded.files.save_result(case, loaded.session.current.results[0], str(tmp_path / "out.h5"))
    qtbot.waitUntil(settled(loaded))
    made = next(call[1] for call in engine.calls if call[0] == "save_reconstruction")
    np.testing.assert_array_equal(made.reference, whole[[1]])
