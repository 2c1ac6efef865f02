"""The status bar: value under the cursor, passing sentences, what travels with the data, what the program is for."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QStatusBar

from app import theme
from app.document.case import SAMPLE_NOTE, Case
from app.panels.parts import NORMAL
from app.views.steady import show_text

RESEARCH: Final = "Research use only"
CURSOR_WIDTH: Final = 250
_PASSING_MS: Final = 8000


class StatusBar(QStatusBar):
    """One line, three places."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("status")
        self.setSizeGripEnabled(False)
        self._notes = ""
        self.cursor_label, self.notes_label, self.research_label = QLabel(""), QLabel(""), QLabel(RESEARCH)
        for widget, name in ((self.cursor_label, "cursor"), (self.notes_label, "notes"), (self.research_label, "research")):
            widget.setObjectName(f"status.{name}")
            widget.setFont(theme.numbers(widget.font()))
            widget.setContentsMargins(NORMAL, 0, NORMAL, 0)
        show_text(self.cursor_label, "", CURSOR_WIDTH)
        self.addWidget(self.cursor_label)
        self.addPermanentWidget(self.notes_label)
        self.addPermanentWidget(self.research_label)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_notes()

    def _show_notes(self) -> None:
        # The value under the cursor has the first right to the line.
        room = max(80, self.width() - self.cursor_label.minimumWidth() - self.research_label.sizeHint().width() - 4 * NORMAL)
        elided = self.notes_label.fontMetrics().elidedText(self._notes, Qt.TextElideMode.ElideRight, room)
        self.notes_label.setText(elided)
        self.notes_label.setToolTip(self._notes if elided != self._notes else "")

    def say(self, text: str) -> None:
        """Show a sentence for a while."""
        self.showMessage(text, _PASSING_MS)

    def show_pointed(self, text: str) -> None:
        """Show the value under the cursor, "" outside."""
        if text:
            # A passing sentence must not hide the value under the mouse.
            self.clearMessage()
        if show_text(self.cursor_label, text, CURSOR_WIDTH):
            self._show_notes()

    def show_case(self, case: Case | None) -> None:
        """Show what travels with the data, and what they do not tell."""
        words = [] if case is None else [*case.data.notes, *(f"{item} unknown" for item in case.data.unknown)]
        self._notes = "  |  ".join(word for word in words if not word.startswith(SAMPLE_NOTE))
        self._show_notes()
        self.cursor_label.setText("")
