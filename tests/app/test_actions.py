"""The action table: complete, without clashes, every action can be triggered."""

from __future__ import annotations

from collections import Counter

import pytest
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog

from app import actions
from app.dialogs.shortcuts import sheet
from app.workspaces import WORKSPACES

KEYS = [spec.key for spec in actions.ACTIONS]


def test_keys_and_shortcuts_are_unique():
    assert [key for key, count in Counter(KEYS).items() if count > 1] == []
    for workspace in WORKSPACES:
        there = [spec for spec in actions.ACTIONS if spec.workspace in ("", workspace.name)]
        shortcuts = Counter(QKeySequence(keys).toString() for spec in there for keys in spec.shortcuts)
        assert [keys for keys, count in shortcuts.items() if count > 1] == []
        assert "" not in shortcuts


def test_every_action_belongs_to_a_workspace_that_is_there():
    assert {spec.workspace for spec in actions.ACTIONS} <= {"", *(workspace.name for workspace in WORKSPACES)}


def test_every_action_is_in_exactly_one_menu():
    listed = Counter(key for keys in actions.MENUS.values() for key in keys if key and not key.startswith("["))
    assert set(listed) == set(KEYS)
    assert set(listed.values()) == {1}


def test_mnemonics_of_a_menu_are_unique():
    for title, keys in actions.MENUS.items():
        letters = [actions.find(key).text.partition("&")[2][:1].lower() for key in keys if key and not key.startswith("[")]
        twice = [letter for letter, count in Counter(letters).items() if letter and count > 1]
        assert not twice, f"{title}: {twice}"


def test_unknown_action_names_the_nearest():
    with pytest.raises(KeyError, match=r"no action 'file\.opne', did you mean 'file\.open'"):
        actions.find("file.opne")


def test_the_sheet_lists_every_shortcut():
    words = {words for lines in sheet().values() for _, words in lines}
    for spec in actions.ACTIONS:
        if spec.shortcuts:
            assert spec.text.replace("&", "").rstrip("…") in words


@pytest.fixture
def no_dialogs(monkeypatch):
    """Answer file dialogs with Cancel and open no modal window of the desktop."""
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([], ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: ("", ""))


def close_dialogs(qtbot):
    for widget in QApplication.topLevelWidgets():
        if isinstance(widget, QDialog) and widget.isVisible():
            widget.close()


@pytest.mark.parametrize("workspace", [workspace.name for workspace in WORKSPACES])
@pytest.mark.parametrize("state", ["window", "loaded"])
def test_every_action_can_be_triggered(request, qtbot, no_dialogs, state, workspace):
    window = request.getfixturevalue(state)
    window.show_workspace(workspace)
    shown = []
    window.errors.shown.connect(shown.append)
    # The one that takes the series away comes last.
    for key in sorted(set(KEYS) - {"file.quit"}, key=lambda key: (key == "file.close_series", KEYS.index(key))):
        window.show_workspace(workspace)
        action = window.actions_by_key[key]
        action.setEnabled(True)
        action.trigger()
        qtbot.waitUntil(lambda: not window.runner.active() and not window.reconstruct.running)
        close_dialogs(qtbot)
        assert all(notice.expected for notice in shown), (key, [notice.details for notice in shown])


def test_quit_closes_the_window(window):
    window.actions_by_key["file.quit"].trigger()
    assert not window.isVisible()
