"""A controller that brings its panel up to date once after many changes, and only while its workspace is on screen."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer


class RefreshingController(QObject):
    """Connect what changes to ``_later``; write ``refresh``."""

    DELAY_MS = 0

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._active = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(self.DELAY_MS)
        self._timer.timeout.connect(self.refresh)

    def refresh(self) -> None:
        """Bring the panel up to date now."""
        raise NotImplementedError

    def set_active(self, active: bool) -> None:
        """Say whether the workspace is on screen."""
        self._active = active
        if active:
            self._later()

    def stop(self) -> None:
        """Stand still (the window closes)."""
        self._active = False
        self._timer.stop()

    def _later(self) -> None:
        if self._active:
            self._timer.start()
