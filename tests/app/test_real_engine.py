"""The window on the real engine: the demo, pictures of it, and a window that computes nothing itself.

Pictures go to the folder in MYOSCOPE_PICTURES (a temporary one without it): they are meant to be looked at.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QSize
from PySide6.QtWidgets import QPushButton

from app.application import DEMO_METHODS, start_demo
from app.document.results import is_stale
from app.jobs import unstopped
from engine.core.requests import MaskRequest
from tests.app.real import CHEAP, PATIENCE_MS, Watched, picture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def engine():
    """Return the real engine, watched."""
    return Watched()


@pytest.fixture
def real(make_window, engine, qtbot):
    """Return a window on the real engine with the method table filled."""
    window = make_window(engine)
    window.set_theme("dark")
    window.resize(QSize(1366, 768))
    qtbot.waitUntil(lambda: bool(window.panels.methods.model.rows()), timeout=PATIENCE_MS)
    return window


def idle(window):
    return lambda: not window.runner.active() and not window.reconstruct.running and not window.sampling.pending


def finished(window, methods=DEMO_METHODS):
    def check():
        case = window.session.current
        return (
            case is not None
            and len(window.session.current.results) == len(methods)
            and all(r.scores for r in window.session.current.results)
            and idle(window)()
        )

    return check


def psnr(window, method: str) -> float:
    result = next(r for r in window.session.current.results if r.method == method)
    return result.scores["psnr", "whole"].value


def test_the_demo_from_start_to_compared_results_and_its_pictures(real, qtbot, folder):
    empty = picture(real, folder / "empty.png")
    start_demo(real)
    qtbot.waitUntil(lambda: real.reconstruct.running, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: len(real.session.current.results) == 2 and real.session.current.region is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: all(r.scores for r in real.session.current.results), timeout=PATIENCE_MS)
    running = picture(real, folder / "running.png")
    assert real.findChild(QPushButton, "review.reconstruct").text() == "Cancel"
    qtbot.waitUntil(finished(real), timeout=PATIENCE_MS)

    assert real.session.current.mask.pattern == "equispaced"
    assert real.session.current.mask.nominal_acceleration == 8.0
    assert real.session.current.mask.acs[1] - real.session.current.mask.acs[0] == 24
    assert real.session.current.kspace.shape[2] == 8
    assert any("simulated" in note for note in real.session.current.kspace.notes)
    assert [r.method for r in real.session.current.results] == list(DEMO_METHODS)
    assert [p.key for p in real.review.display.panes] == ["reference", *(r.key for r in real.session.current.results)]
    assert all(p.image is not None for p in real.review.display.panes)
    assert psnr(real, "myonet") > psnr(real, "l1_wavelet") > psnr(real, "zero_filled")

    dark = picture(real, folder / "dark.png")
    real.set_theme("light")
    light = picture(real, folder / "light.png")
    corner = real.review_panel.grid.mapTo(real, QPoint(2, 200))
    assert light[:40].mean() > 150 > 90 > dark[:40].mean()
    assert light[corner.y(), corner.x()] == dark[corner.y(), corner.x()] < 30, "the images keep their dark background"
    real.set_theme("dark")

    real.files.open([Path("there-is-no-such-file.h5")])
    qtbot.waitUntil(lambda: real.notices.isVisible() and idle(real)(), timeout=PATIENCE_MS)
    error = picture(real, folder / "error.png")
    assert "does not exist" in real.notices.message.text()
    assert [r.method for r in real.session.current.results] == list(DEMO_METHODS), "what was on screen stays"
    for one, other in ((empty, running), (running, dark), (dark, error)):
        assert (one != other).any()


def test_reconstructions_run_in_workers_and_a_cancelled_one_leaves_its_old_result(real, engine, qtbot):
    real.files.open_sample("porcine_cine")
    qtbot.waitUntil(
        lambda: real.session.current is not None and real.session.current.mask is not None and idle(real)(), timeout=PATIENCE_MS
    )
    bar = real.panels.methods.progress
    real.panels.methods.model.set_ticked(["cg_sense", "l1_wavelet"])
    moved = []
    bar.valueChanged.connect(moved.append)
    real.reconstruct.run()
    qtbot.waitUntil(lambda: len(real.session.current.results) == 2 and not real.reconstruct.running, timeout=PATIENCE_MS)
    assert len(set(moved)) > 5, "the window is drawn while it runs"

    real.sampling.set_request(MaskRequest("equispaced", 6.0, 24, 0))
    qtbot.waitUntil(lambda: idle(real)() and is_stale(real.session.current.results[0], real.session.current), timeout=PATIENCE_MS)
    before = real.session.current.results
    real.reconstruct.run()
    qtbot.waitUntil(lambda: bar.value() > 100, timeout=PATIENCE_MS)
    moved.clear()
    real.reconstruct.cancel()
    qtbot.waitUntil(lambda: not real.reconstruct.running, timeout=PATIENCE_MS)
    assert max(moved, default=0) < bar.maximum(), "it did not go on to its end"
    assert real.session.current.results[-1] is before[-1], "a cancelled method leaves its old result"
    assert set(engine.by_the_window) <= CHEAP, "never on the GUI thread"


def test_closing_the_window_during_a_real_reconstruction_ends_it(real, qtbot):
    real.files.open_sample("porcine_cine")
    qtbot.waitUntil(lambda: real.session.current is not None and real.session.current.mask is not None, timeout=PATIENCE_MS)
    real.panels.methods.model.set_ticked(["l1_wavelet"])
    real.reconstruct.run()
    qtbot.waitUntil(lambda: real.panels.methods.progress.value() > 0, timeout=PATIENCE_MS)
    assert not real.close(), "a running job is asked about"
    real.findChild(QPushButton, "closing.discard").click()
    qtbot.waitUntil(lambda: not real.isVisible(), timeout=PATIENCE_MS)
    assert not real.runner.active()
    assert not unstopped(), "no work goes on without its window"
    assert not real.isVisible()
