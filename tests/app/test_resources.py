from __future__ import annotations

import pytest

from app import resources
from engine.core.errors import FormatError


def test_files_are_found():
    assert resources.path("style", "myoscope.qss").is_file()
    assert resources.path("colormaps", "berlin.csv").is_file()
    assert "MIT" in resources.path("licences", "colormaps", "LICENSE_cmcrameri_MIT.txt").read_text(encoding="utf-8")


def test_missing_file_is_named():
    with pytest.raises(FormatError, match=r"a data file is missing \(expected colormaps/jet\.csv"):
        resources.path("colormaps", "jet.csv")


def test_missing_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "app" / "resources.py"))
    resources.folder.cache_clear()
    with pytest.raises(FormatError, match="the program's data files are missing"):
        resources.folder()
    resources.folder.cache_clear()
