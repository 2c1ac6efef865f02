"""A grid on screen with a small session."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication

from app.display.state import ViewState
from app.review.resolve import resolve
from app.views.grid import PaneGrid
from tests.app.display.build import snapshot


@pytest.fixture
def data():
    """Return a session with a reference and two results of 7 x 9 pixels."""
    return snapshot(2)


@pytest.fixture
def grid(qtbot, themed, data):
    """Return a grid that shows the session."""
    made = PaneGrid()
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.apply(resolve(data, ViewState(profile=(1, 3, 7, 3))))
    made.show()
    qtbot.waitExposed(made)
    QApplication.processEvents()
    return made
