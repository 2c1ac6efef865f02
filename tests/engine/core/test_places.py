"""Where the user's weights and settings are: one's own folder, else the platform's place, whose library is trusted for it."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from engine.core import places

PLACES = pytest.mark.parametrize(
    ("variable", "folder"), [(places.WEIGHTS_VARIABLE, places.weights_folder), (places.CONFIG_VARIABLE, places.config_folder)]
)


@PLACES
def test_a_variable_wins(monkeypatch, tmp_path, variable, folder):
    monkeypatch.setenv(variable, str(tmp_path / "mine"))
    assert folder() == tmp_path / "mine"
    monkeypatch.setenv(variable, "~/mine")
    assert folder() == Path.home() / "mine"


@PLACES
def test_else_it_is_the_platforms_place(monkeypatch, variable, folder):
    monkeypatch.delenv(variable, raising=False)
    data, settings = (
        place("myoscope", appauthor=False) for place in (platformdirs.user_data_path, platformdirs.user_preference_path)
    )
    assert folder() == {places.WEIGHTS_VARIABLE: data / "weights", places.CONFIG_VARIABLE: settings}[variable]


@pytest.mark.skipif(not platformdirs.PlatformDirs.__module__.endswith("unix"), reason="the paths are those of Linux")
def test_on_linux_they_are_where_they_were(monkeypatch):
    for name in (places.WEIGHTS_VARIABLE, places.CONFIG_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/config")
    assert places.weights_folder() == Path("/data/myoscope/weights")
    assert places.config_folder() == Path("/config/myoscope")
