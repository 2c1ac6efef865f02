"""Where the panels are: docks, their first arrangement, what is kept between two starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget

from app.panels.parts import scrolled
from app.settings import Settings

#: Docks: name, title, side.
DOCKS: Final = (
    ("series", "Series", Qt.DockWidgetArea.LeftDockWidgetArea),
    ("sampling", "Sampling", Qt.DockWidgetArea.LeftDockWidgetArea),
    ("methods", "Methods", Qt.DockWidgetArea.LeftDockWidgetArea),
    ("inspector", "Inspector", Qt.DockWidgetArea.RightDockWidgetArea),
)

SIZE: Final = QSize(1366, 768)
"""Size of the window on a screen that is larger, and the smallest screen on which all of it is meant to be used."""

_TITLE_BAR: Final = 40


class WindowLayout:
    """The docks of a window: made, arranged, kept in the settings, put back."""

    def __init__(self, window: QMainWindow, panels: Mapping[str, QWidget], settings: Settings) -> None:
        self._window = window
        self._settings = settings
        window.setDockOptions(QMainWindow.DockOption.AnimatedDocks | QMainWindow.DockOption.AllowTabbedDocks)
        window.resize(SIZE)
        self.docks: dict[str, QDockWidget] = {}
        for name, title, area in DOCKS:
            dock = QDockWidget(title, window)
            dock.setObjectName(f"dock.{name}")
            panel = panels[name]
            # The button of the methods must never scroll out of sight; its table scrolls by itself.
            dock.setWidget(panel if name == "methods" else scrolled(panel, f"{name}.scroll"))
            panel.setAccessibleName(title)
            window.addDockWidget(area, dock)
            self.docks[name] = dock
        self._set_sizes()

    def keep_default(self) -> None:
        """Remember the arrangement on screen as the one that :meth:`reset` goes back to (when all bars are there)."""
        self._default = self._window.saveState()

    def _set_sizes(self) -> None:
        sides = [self.docks["series"], self.docks["inspector"]]
        self._window.resizeDocks(sides, [300, 296], Qt.Orientation.Horizontal)
        left = [self.docks[name] for name in ("series", "sampling", "methods")]
        self._window.resizeDocks(left, [116, 256, 221], Qt.Orientation.Vertical)

    def reset(self) -> None:
        """Put panels back where they were."""
        self._window.restoreState(self._default)
        for dock in self.docks.values():
            dock.show()
        self._set_sizes()

    def save(self) -> None:
        """Keep the arrangement in the settings."""
        self._settings.set("window/geometry", self._window.saveGeometry())
        self._settings.set("window/state", self._window.saveState())

    def restore(self) -> None:
        """Take the arrangement of the settings; one that cannot be used is forgotten."""
        geometry: QByteArray = self._settings.get("window/geometry")
        state: QByteArray = self._settings.get("window/state")
        if not geometry.isEmpty():
            self._window.restoreGeometry(geometry)
        if not state.isEmpty() and not self._window.restoreState(state):
            self.reset()

    def fit(self, available: QSize) -> None:
        """On the first start, fill a screen (of ``available`` pixels) that the window with its title bar would not fit on."""
        known = not self._settings.get("window/geometry").isEmpty()
        if not known and (available.width() <= SIZE.width() or available.height() <= SIZE.height() + _TITLE_BAR):
            # Where nobody manages windows, the size has to fit by itself.
            self._window.resize(SIZE.boundedTo(available))
            self._window.setWindowState(self._window.windowState() | Qt.WindowState.WindowMaximized)
