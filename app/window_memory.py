"""What the window shows besides the document: its workspace, the arrangement of its docks, what is set in its panels."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject

from app import workspaces
from app.document.saved import SavedWindow
from app.review.remember import ReviewMemory
from app.workspaces import Page, Panels


class WindowMemory(QObject):
    """Keeps it for the session file, and takes it back. ``window`` is the main window."""

    def __init__(self, window: Any) -> None:
        super().__init__(window)
        self._window = window
        self._review = ReviewMemory(window.review_panel, window.panels.methods, self)
        #: Kept for pages that are not made yet.
        self._panels: Panels = {}

    def keep(self) -> SavedWindow:
        """Return what is shown."""
        window = self._window
        panels = {**self._panels, **self._review.keep()}
        coils, snr = window.panels.series.simulation()
        panels["series.simulation"] = {"coils": coils, "snr": snr}
        for page in window.pages:
            panels |= page.keep()
        written = {name: dict(values) for name, values in panels.items()}
        return SavedWindow(workspace=window.workspace, docks=window.arrangement.states(), panels=written)

    def recall(self, saved: SavedWindow) -> None:
        """Show it again; what is not there stays as it is."""
        window = self._window
        self._panels = saved.panels
        window.arrangement.take_states(saved.docks)
        if saved.workspace in [one.name for one in workspaces.WORKSPACES]:
            window.show_workspace(saved.workspace)
        simulation = saved.panels.get("series.simulation", {})
        coils, snr = simulation.get("coils"), simulation.get("snr")
        if isinstance(coils, int) and isinstance(snr, int | float):
            window.panels.series.set_simulation(coils, float(snr))
        self._review.recall(saved.panels)
        for page in window.pages:
            page.recall(saved.panels)

    def prepare(self, page: Page) -> None:
        """Set the panels of a page that was made just now."""
        page.recall(self._panels)
