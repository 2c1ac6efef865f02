"""What is remembered between starts: an INI file, versioned, each value checked by itself so that no bad one blocks a start."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths

LOG = logging.getLogger(__name__)

VERSION: Final = 1
RECENT_FILES: Final = 12
CONFIG_VARIABLE: Final = "MYOSCOPE_CONFIG_DIR"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _one_of(*names: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in names:
            raise ValueError(f"not one of {', '.join(names)}")
        return str(value)

    return check


def _number(kind: Callable[[Any], float], low: float, high: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        number = kind(value)
        if not low <= number <= high:
            raise ValueError(f"not between {low} and {high}")
        return number

    return check


def _flag(value: Any) -> bool:
    # INI files hold words.
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError("neither true nor false")


def _state(value: Any) -> QByteArray:
    if not isinstance(value, QByteArray):
        raise TypeError("not a window state")
    return value


def _texts(value: Any) -> list[str]:
    # A list of one is stored as a plain text, an empty one as nothing.
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("not a list of texts")
    return value


@dataclass(frozen=True, slots=True)
class Field:
    """One remembered value: what it is when nothing (or nonsense) is stored, and how a stored one is checked."""

    default: Any
    check: Callable[[Any], Any]


FIELDS: Final[dict[str, Field]] = {
    "window/geometry": Field(QByteArray(), _state),
    "window/state": Field(QByteArray(), _state),
    "window/state_maps": Field(QByteArray(), _state),
    "window/state_train": Field(QByteArray(), _state),
    "window/theme": Field("dark", _one_of("dark", "light", "system")),
    "files/recent": Field([], _texts),
    "files/folder": Field("", _text),
    "sampling/pattern": Field("equispaced", _text),
    "sampling/acceleration": Field(8.0, _number(float, 1, 64)),
    "sampling/acs": Field(24, _number(int, 0, 1024)),
    "sampling/seed": Field(0, _number(int, 0, 2**31 - 1)),
    "methods/ticked": Field(["zero_filled", "l1_wavelet", "myonet"], _texts),
    "methods/all_slices": Field(False, _flag),
    "methods/device": Field("auto", _text),
    "simulate/coils": Field(8, _number(int, 1, 64)),
    "simulate/snr": Field(40.0, _number(float, 1, 10000)),
    "maps/live": Field(True, _flag),
    "train/active": Field("", _text),
    #: What undo and derived pictures may hold, in MiB; 0 for an eighth of the machine's memory.
    "memory/budget_mib": Field(0, _number(int, 0, 1 << 24)),
    "view/error_mode": Field("absolute", _one_of("none", "absolute", "signed")),
    "view/show_region": Field(True, _flag),
    "view/show_profile": Field(True, _flag),
}


def folder() -> Path:
    """Return the folder that holds the settings file (the environment variable wins: tests use it)."""
    given = os.environ.get(CONFIG_VARIABLE)
    if given:
        return Path(given)
    place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppConfigLocation)
    return Path(place) if place else Path.home() / ".config" / "myoscope"


class Settings:
    """Typed access to the settings file."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or folder() / "myoscope.ini"
        self._store = QSettings(str(self.path), QSettings.Format.IniFormat)
        stored = self._store.value("version")
        if stored is not None and str(stored) != str(VERSION):
            LOG.warning("settings of version %s were set aside (this program writes version %d)", stored, VERSION)
            self.reset()
        self._store.setValue("version", VERSION)

    def get(self, key: str) -> Any:
        """Return a remembered value, or its default when none or an unusable one is stored."""
        field = FIELDS[key]
        if not self._store.contains(key):
            return field.default
        try:
            return field.check(self._store.value(key))
        except (TypeError, ValueError) as error:
            LOG.warning("setting %s ignored: %s", key, error)
            return field.default

    def set(self, key: str, value: Any) -> None:
        """Remember a value; one that would not be accepted back is a programming error."""
        self._store.setValue(key, FIELDS[key].check(value))

    def add_recent(self, path: str) -> None:
        """Put a file at the head of the recent ones."""
        others = [item for item in self.get("files/recent") if item != path]
        self.set("files/recent", [path, *others][:RECENT_FILES])

    def reset(self) -> None:
        """Forget everything."""
        self._store.clear()
        self._store.setValue("version", VERSION)

    def save(self) -> None:
        """Write to disk now. A folder that cannot be written costs the settings, never the program."""
        self._store.sync()
        if self._store.status() != QSettings.Status.NoError:
            LOG.warning("settings could not be written to %s", self.path)
