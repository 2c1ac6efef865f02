"""Where the session is kept without being asked: a file of this window, and the last session of all windows."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from PySide6.QtCore import QLockFile

from app.document.file import SUFFIX

LOG = logging.getLogger(__name__)

LAST: Final = f"last{SUFFIX}"
MOST: Final = 64
"""Windows that can keep their session at once."""


class AutosavePlace:
    """A file of its own for this window, locked while it runs. One that nobody holds was left by a window that did not end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last = folder / LAST
        self.path: Path | None = None
        self._lock: QLockFile | None = None

    def take(self) -> bool:
        """Take a file for this window; return whether a session was left by a window that did not end normally.

        The newest of those left becomes the last session. A folder that cannot be written costs autosave, never the program.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            LOG.warning("sessions cannot be kept in %s: %s", self.folder, error)
            return False
        left = self._left()
        for number in range(1, MOST + 1):
            path = self.folder / f"autosave-{number}{SUFFIX}"
            lock = _lock(path)
            # A file that was left and not become the last session is kept until it does.
            if lock is not None and not path.exists():
                self.path, self._lock = path, lock
                break
        return left

    def _left(self) -> bool:
        orphans = [path for path in self.folder.glob(f"autosave-*{SUFFIX}") if _lock(path) is not None]
        newest = max(orphans, key=lambda path: path.stat().st_mtime, default=None)
        if newest is None or (self.last.exists() and self.last.stat().st_mtime > newest.stat().st_mtime):
            return False
        newest.replace(self.last)
        return True

    def end(self) -> None:
        """Let this window's session be the last one, and give its file free (the window closes)."""
        if self.path is not None and self.path.exists():
            try:
                self.path.replace(self.last)
            except OSError as error:
                LOG.warning("the session stays in %s: %s", self.path, error)
        if self._lock is not None:
            self._lock.unlock()
        self.path, self._lock = None, None


def _lock(path: Path) -> QLockFile | None:
    """Return the lock of a file when nobody alive holds it, else None."""
    lock = QLockFile(str(path.with_suffix(".lock")))
    # Only the end of the process that holds it makes a lock stale, however long it takes.
    lock.setStaleLockTime(0)
    return lock if lock.tryLock(0) else None
