"""The papers' recipes, and ways to begin: TOML files that come with the program."""

from __future__ import annotations

import tomllib
from pathlib import Path

from engine.core.errors import UnknownNameError
from engine.core.records.training import TrainPreset
from engine.weights.recipes import folder


def presets() -> list[TrainPreset]:
    """Return every preset; title and notes are the comment that its file begins with."""
    return [_read(path) for path in sorted(folder().glob("*.toml"))]


def preset(name: str) -> TrainPreset:
    """Return one preset; raise ``UnknownNameError`` when there is none of this name."""
    found = {path.stem: path for path in folder().glob("*.toml")}
    if name not in found:
        listed = ", ".join(sorted(found))
        raise UnknownNameError(f"unknown training preset {name!r} (expected one of {listed})", "Choose one of them.")
    return _read(found[name])


def _read(path: Path) -> TrainPreset:
    text = path.read_text(encoding="utf-8")
    comment: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    title, *notes = comment
    return TrainPreset(path.stem, title, " ".join(notes).strip(), tomllib.loads(text))
