"""Training from the window with the real engine in a real process: it obeys, and the weights are those of a run by hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file

from app.processes import TrainingProcess
from app.settings import folder as settings_folder
from app.train.controller import CONFIG
from engine import api
from tests.app.finding import find
from tests.app.real import PATIENCE_MS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def series(seed: int) -> np.ndarray:
    """Return a beating disc, float32 (frame, y, x)."""
    y, x = np.mgrid[:48, :40]
    radius = 8 + 3 * np.cos(2 * np.pi * np.arange(6) / 6 + seed)
    return (1 / (1 + np.exp(np.hypot(y - 24, x - 20 - seed) - radius[:, None, None]))).astype(np.float32)


@pytest.fixture
def page(make_window, qtbot, tmp_path, monkeypatch):
    """Return the Train page on the real engine, its library and runs in a folder of the test, its form filled."""
    monkeypatch.setenv("MYOSCOPE_WEIGHTS", str(tmp_path / "user" / "weights"))
    data = tmp_path / "data"
    data.mkdir()
    for seed in range(3):
        np.save(data / f"subject{seed}.npy", series(seed)[None])
    window = make_window(api)
    window.show_workspace("train")
    page = window.train
    qtbot.waitUntil(lambda: bool(page.form_panel.fields), timeout=PATIENCE_MS)
    page.form.set_values({
        "name": "tiny",
        "model": {"network": "myonet", "options": {"cascades": 2, "channels": 8, "blocks": 1}},
        "data": {
            "sources": [{"location": str(data), "axes": "sfyx", "kind": "cine"}],
            "columns": 24, "validation_columns": 0, "validation_examples": 1,
            "acquisition": {"coils": [2, 3], "matrix": [32, 48], "frames": [6, 6]},
        },
        "masks": {"acceleration": [2, 3], "acs": [8, 10]},
        "validation_masks": {"acceleration": [3, 3], "acs": [8, 8]},
        "optimiser": {"warm_up": 2},
        "run": {"steps": 12, "epoch": 6, "checkpoint_steps": 3, "device": "cpu", "threads": 1},
    })  # fmt: skip
    return page


def test_a_run_of_the_window_and_one_of_the_same_file_give_the_same_weights(page, qtbot, tmp_path):
    page.form.request_start()
    qtbot.waitUntil(lambda: page.train.running, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not page.train.running, timeout=PATIENCE_MS)
    run = page.train.run
    assert (run.reason, run.step, run.weights) == ("steps", 12, "tiny")
    assert len(run.scores["psnr"]) == 3
    assert run.best == run.scores["psnr"].curve()[1].max()
    qtbot.waitUntil(lambda: len(page.panel.preview.titles) == 3, timeout=PATIENCE_MS)

    codes: list[int] = []
    other = TrainingProcess([str(settings_folder() / CONFIG), "--run", str(tmp_path / "other"), "--events", "-"])
    other.ended.connect(codes.append)
    other.start()
    qtbot.waitUntil(lambda: bool(codes), timeout=PATIENCE_MS)
    assert codes == [0], other.error_text()
    here, there = (load_file(Path(place) / "best.safetensors") for place in (run.folder, tmp_path / "other"))
    assert here.keys() == there.keys()
    for name, values in here.items():
        np.testing.assert_array_equal(values, there[name], err_msg=name)
    qtbot.waitUntil(lambda: [info.state for info in page.runs_panel.model.records] == ["ended"], timeout=PATIENCE_MS)


def test_pause_and_stop_are_heard_by_the_process(page, qtbot):
    page.form_panel.fields["run.steps"].set_value(100_000)
    page.form.request_start()
    qtbot.waitUntil(lambda: page.train.running and page.train.run.step > 3, timeout=PATIENCE_MS)
    trained = psutil.Process(page.train.process.pid)
    assert trained.pid != os.getpid()
    page.panel.pause.click()
    qtbot.waitUntil(lambda: page.panel.state.text().startswith("Paused"), timeout=PATIENCE_MS)
    held = page.train.run.step
    qtbot.wait(600)
    assert page.train.run.step == held
    page.panel.pause.click()
    qtbot.waitUntil(lambda: page.train.run.step > held, timeout=PATIENCE_MS)
    page.panel.stop.click()
    qtbot.waitUntil(lambda: bool(page.train.run.reason), timeout=PATIENCE_MS)
    assert page.train.run.reason == "stop"
    assert page.train.run.step < 100_000
    qtbot.waitUntil(lambda: not page.train.running, timeout=PATIENCE_MS)
    assert page.train.run.weights == "tiny"
    assert not trained.is_running(), "its memory is back"


def test_a_process_that_is_killed_can_go_on(page, qtbot):
    page.form_panel.fields["run.steps"].set_value(30)
    page.form.request_start()
    qtbot.waitUntil(lambda: page.train.running and page.train.run.step >= 8, timeout=PATIENCE_MS)
    psutil.Process(page.train.process.pid).kill()
    qtbot.waitUntil(lambda: page.panel.crash.isVisible(), timeout=PATIENCE_MS)
    died = page.train.run.step
    find(page.panel, "train.crash.resume").click()
    qtbot.waitUntil(lambda: page.train.running and page.train.run.reason == "steps", timeout=PATIENCE_MS)
    assert died - 3 <= 30 == page.train.run.step
    steps, _ = page.train.run.loss.curve()
    assert (np.diff(steps) > 0).all()
    qtbot.waitUntil(lambda: not page.train.running, timeout=PATIENCE_MS)
    assert page.train.run.weights == "tiny"
