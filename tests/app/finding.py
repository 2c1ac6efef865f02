"""Parts of a window by their names, as a person finds them by what is written there."""

from __future__ import annotations

from PySide6.QtCore import QObject


def find(parent: QObject, name: str):
    """Return the one child of this name; it is an error that there is none."""
    child = parent.findChild(QObject, name)
    assert child is not None, f"{parent.objectName()} has no part called {name}"
    return child
