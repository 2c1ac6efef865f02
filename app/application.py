"""The application object: style, logging, the hook for unexpected failures; the window first, slow imports after."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app import theme
from app.errors import ErrorCenter
from app.jobs import unstopped
from app.main_window import MainWindow
from app.settings import Settings
from engine.api.contract import EngineApi

LOG = logging.getLogger(__name__)

DEMO_SAMPLE = "porcine_cine"
DEMO_METHODS = ("zero_filled", "l1_wavelet", "myonet")


def make_application() -> QApplication:
    """Return the one application object, named and themed."""
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("myoscope")
    application.setApplicationDisplayName("Myoscope")
    application.setDesktopFileName("myoscope")
    return application


def make_window(settings: Settings, api: EngineApi | None = None, errors: ErrorCenter | None = None) -> MainWindow:
    """Return the window; loading torch begins once it is on screen."""
    if api is None:
        from engine import api as engine_api

        api = engine_api
    application = make_application()
    theme.apply(application, settings.get("window/theme"))
    window = MainWindow(api, settings, errors or ErrorCenter(application))
    window.shown.connect(window.machine.start)
    window.machine.ready.connect(window.reconstruct.load_methods)
    return window


def start_demo(window: MainWindow) -> None:
    """Open the porcine cine with simulated coils, sample at R = 8 with 24 ACS lines, and run three methods."""
    from engine.core.requests import MaskRequest

    window.panels.sampling.set_request(MaskRequest("equispaced", 8.0, 24, 0))
    # Only for the sample: what is opened later is not the demo's.
    window.files.open_sample(DEMO_SAMPLE).succeeded.connect(lambda _: window.reconstruct.run_methods(DEMO_METHODS))


def run(
    demo: bool = False,
    files: Sequence[str] = (),
    reset_settings: bool = False,
    screenshot: str | None = None,
    after: float = 2.0,
    quit_after: float | None = None,
) -> int:
    """Show the window, run the event loop, return its exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    application = make_application()
    errors = ErrorCenter(application)
    errors.install()
    settings = Settings()
    if reset_settings:
        settings.reset()
    window = make_window(settings, errors=errors)
    if demo:
        window.shown.connect(lambda: start_demo(window))
    if files:
        window.shown.connect(lambda: window.files.open(files))
    window.arrangement.fit(application.primaryScreen().availableSize())
    _let_interrupt_through(application, window)
    if screenshot is not None:
        window.shown.connect(lambda: QTimer.singleShot(int(1000 * after), lambda: _save(window, screenshot)))
    if quit_after is not None:
        window.shown.connect(lambda: QTimer.singleShot(int(1000 * quit_after), window.leave))
    window.show()
    code = application.exec()
    errors.remove()
    if unstopped():
        logging.shutdown()
        os._exit(int(code))
    return int(code)


def _save(window: MainWindow, path: str) -> None:
    if not window.grab().save(path):
        LOG.error("the picture could not be written to %s", Path(path))
    window.leave()


def _let_interrupt_through(application: QApplication, window: MainWindow) -> None:
    """Close the window on Ctrl+C in the terminal. Python looks at signals only when it runs, so a slow timer lets it."""
    try:
        signal.signal(signal.SIGINT, lambda *_: window.leave())
    except ValueError:
        # Not in the main thread: somebody else looks after signals.
        return
    timer = QTimer(application)
    timer.timeout.connect(lambda: None)
    timer.start(500)
