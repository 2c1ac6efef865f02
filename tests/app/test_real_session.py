"""The real engine behind the window: a run that is cancelled, closed and reopened has lost nothing it had finished."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QPushButton

from engine import api
from engine.core.requests import PhantomSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SLICES, STOP_AFTER, PATIENCE_MS = 12, 5, 120_000
METHODS = ("zero_filled", "cg_sense", "grappa")


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Return a file of k-space with twelve small slices."""
    series, _ = api.make_phantom(PhantomSettings(kind="cine", matrix=(48, 40), coils=4, slices=SLICES, frames=4, snr=60.0))
    path = tmp_path_factory.mktemp("scan") / "twelve.h5"
    api.save_series(series, path)
    return path


def opened(make_window, qtbot, path):
    window = make_window(api)
    qtbot.waitUntil(lambda: bool(window.panels.methods.model.rows()), timeout=PATIENCE_MS)
    window.files.open([path])
    qtbot.waitUntil(lambda: window.session.current is not None and window.session.current.mask is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: idle(window), timeout=PATIENCE_MS)
    return window


def idle(window):
    # Quiet jobs (counting what networks cost) go on for a minute.
    return not window.runner.visible() and not window.reconstruct.running and not window.sampling.pending


def nested(record, key):
    """Return how deep records of runs lie in one another."""
    return max((1 + nested(inner, key) for inner in record.get(key, ())), default=0)


def test_a_cancelled_run_is_there_after_closing_and_reopening(make_window, qtbot, scan, tmp_path):
    window = opened(make_window, qtbot, scan)
    panel = window.panels.methods
    panel.all_slices.setChecked(True)
    panel.model.set_ticked(METHODS)

    def stop(_):
        if [len(result.slices) for result in window.session.current.results] == [STOP_AFTER] * len(METHODS):
            window.reconstruct.cancel()

    window.session.changed.connect(stop)
    window.findChild(QPushButton, "review.reconstruct").click()
    qtbot.waitUntil(lambda: window.reconstruct.running, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: idle(window), timeout=PATIENCE_MS)
    before = window.session.current.results
    # Those of the slice on screen, then from the first: all methods of a slice before the next.
    expected = tuple(sorted((window.session.current.view.slice_index, 0, 1, 2, 3)))
    assert [result.slices for result in before] == [expected] * len(METHODS)

    saved = []
    window.sessions.save_to(tmp_path / "day.myoscope", True, lambda: saved.append(1))
    qtbot.waitUntil(lambda: bool(saved) and idle(window), timeout=PATIENCE_MS)
    window.close()

    again = opened(make_window, qtbot, tmp_path / "day.myoscope")
    after = again.session.current.results
    assert [(result.method, result.slices) for result in after] == [(name, expected) for name in METHODS]
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(new.reconstruction.image, old.reconstruction.image)
        record = new.reconstruction.provenance
        assert sorted(record["slices"]) == list(expected)
        assert nested(record, "earlier_runs") == 0

    # Going on makes the seven that are left; the record of the first run stands beside that of the second.
    again.panels.methods.all_slices.setChecked(True)
    again.panels.methods.model.set_ticked(["cg_sense"])
    again.findChild(QPushButton, "review.reconstruct").click()
    qtbot.waitUntil(lambda: again.reconstruct.running, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: idle(again), timeout=PATIENCE_MS)
    whole = next(result for result in again.session.current.results if result.method == "cg_sense")
    assert whole.slices == tuple(range(SLICES))
    assert nested(whole.reconstruction.provenance, "earlier_runs") <= 1
