"""``myoscope``: which words open the window, what happens without a display, what is loaded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from app import __main__ as entry
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "words",
    [[], ["demo"], ["open", "a.h5"], ["--reset-settings"], ["--screenshot", "a.png"], ["--quit-after", "1"], ["--quit-after=1"]],
)
def test_words_that_open_the_window(words):
    assert entry.wants_window(words)


@pytest.mark.parametrize("words", [["info", "a.h5"], ["--help"], ["--version"], ["models", "--json"], ["doctor"]])
def test_words_of_the_command_line(words):
    assert not entry.wants_window(words)


@pytest.mark.parametrize(
    ("environment", "platform", "shown"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"QT_QPA_PLATFORM": "offscreen"}, "linux", True),
        ({}, "darwin", True),
        ({}, "win32", True),
    ],
)
def test_display(environment, platform, shown):
    assert entry.has_display(environment, platform) is shown


def run(*words, **environment):
    clean = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    return subprocess.run(
        [sys.executable, "-m", "app", *words],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux runs without a display")
def test_without_a_display_two_lines_say_how_to_use_xvfb():
    done = run("demo")
    assert done.returncode == 2
    first, second = done.stderr.strip().splitlines()
    assert first == "error: there is no display to show the window on (expected DISPLAY or WAYLAND_DISPLAY)"
    assert "xvfb-run -a myoscope demo" in second


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("open",), "no file to open"),
        (("demo", "a.h5"), "demo takes no files"),
        (("demo", "--colour"), "unknown option --colour"),
        (("demo", "--after", "soon"), "invalid float value"),
    ],
)
def test_bad_words_give_two_lines(words, message, capsys):
    assert entry.main(list(words)) == 2
    error, hint = capsys.readouterr().err.strip().splitlines()
    assert error.startswith("error: ")
    assert message in error
    assert hint.startswith("hint: ")


def test_missing_libraries_of_the_window_give_two_lines(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "PySide6.QtWidgets", None)
    assert entry.main(["demo"]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: the window's libraries cannot be loaded")
    assert "bootstrap.py doctor" in hint


def test_the_command_line_does_not_load_qt():
    code = (
        "import sys\nfrom app.__main__ import main\nmain(['formats'])\n"
        "print([m for m in sys.modules if m.startswith('PySide6')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_the_program_starts_with_fresh_settings_shows_a_picture_and_ends(tmp_path):
    from app.settings import Settings

    config, picture = tmp_path / "config", tmp_path / "start.png"
    settings = Settings(config / "myoscope.ini")
    settings.set("sampling/seed", 7)
    settings.save()
    words = ("--reset-settings", "--screenshot", str(picture), "--after", "0.1")
    done = run(*words, QT_QPA_PLATFORM="offscreen", MYOSCOPE_CONFIG_DIR=str(config))
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size > 5000
    assert Settings(config / "myoscope.ini").get("sampling/seed") == 0
