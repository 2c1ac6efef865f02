"""One budget for undo and derived pictures."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QInputDialog

from app.display.scene import CACHE
from app.document.memory import PICTURE_BYTES, shares

MIB = 1 << 20


@pytest.fixture(autouse=True)
def usual_cache():
    """Give the pictures that all windows of this process share their budget back."""
    before = CACHE.budget_bytes
    yield
    CACHE.set_budget(before)


def test_shares_add_up_and_pictures_take_no_more_than_they_need():
    assert shares(400 * MIB) == (300 * MIB, 100 * MIB)
    undo, pictures = shares(64 << 30)
    assert pictures == PICTURE_BYTES
    assert undo + pictures == 64 << 30


def test_an_eighth_of_the_memory_unless_a_person_chose(window):
    # The stand-in has 8192 MiB.
    assert window.memory.budget_mib == 1024
    assert window.session.history.budget_bytes == 768 * MIB
    assert CACHE.budget_bytes == 256 * MIB


def test_a_person_may_choose_another(window, qtbot):
    window.actions_by_key["edit.memory"].trigger()
    dialog = window.findChild(QInputDialog, "memory")
    assert "1,024 MiB" in dialog.labelText()
    dialog.setIntValue(100)
    dialog.accept()
    assert window.settings.get("memory/budget_mib") == 100
    assert window.session.history.budget_bytes == 75 * MIB
    assert "100 MiB" in window.statusBar().currentMessage()
    window.memory.ask()
    again = next(d for d in window.findChildren(QInputDialog, "memory") if d is not dialog)
    again.setIntValue(0)
    again.accept()
    assert window.memory.budget_mib == 1024
