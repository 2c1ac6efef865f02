"""The training recipes that come with the program: beside importing, the other way to weights."""

from __future__ import annotations

import tomllib
from pathlib import Path

import engine

FOLDER = Path("resources") / "presets" / "training"


def folder() -> Path:
    """Return where the recipes lie."""
    return Path(engine.__file__).resolve().parent.parent / FOLDER


def recipes_for(network: str) -> list[Path]:
    """Return the recipes that train a network (registry name): those called after it, or else all that name it; may be empty."""
    named = [path for path in sorted(folder().glob("*.toml")) if _network(path) == network]
    own = [path for path in named if path.stem.startswith(network.replace("_", "-"))]
    return own or named


def _network(path: Path) -> object:
    return tomllib.loads(path.read_text(encoding="utf-8")).get("model", {}).get("network")
