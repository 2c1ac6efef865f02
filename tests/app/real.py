"""What the tests of the window on the real engine share: pictures of it, and an engine that tells who calls it."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from engine import api

PATIENCE_MS = 240_000

#: Calls of the engine that the GUI thread may make: they look something up. All others belong into a worker.
CHEAP = frozenset({"formats", "mask_patterns", "memory", "samples", "save_patterns", "z_score"})


class Watched:
    """The real engine; notes which of its calls the GUI thread makes, and which the workers make."""

    def __init__(self) -> None:
        self.by_the_window: list[str] = []
        self.by_workers: list[str] = []

    def __getattr__(self, name: str) -> Any:
        value = getattr(api, name)
        if not callable(value) or isinstance(value, type):
            return value

        @functools.wraps(value)
        def call(*args: Any, **kwargs: Any) -> Any:
            here = threading.current_thread() is threading.main_thread()
            (self.by_the_window if here else self.by_workers).append(name)
            return value(*args, **kwargs)

        return call


def picture(window, path: Path) -> np.ndarray:
    """Save a picture of the window and return its grey levels."""
    QApplication.processEvents()
    pixmap = window.grab()
    assert pixmap.size() == QSize(1366, 768)
    assert pixmap.save(str(path))
    image = pixmap.toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    levels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())[:, : image.width()].copy()
    assert len(np.unique(levels)) > 20, "the picture is blank"
    return levels
