"""Where the panels are: docks, the arrangement of each workspace, what is kept between two starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QWidget

from app.panels.parts import scrolled
from app.settings import Settings
from app.workspaces import LEFT, RIGHT, WORKSPACES, DockSpec, Workspace

#: Docks that are there from the start; those of other workspaces come with their page.
DOCKS: Final = (
    DockSpec("series", "Series", LEFT),
    DockSpec("sampling", "Sampling", LEFT),
    # The button of the methods must never scroll out of sight; its table scrolls by itself.
    DockSpec("methods", "Methods", LEFT, scrolls=False),
    DockSpec("inspector", "Inspector", RIGHT),
)

SIZE: Final = QSize(1366, 768)
"""Size of the window on a screen that is larger, and the smallest screen on which all of it is meant to be used."""

_TITLE_BAR: Final = 40
_STATES: Final = {"review": "window/state"}
"""Settings under which arrangements are kept, where the name is not ``window/state_NAME``."""


class WindowLayout:
    """The docks of a window: made, arranged for each workspace, kept in the settings, put back."""

    def __init__(self, window: QMainWindow, panels: Mapping[str, QWidget], settings: Settings) -> None:
        self._window = window
        self._settings = settings
        self._defaults: dict[str, QByteArray] = {}
        self._states: dict[str, QByteArray] = {}
        self._behind: dict[str, str] = {}
        self.workspace: Workspace = WORKSPACES[0]
        window.setDockOptions(QMainWindow.DockOption.AnimatedDocks | QMainWindow.DockOption.AllowTabbedDocks)
        window.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        window.resize(SIZE)
        self.docks: dict[str, QDockWidget] = {}
        self.add((spec, panels[spec.name]) for spec in DOCKS)
        self._set_sizes()

    def add(self, panels: Iterable[tuple[DockSpec, QWidget]]) -> None:
        """Put panels into docks."""
        for spec, panel in panels:
            dock = QDockWidget(spec.title, self._window)
            dock.setObjectName(f"dock.{spec.name}")
            dock.setWidget(scrolled(panel, f"{spec.name}.scroll") if spec.scrolls else panel)
            panel.setAccessibleName(spec.title)
            self._window.addDockWidget(spec.area, dock)
            if spec.tab_of:
                self._behind[spec.name] = spec.tab_of
                self._window.tabifyDockWidget(self.docks[spec.tab_of], dock)
            self.docks[spec.name] = dock

    def keep_default(self) -> None:
        """Remember the arrangement on screen as the one that :meth:`reset` goes back to (when all bars are there)."""
        self._defaults[self.workspace.name] = self._window.saveState()

    def show(self, workspace: Workspace) -> None:
        """Arrange the docks of a workspace as they were when it was left, or as they are at first."""
        if workspace is self.workspace:
            return
        self._states[self.workspace.name] = self._window.saveState()
        self.workspace = workspace
        state = self._states.get(workspace.name) or self._stored(workspace)
        # First those that go: all docks of two workspaces at once are higher than a small screen, and the window would grow.
        for name, dock in self.docks.items():
            if name not in workspace.docks:
                dock.hide()
        if workspace.name not in self._defaults:
            self._arrange()
            self.keep_default()
        if state is None or not self._window.restoreState(state):
            self._arrange()
        # A state kept by an earlier version may know less docks than there are.
        for name, dock in self.docks.items():
            if name not in workspace.docks:
                dock.hide()

    def visible_docks(self) -> tuple[QDockWidget, ...]:
        """Return the docks that belong to the workspace on screen."""
        return tuple(dock for name, dock in self.docks.items() if name in self.workspace.docks)

    def _arrange(self) -> None:
        for name, dock in self.docks.items():
            dock.setVisible(name in self.workspace.docks)
        for name, before in self._behind.items():
            # Tabs of docks that were put together while hidden stay hidden: they are put together again.
            if name in self.workspace.docks:
                self._window.tabifyDockWidget(self.docks[before], self.docks[name])
        for name in self.workspace.front:
            self.docks[name].raise_()
        self._set_sizes()

    def _set_sizes(self) -> None:
        shown = [self.docks[name] for name in self.workspace.docks if name in self.docks]
        for area, width in zip((LEFT, RIGHT), self.workspace.widths, strict=True):
            side = [dock for dock in shown if self._window.dockWidgetArea(dock) == area]
            if side:
                self._window.resizeDocks([side[0]], [width], Qt.Orientation.Horizontal)
            heights = self.workspace.heights
            sized = [(dock, heights[name]) for dock in side if (name := dock.objectName().partition(".")[2]) in heights]
            if sized:
                self._window.resizeDocks([dock for dock, _ in sized], [height for _, height in sized], Qt.Orientation.Vertical)

    def reset(self) -> None:
        """Put the panels of the workspace on screen back where they were."""
        self._window.restoreState(self._defaults[self.workspace.name])
        for dock in self.visible_docks():
            dock.show()
        self._set_sizes()

    def save(self) -> None:
        """Keep the arrangements in the settings."""
        self._settings.set("window/geometry", self._window.saveGeometry())
        self._states[self.workspace.name] = self._window.saveState()
        for name, state in self._states.items():
            self._settings.set(_key(name), state)

    def states(self) -> dict[str, str]:
        """Return the arrangement of each workspace that was on screen, in base 64."""
        states = {**self._states, self.workspace.name: self._window.saveState()}
        return {name: bytes(state.toBase64().data()).decode("ascii") for name, state in states.items()}

    def take_states(self, states: Mapping[str, str]) -> None:
        """Arrange the docks as :meth:`states` told: those of the workspace on screen at once, others when they are shown."""
        for name, text in states.items():
            state = QByteArray.fromBase64(text.encode("ascii", "ignore"))
            if name == self.workspace.name:
                if not self._window.restoreState(state):
                    self.reset()
            elif not state.isEmpty():
                self._states[name] = state

    def _stored(self, workspace: Workspace) -> QByteArray | None:
        state: QByteArray = self._settings.get(_key(workspace.name))
        return None if state.isEmpty() else state

    def restore(self) -> None:
        """Take the arrangement of the settings; one that cannot be used is forgotten."""
        geometry: QByteArray = self._settings.get("window/geometry")
        state = self._stored(self.workspace)
        if not geometry.isEmpty():
            self._window.restoreGeometry(geometry)
        if state is not None and not self._window.restoreState(state):
            self.reset()

    def fit(self, available: QSize) -> None:
        """On the first start, fill a screen (of ``available`` pixels) that the window with its title bar would not fit on."""
        known = not self._settings.get("window/geometry").isEmpty()
        if not known and (available.width() <= SIZE.width() or available.height() <= SIZE.height() + _TITLE_BAR):
            # Where nobody manages windows, the size has to fit by itself.
            self._window.resize(SIZE.boundedTo(available))
            self._window.setWindowState(self._window.windowState() | Qt.WindowState.WindowMaximized)


def _key(name: str) -> str:
    return _STATES.get(name, f"window/state_{name}")
