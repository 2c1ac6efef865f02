"""Settings survive, and nonsense in the file costs only itself."""

from __future__ import annotations

import logging

import pytest
from PySide6.QtCore import QByteArray

from app.settings import FIELDS, RECENT_FILES, Settings, folder


def test_environment_chooses_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MYOSCOPE_CONFIG_DIR", str(tmp_path / "here"))
    assert folder() == tmp_path / "here"
    assert Settings().path == tmp_path / "here" / "myoscope.ini"


@pytest.mark.parametrize("key", FIELDS)
def test_defaults_pass_their_own_check(settings, key):
    assert settings.get(key) == FIELDS[key].check(FIELDS[key].default)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("window/theme", "light"),
        ("sampling/acceleration", 6.5),
        ("sampling/acs", 12),
        ("methods/all_slices", True),
        ("methods/ticked", ["cg_sense"]),
        ("methods/ticked", []),
        ("methods/ticked", [f"method_{number}" for number in range(30)]),
        ("files/recent", ["a.h5", "b.h5"]),
        ("window/geometry", QByteArray(b"\x01\x02")),
    ],
)
def test_values_survive_a_restart(settings, key, value):
    settings.set(key, value)
    settings.save()
    assert Settings(settings.path).get(key) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [("window/theme", "pink"), ("sampling/acceleration", "fast"), ("sampling/acs", "-3"), ("methods/all_slices", "perhaps")],
)
def test_a_bad_value_gives_the_default_and_the_others_stay(settings, key, text, caplog):
    settings.set("sampling/seed", 7)
    settings.save()
    section, _, name = key.partition("/")
    written = settings.path.read_text()
    settings.path.write_text(written + f"\n[{section}]\n{name}={text}\n")
    again = Settings(settings.path)
    with caplog.at_level(logging.WARNING):
        assert again.get(key) == FIELDS[key].default
    assert f"setting {key} ignored" in caplog.text
    assert again.get("sampling/seed") == 7


def test_a_wrong_value_is_refused_when_set(settings):
    with pytest.raises(ValueError, match="not between 1 and 64"):
        settings.set("sampling/acceleration", 0.0)


def test_another_version_is_set_aside(settings, caplog):
    settings.set("sampling/seed", 7)
    settings.save()
    settings.path.write_text(settings.path.read_text().replace("version=1", "version=99"))
    with caplog.at_level(logging.WARNING):
        assert Settings(settings.path).get("sampling/seed") == 0
    assert "version 99 were set aside" in caplog.text


def test_garbage_in_the_file_does_not_block_a_start(tmp_path):
    path = tmp_path / "bad.ini"
    path.write_bytes(b"\x00\xff[[[===\n;;;")
    assert Settings(path).get("window/theme") == "dark"


def test_recent_files_are_unique_and_few(settings):
    for number in range(RECENT_FILES + 5):
        settings.add_recent(f"{number}.h5")
    settings.add_recent("10.h5")
    recent = settings.get("files/recent")
    assert recent[0] == "10.h5"
    assert len(recent) == RECENT_FILES
    assert len(set(recent)) == RECENT_FILES


def test_reset(settings):
    settings.set("sampling/seed", 7)
    settings.reset()
    assert settings.get("sampling/seed") == 0


def test_a_folder_that_cannot_be_written_costs_only_the_settings(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    made = Settings(tmp_path / "file" / "myoscope.ini")
    made.set("sampling/seed", 7)
    with caplog.at_level(logging.WARNING):
        made.save()
    assert "could not be written" in caplog.text
