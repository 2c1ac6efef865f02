"""The real program on a real X display: the window is up before torch is, and the demo's picture is not blank."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = [
    pytest.mark.display,
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or not os.environ.get("DISPLAY"),
        reason="no X display: start the tests with packaging/bootstrap.py, which brings up Xvfb",
    ),
]


@pytest.fixture
def environment(tmp_path):
    """Return an environment with a real display and settings of its own."""
    return {**os.environ, "QT_QPA_PLATFORM": "xcb", "MYOSCOPE_CONFIG_DIR": str(tmp_path / "config")}


def test_window_is_on_screen_before_torch_is_loaded(environment):
    code = """
import sys
from app.application import make_window
from app.settings import Settings
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
window = make_window(Settings())
def marks():
    print(window.isVisible(), window.windowHandle().isExposed(), [m for m in ("torch", "scipy", "napari") if m in sys.modules])
    window.machine.ready.connect(lambda: (print("torch" in sys.modules), QTimer.singleShot(0, window.close)))
window.shown.connect(marks)
window.show()
sys.exit(QApplication.instance().exec())
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    first, second = result.stdout.strip().splitlines()
    assert first == "True True []"
    assert second == "True"


def test_demo_starts_from_the_command_line_and_draws(environment, tmp_path):
    picture = tmp_path / "demo.png"
    command = [sys.executable, "-m", "app", "demo", "--screenshot", str(picture), "--after", "20"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=180, check=False)
    assert result.returncode == 0, result.stderr
    from PySide6.QtGui import QImage

    image = QImage(str(picture)).convertToFormat(QImage.Format.Format_Grayscale8)
    assert image.width() >= 1366
    levels = {image.pixelColor(x, y).value() for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}
    assert len(levels) > 60


def test_no_display_is_said_in_two_lines():
    hidden = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    result = subprocess.run(
        [sys.executable, "-m", "app", "demo"], capture_output=True, text=True, cwd=ROOT, env=hidden, timeout=60, check=False
    )
    assert result.returncode == 2
    error, hint = result.stderr.strip().splitlines()
    assert error.startswith("error: there is no display")
    assert "xvfb-run" in hint
