"""Failures, shown once, above the images and never in the way: sentence, hint, Details, Copy."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app import theme
from app.errors import Notice
from app.panels.parts import NORMAL, TIGHT, label, row, tool_button

_KEPT = 20


class NoticeBar(QFrame):
    """The latest unread failure; closing it shows the one before.

    Signals
    -------
    details_requested(Notice)
        Somebody wants to read all of it.
    """

    details_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notices")
        self.setAccessibleName("What went wrong")
        self._waiting: list[Notice] = []
        self._icon = QLabel()
        self._icon.setObjectName("notices.icon")
        self.message = label("", "notices.message", "error")
        self.hint = label("", "notices.hint")
        self._count = label("", "notices.count", "dim")
        self._count.setWordWrap(False)
        self._details = tool_button("Details", "notices.details", "All that is known about it")
        self._details.clicked.connect(lambda: self.details_requested.emit(self._waiting[-1]))
        self._copy = tool_button("Copy", "notices.copy", "Copy everything, for a report")
        self._copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._waiting[-1].as_text()))
        self._close = tool_button("✕", "notices.close", "Dismiss")
        self._close.setAccessibleName("Dismiss")
        self._close.clicked.connect(self.dismiss)
        self._all = tool_button("✕ all", "notices.clear", "Dismiss all; the error log (Help) keeps them")
        self._all.setAccessibleName("Dismiss all")
        self._all.clicked.connect(self.clear)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.message)
        words.addWidget(self.hint)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, TIGHT)
        layout.setSpacing(NORMAL)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)
        layout.addWidget(
            row(self._count, self._details, self._copy, self._close, self._all, spacing=TIGHT), 0, Qt.AlignmentFlag.AlignTop
        )
        self.hide()
        theme.notifier().changed.connect(self._refresh)

    def show_notice(self, notice: Notice) -> None:
        """Show a failure."""
        self._waiting = [*self._waiting, notice][-_KEPT:]
        self._refresh()

    def current(self) -> Notice | None:
        """Return what is shown."""
        return self._waiting[-1] if self._waiting else None

    def dismiss(self) -> None:
        """Put the shown one away."""
        self._waiting = self._waiting[:-1]
        self._refresh()

    def clear(self) -> None:
        """Put all away."""
        self._waiting = []
        self._refresh()

    def _refresh(self) -> None:
        notice = self.current()
        self.setVisible(notice is not None)
        if notice is None:
            return
        self._icon.setPixmap(theme.icon("mdi6.alert-circle-outline", "error").pixmap(18, 18))
        text = f"{notice.what}: {notice.message}"
        self.message.setText(text)
        self.hint.setText(notice.hint)
        self.hint.setVisible(bool(notice.hint))
        count = len(self._waiting)
        self._count.setText(f"1 of {count}" if count > 1 else "")
        self._all.setVisible(count > 1)
        self.setAccessibleDescription(f"{text}. {notice.hint}")
