"""The one question before the window closes: unsaved work, what runs, and what is being trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from PySide6.QtCore import QObject

from app.controllers.context import Context
from app.controllers.session_file import SessionFileController, words_of
from app.dialogs.closing import ClosingChoice, ClosingDialog


class ClosingController(QObject):
    """Asks once, then lets everything come to its end, then calls ``leave``.

    ``pages`` returns the pages of the workspaces that were made; see :class:`app.workspaces.Page`.
    """

    def __init__(
        self,
        context: Context,
        sessions: SessionFileController,
        pages: Callable[[], Iterable[Any]],
        leave: Callable[[], Any],
    ) -> None:
        super().__init__(context.window)
        self._c, self._sessions, self._pages, self._leave = context, sessions, pages, leave
        self._dialog: ClosingDialog | None = None

    def may_close(self) -> bool:
        """Return whether the window may be closed at once; if not, ask."""
        if self._dialog is not None:
            self._dialog.raise_()
            return False
        unsaved = self._sessions.unsaved
        asked = [(page, choice) for page in self._pages() if (choice := page.closing_choice()) is not None]
        running = [handle.title for handle in self._c.runner.visible()]
        if not unsaved and not asked and not running:
            return True
        lines = words_of(unsaved)
        if running:
            listed = ", ".join(dict.fromkeys(running[:4]))
            lines.append(f"Running, and cancelled when the window closes: {listed}{' and more' if len(running) > 4 else ''}.")
        self._ask(lines, asked, bool(unsaved))
        return False

    def _ask(self, lines: list[str], asked: list[tuple[Any, ClosingChoice]], savable: bool) -> None:
        words = "Close without saving" if savable else "Close"
        dialog = ClosingDialog("Close Myoscope?", lines, [choice for _, choice in asked], savable, words, self._c.window)
        dialog.save_requested.connect(lambda: self._save(self._ways(dialog, asked)))
        dialog.discarded.connect(lambda: self._settle(self._ways(dialog, asked)))
        dialog.finished.connect(self._forget)
        self._dialog = dialog
        dialog.open()

    def _forget(self, _: int) -> None:
        self._dialog = None

    @staticmethod
    def _ways(dialog: ClosingDialog, asked: list[tuple[Any, ClosingChoice]]) -> list[tuple[Any, str]]:
        return [(page, dialog.way(choice.name)) for page, choice in asked]

    def _save(self, ways: list[tuple[Any, str]]) -> None:
        self._sessions.save(partial(self._settle, ways))

    def _settle(self, ways: list[tuple[Any, str]]) -> None:
        """Let what goes on end as it was chosen, one after the other, then leave."""
        if not ways:
            self._leave()
            return
        page, way = ways[0]
        page.close_with(way, partial(self._settle, ways[1:]))
