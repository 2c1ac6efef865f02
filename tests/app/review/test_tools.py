"""Tools and divider in Review: chosen by action, key or button, part of the view."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton

from app import actions
from app.display.layers import DividerLayer, first
from app.views.tools.contract import TOOLS
from tests.app.review.test_controller import compared, settled  # noqa: F401
from tests.app.views.test_grid import drag

NAMES = [spec.argument for spec in actions.ACTIONS if spec.group == "tool"]


@pytest.mark.parametrize("name", NAMES)
def test_each_tool_has_one_action_with_a_key_and_a_button(loaded, name):
    spec = actions.find(f"tool.{name}")
    assert TOOLS.get(name)
    assert spec.shortcuts
    button = loaded.findChild(QToolButton, f"review.tool.{name}")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert loaded.session.current.view.tool == name
    assert [n for n in NAMES if loaded.actions_by_key[f"tool.{n}"].isChecked()] == [name]
    assert loaded.session.history.undo_step is None, "choosing a tool is not undone"


def test_the_chosen_tool_gets_the_left_button(compared):  # noqa: F811
    session, grid = compared.session, compared.review_panel.grid
    key = session.current.results[0].key
    pane = grid.pane(key)
    at = pane.picture_area().center().toPoint() + QPoint(0, 12)
    drag(pane, at, at + QPoint(40, 0))
    assert session.current.view.window is None, "pan, as always"
    compared.actions_by_key["tool.window"].trigger()
    drag(pane, at, at + QPoint(40, 0))
    assert session.current.view.window is not None
    session.undo()
    assert session.current.view.window is None, "a drag is one step"


def test_the_divider_shows_the_reference_and_can_be_undone(compared, qtbot):  # noqa: F811
    session, grid = compared.session, compared.review_panel.grid
    key = session.current.results[0].key
    compared.actions_by_key["view.divider"].trigger()
    qtbot.waitUntil(lambda: first(grid.pane(key).layers, DividerLayer) is not None)
    layer = first(grid.pane(key).layers, DividerLayer)
    assert layer.other == grid.pane("reference").frame.picture
    assert compared.actions_by_key["view.divider"].isChecked()
    pane = grid.pane(key)
    at = pane.picture_area().center().toPoint()
    drag(pane, at, at + QPoint(20, 0))
    assert session.current.view.divider > 0.5
    session.undo()
    assert session.current.view.divider == 0.5
    compared.actions_by_key["view.divider"].trigger()
    assert session.current.view.divider is None
    qtbot.waitUntil(lambda: first(grid.pane(key).layers, DividerLayer) is None)


def test_a_divider_without_a_reference_is_explained(loaded, qtbot):
    loaded.session.edit(loaded.session.current.key, reference=None, reference_slices=frozenset(), results=())
    loaded.review.refresh()
    assert loaded.review.display.pane("reference") is None
    loaded.review.toggle_divider()
    assert loaded.session.current.view.divider is None
    assert "needs a reference" in loaded.status_bar.currentMessage()
    qtbot.waitUntil(settled(loaded))
