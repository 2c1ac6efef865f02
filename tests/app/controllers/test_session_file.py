"""Sessions saved, reopened, kept and offered; data that moved; the one question before the window closes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog, QLabel, QPushButton

from app.controllers.autosave import AutosavePlace
from app.dialogs.closing import ClosingDialog
from app.dialogs.relocate import RelocateDialog
from app.display.map_state import Drawing
from app.document.file import read
from engine.core.requests import MaskRequest
from tests.app.controllers.test_files import settled
from tests.app.stand_in import kspace


@pytest.fixture
def scan(engine, tmp_path):
    """Return a file that the stand-in engine opens."""
    engine.files["scan.h5"] = kspace()
    file = tmp_path / "scan.h5"
    file.write_bytes(b"bytes of a scan")
    return file


@pytest.fixture
def working(window, engine, scan, qtbot):
    """Return a window with a result of an opened file, drawn on and looked at."""
    window.files.open([scan])
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    window.sampling.set_request(MaskRequest("equispaced", 4.0, 8, 0))
    qtbot.waitUntil(settled(window))
    window.panels.methods.model.set_ticked(["cg_sense"])
    window.panels.methods.model.set_settings("cg_sense", {"weight": 0.5})
    window.reconstruct.run()
    qtbot.waitUntil(lambda: bool(window.session.current.results) and settled(window)())
    key = window.session.current.key
    window.review.step_frame(2)
    window.review.set_component("phase")
    window.review.select(window.session.current.results[0].key)
    window.review_panel.grid.windowChanged.emit(0.1, 0.7)
    window.review_panel.grid.zoom_by(2.0)
    window.session.edit(key, drawings={1: Drawing(roi=((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)))})
    qtbot.waitUntil(settled(window))
    return window


def save(window, qtbot, path, results=False):
    done = []
    window.sessions.save_to(path, results, lambda: done.append(1))
    qtbot.waitUntil(lambda: bool(done) and settled(window)())


def reopen(make_window, qtbot, path):
    window = make_window()
    qtbot.waitUntil(lambda: bool(window.panels.methods.model.rows()))
    window.files.open([path])
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    return window


def same_look(first, second):
    for name in ("title", "path", "view", "selected", "request", "drawings", "map_view"):
        assert getattr(first, name) == getattr(second, name), name
    np.testing.assert_array_equal(first.mask.lines, second.mask.lines)


def test_a_session_opens_as_it_was_and_its_results_are_made_again(working, make_window, engine, qtbot, tmp_path):
    before = working.session.current
    save(working, qtbot, tmp_path / "day.myoscope")
    assert "day.myoscope" in working.statusBar().currentMessage()
    assert not working.sessions.unsaved
    again = reopen(make_window, qtbot, tmp_path / "day.myoscope")
    after = again.session.current
    same_look(before, after)
    assert again.review_panel.grid.camera == working.review_panel.grid.camera
    assert again.panels.methods.model.row_of("cg_sense").settings == {"weight": 0.5}
    assert again.panels.sampling.request().acceleration == 4.0
    assert after.results == ()
    assert again.offer.isVisible()
    assert "1 result of the session is kept by settings" in again.offer.message.text()
    again.offer.button.click()
    qtbot.waitUntil(lambda: bool(again.session.current.results) and settled(again)())
    (result,) = again.session.current.results
    assert (result.key, result.title, result.options) == (before.results[0].key, before.results[0].title, {"weight": 0.5})
    np.testing.assert_array_equal(result.reconstruction.image, before.results[0].reconstruction.image)
    assert engine.requests[-1].options == {"weight": 0.5}
    assert engine.requests[-1].slices == before.results[0].slices
    assert again.offer.isHidden()
    assert again.session.current.pending == ()
    assert not again.sessions.unsaved, "what was made again is no other work"
    assert not again.errors.log


def test_results_beside_the_session_are_read_from_their_files(working, make_window, engine, qtbot, tmp_path, monkeypatch):
    before = working.session.current
    written = {}
    monkeypatch.setattr(
        engine, "save_reconstruction", lambda made, path: (written.update({str(path): made}), Path(path).write_bytes(b"result"))
    )
    save(working, qtbot, tmp_path / "day.myoscope", results=True)
    (file,) = written
    assert Path(file).parent == tmp_path / "day_results"
    assert working.session.current.results[0].file == file
    engine.saved[Path(file).name] = written[file]
    again = reopen(make_window, qtbot, tmp_path / "day.myoscope")
    (result,) = again.session.current.results
    assert result.key == before.results[0].key
    np.testing.assert_array_equal(result.reconstruction.image, before.results[0].reconstruction.image)
    assert again.offer.isHidden()
    Path(file).write_bytes(b"changed since")
    third = reopen(make_window, qtbot, tmp_path / "day.myoscope")
    assert third.session.current.results == ()
    assert len(third.session.current.pending) == 1, "a file with another content is not that result"


def test_running_the_method_by_hand_answers_the_offer(working, make_window, qtbot, tmp_path):
    save(working, qtbot, tmp_path / "day.myoscope")
    again = reopen(make_window, qtbot, tmp_path / "day.myoscope")
    again.reconstruct.run()
    qtbot.waitUntil(lambda: bool(again.session.current.results) and settled(again)())
    assert again.session.current.pending == ()
    assert again.offer.isHidden()


def test_new_keys_are_none_of_those_in_the_file(working, make_window, qtbot, tmp_path):
    save(working, qtbot, tmp_path / "day.myoscope")
    again = reopen(make_window, qtbot, tmp_path / "day.myoscope")
    used = {again.session.current.key, *(one.key for one in again.session.current.pending)}
    assert again.session.new_case(kspace(), "new").key not in used
    assert again.session.history.undo_step is None


def test_no_name_of_a_person_or_home_is_in_the_file(working, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(working, qtbot, tmp_path / "day.myoscope")
    text = (tmp_path / "day.myoscope").read_text()
    saved = read(tmp_path / "day.myoscope")
    assert saved.cases[0].origin.data.path == "~/scan.h5"
    assert "patient" not in text.lower()


def test_drag_and_drop_opens_a_session(working, make_window, qtbot, tmp_path):
    save(working, qtbot, tmp_path / "day.myoscope")
    window = make_window()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "day.myoscope"))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(), Qt.DropAction.CopyAction, data, buttons, keys))
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    assert window.session.current.title == working.session.current.title
    assert window.sessions.path == tmp_path / "day.myoscope"


def test_opening_over_unsaved_work_asks_first(working, qtbot, tmp_path):
    save(working, qtbot, tmp_path / "day.myoscope")
    key = working.session.current.key
    working.session.edit(key, drawings={0: Drawing(roi=((1.0, 1.0),))})
    working.sessions.open(tmp_path / "day.myoscope")
    qtbot.waitUntil(lambda: working.findChild(ClosingDialog, "replace") is not None)
    dialog = working.findChild(ClosingDialog, "replace")
    assert "Not saved: 1 drawing." in dialog.findChild(QLabel, "replace.line0").text()
    dialog.findChild(QPushButton, "replace.cancel").click()
    qtbot.waitUntil(settled(working))
    assert 0 in working.session.current.drawings
    working.sessions.open(tmp_path / "day.myoscope")
    qtbot.waitUntil(lambda: bool([d for d in working.findChildren(ClosingDialog, "replace") if d.isVisible()]))
    dialog = next(d for d in working.findChildren(ClosingDialog, "replace") if d.isVisible())
    dialog.findChild(QPushButton, "replace.discard").click()
    qtbot.waitUntil(lambda: settled(working)() and 1 in working.session.current.drawings)
    assert 0 not in working.session.current.drawings


def test_a_damaged_file_is_told_and_nothing_is_lost(working, qtbot, tmp_path):
    before = working.session.state
    (tmp_path / "bad.myoscope").write_text('{"format": "myoscope session", "version": 1, "cases": 3}')
    working.files.open([tmp_path / "bad.myoscope"])
    qtbot.waitUntil(lambda: bool(working.errors.log) and settled(working)())
    assert "cases" in working.errors.log[-1][1].message
    assert working.session.state is before


# --- moved data --------------------------------------------------------------------------------------------------------


def test_data_that_moved_beside_the_session_are_found(working, make_window, scan, qtbot, tmp_path):
    save(working, qtbot, tmp_path / "day.myoscope")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    scan.rename(folder / "scan.h5")
    (tmp_path / "day.myoscope").rename(folder / "day.myoscope")
    again = reopen(make_window, qtbot, folder / "day.myoscope")
    same_look(working.session.current, again.session.current)
    assert again.session.current.origin.name == str(folder / "scan.h5")


def test_data_that_are_not_found_are_asked_for(working, make_window, engine, scan, qtbot, tmp_path, monkeypatch):
    save(working, qtbot, tmp_path / "day.myoscope")
    hidden = tmp_path / "deep" / "renamed.h5"
    hidden.parent.mkdir()
    scan.rename(hidden)
    engine.files["renamed.h5"] = engine.files["scan.h5"]
    window = make_window()
    window.files.open([tmp_path / "day.myoscope"])
    qtbot.waitUntil(lambda: window.findChild(RelocateDialog, "relocate") is not None)
    dialog, key = window.findChild(RelocateDialog, "relocate"), working.session.current.key
    state, accept = dialog.findChild(QLabel, f"relocate.{key}.state"), dialog.findChild(QPushButton, "relocate.accept")
    assert (state.text(), accept.text()) == ("not found", "Open without it")
    (tmp_path / "wrong.h5").write_bytes(b"another scan")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "wrong.h5"), ""))
    find = dialog.findChild(QPushButton, f"relocate.{key}.find")
    find.click()
    qtbot.waitUntil(lambda: "another content" in state.text())
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(hidden), ""))
    find.click()
    qtbot.waitUntil(lambda: state.text() == "found")
    assert accept.text() == "Open"
    accept.click()
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    same_look(working.session.current, window.session.current)


def test_a_case_without_its_data_is_left_out_and_told(working, make_window, scan, qtbot, tmp_path):
    save(working, qtbot, tmp_path / "day.myoscope")
    scan.unlink()
    window = make_window()
    window.files.open([tmp_path / "day.myoscope"])
    qtbot.waitUntil(lambda: window.findChild(RelocateDialog, "relocate") is not None)
    window.findChild(RelocateDialog, "relocate").findChild(QPushButton, "relocate.accept").click()
    qtbot.waitUntil(lambda: bool(window.errors.log) and settled(window)())
    assert "1 part of day.myoscope could not be had: tiny" in window.errors.log[-1][1].message
    assert window.session.cases == ()


# --- kept without being asked ------------------------------------------------------------------------------------------


def test_the_session_is_kept_when_something_changed_and_only_then(working, qtbot):
    (path,) = working.sessions.kept_files()
    assert not path.exists()
    working.sessions.autosave()
    qtbot.waitUntil(settled(working))
    assert read(path).cases[0].title == working.session.current.title
    first = path.stat().st_mtime_ns
    working.sessions.autosave()
    assert not working.runner.active("session.autosave"), "nothing changed"
    working.review.step_frame(1)
    working.sessions.autosave()
    qtbot.waitUntil(settled(working))
    assert path.stat().st_mtime_ns != first
    assert read(path).cases[0].view.frame == working.session.current.view.frame


def test_the_last_session_is_offered_after_a_normal_end(working, make_window, qtbot):
    before = working.session.current
    working.leave()
    window = make_window()
    qtbot.waitUntil(lambda: bool(window.panels.methods.model.rows()))
    assert window.offer.isVisible()
    assert "Go on where you were" in window.offer.message.text()
    assert window.actions_by_key["file.open_last"].isEnabled()
    window.offer.button.click()
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    same_look(before, window.session.current)
    assert window.sessions.path is None, "saving asks where: the last session is not a person's file"


def test_without_a_last_session_nothing_is_offered(window):
    assert window.offer.isHidden()
    assert not window.actions_by_key["file.open_last"].isEnabled()


def test_an_offer_goes_when_something_else_is_opened(working, make_window, scan, qtbot):
    working.leave()
    window = make_window()
    assert window.offer.isVisible()
    window.files.open([scan])
    qtbot.waitUntil(lambda: window.session.current is not None and settled(window)())
    assert window.offer.isHidden()
    assert window.actions_by_key["file.open_last"].isEnabled(), "the menu still has it"


def test_a_window_that_did_not_end_leaves_its_session(tmp_path):
    folder = tmp_path / "sessions"
    folder.mkdir()
    (folder / "autosave-1.myoscope").write_text("left behind")
    place = AutosavePlace(folder)
    assert place.take()
    assert place.last.read_text() == "left behind"
    assert place.path is not None
    assert not place.path.exists()
    place.end()
    again = AutosavePlace(folder)
    assert not again.take(), "this one ended normally"
    again.end()


def test_two_windows_keep_two_files(tmp_path):
    first, second = AutosavePlace(tmp_path), AutosavePlace(tmp_path)
    assert not first.take()
    first.path.write_text("first")
    assert not second.take(), "the first window is still there"
    assert first.path != second.path
    second.path.write_text("second")
    first.end()
    second.end()
    assert first.last.read_text() == "second", "the last to end"


def test_a_folder_that_cannot_be_written_costs_autosave_only(tmp_path):
    (tmp_path / "file").write_text("")
    place = AutosavePlace(tmp_path / "file" / "sessions")
    assert not place.take()
    assert place.path is None
    place.end()


# --- closing -----------------------------------------------------------------------------------------------------------


def closing(window):
    return next((d for d in window.findChildren(ClosingDialog, "closing") if d.isVisible()), None)


def test_closing_with_unsaved_work_asks_once(working, qtbot, tmp_path, monkeypatch):
    assert not working.close()
    dialog = closing(working)
    assert dialog.findChild(QLabel, "closing.line0").text() == "Not saved: 1 result and 1 drawing."
    assert not working.close()
    assert len([d for d in working.findChildren(ClosingDialog, "closing") if d.isVisible()]) == 1
    dialog.findChild(QPushButton, "closing.cancel").click()
    assert working.isVisible()
    working.close()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    closing(working).findChild(QPushButton, "closing.save").click()
    assert working.isVisible(), "where to save was not said: nothing is closed"
    working.close()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "end"), ""))
    closing(working).findChild(QPushButton, "closing.save").click()
    qtbot.waitUntil(lambda: not working.isVisible())
    assert len(read(tmp_path / "end.myoscope").cases) == 1


def test_a_session_that_cannot_be_written_keeps_the_window_open(working, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "end.myoscope"), ""))
    working.close()
    closing(working).findChild(QPushButton, "closing.save").click()
    qtbot.waitUntil(lambda: bool(working.errors.log) and settled(working)())
    assert "does not exist" in working.errors.log[-1][1].message
    assert working.isVisible()


def test_closing_without_work_does_not_ask(loaded):
    assert loaded.close()


def test_what_was_saved_is_not_asked_about(working, qtbot, tmp_path):
    save(working, qtbot, tmp_path / "day.myoscope")
    assert working.close()
