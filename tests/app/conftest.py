"""Fixtures of the window's tests: settings of their own, the window on a stand-in engine, and nothing left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QTimer
from PySide6.QtWidgets import QApplication

from app import theme
from app.errors import ErrorCenter
from app.main_window import MainWindow
from app.session import Session
from app.settings import Settings
from tests.app.stand_in import StandIn


@pytest.fixture(autouse=True)
def config_folder(tmp_path, monkeypatch):
    """Keep the user's settings out of tests."""
    monkeypatch.setenv("MYOSCOPE_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture(autouse=True)
def nothing_left(request):
    """Fail a test that leaves windows, running jobs or running timers behind."""
    yield
    if "qtbot" not in request.fixturenames:
        return
    application = QApplication.instance()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    application.processEvents()
    left = [w for w in QApplication.topLevelWidgets() if w.isVisible()]
    assert not left, f"windows left behind: {left}"
    ticking = [o for o in application.findChildren(QTimer) if o.isActive()]
    assert not ticking, f"timers left running: {ticking}"


@pytest.fixture
def themed(qapp):
    """Return the application in the dark theme."""
    theme.apply(qapp, "dark")
    return qapp


@pytest.fixture
def settings(tmp_path):
    """Return settings in a folder of the test."""
    return Settings(tmp_path / "settings.ini")


@pytest.fixture
def folder(tmp_path):
    """Return where pictures go: the folder in MYOSCOPE_PICTURES, or one that is thrown away."""
    place = Path(os.environ.get("MYOSCOPE_PICTURES") or tmp_path)
    place.mkdir(parents=True, exist_ok=True)
    return place


@pytest.fixture
def session(qapp):
    """Return an empty session without a window."""
    return Session()


@pytest.fixture
def engine():
    """Return the stand-in engine."""
    return StandIn()


@pytest.fixture
def make_window(qtbot, engine, settings):
    """Return a function that makes windows on the stand-in engine (or another one); all are closed at the end."""
    made = []

    def make(api=None, **kwargs):
        window = MainWindow(api or engine, kwargs.pop("settings", settings), ErrorCenter(QApplication.instance()), **kwargs)
        window.shown.connect(window.machine.start)
        window.machine.ready.connect(window.reconstruct.load_methods)
        made.append(window)
        window.show()
        qtbot.waitExposed(window)
        return window

    yield make
    for window in made:
        window.errors.deleteLater()
        window.leave()
        assert not window.runner.active(), "jobs left behind"
        window.deleteLater()
    window = None
    made.clear()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def window(make_window, qtbot):
    """Return a window with the method table filled."""
    made = make_window()
    qtbot.waitUntil(lambda: bool(made.panels.methods.model.rows()))
    return made


@pytest.fixture
def loaded(window, qtbot):
    """Return a window with a small series, its mask, reference and preview."""
    from tests.app.stand_in import kspace

    session = window.session
    session.insert(session.new_case(kspace(), "tiny", "tiny.h5"))
    qtbot.waitUntil(
        lambda: session.current.mask is not None and session.current.reference is not None and session.current.preview is not None
    )
    qtbot.waitUntil(
        lambda: len(session.current.reference_slices) == 3 and session.current.region is not None and not window.runner.active()
    )
    return window
