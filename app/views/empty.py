"""What stands in the grid while there is nothing to compare: what to do next, and buttons that do it."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QFont
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from app import theme


class EmptyState(QWidget):
    """A headline, one sentence and a row of buttons, centred."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("grid.empty")
        self._icon = QLabel(self)
        self._icon.setPixmap(theme.icon("mdi6.heart-pulse", "image_dim").pixmap(48, 48))
        self._title = QLabel("Nothing to compare yet", self)
        large = QFont(self.font())
        large.setPointSizeF(large.pointSizeF() * 1.4)
        self._title.setFont(large)
        self._hint = QLabel("", self)
        self._hint.setObjectName("grid.empty.hint")
        self._hint.setWordWrap(True)
        self._hint.setMinimumWidth(300)
        self._title.setObjectName("grid.empty.title")
        self._row = QHBoxLayout()
        self._row.setSpacing(8)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addStretch(2)
        for label in (self._icon, self._title, self._hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addSpacing(8)
        column.addLayout(self._row)
        column.addStretch(3)

    def set_title(self, title: str) -> None:
        """Say what is missing."""
        self._title.setText(title)

    def set_hint(self, hint: str) -> None:
        """Say what to do next."""
        if hint != self._hint.text():
            self._hint.setText(hint)
            self.setAccessibleName(hint)

    def set_actions(self, actions: Iterable[QAction]) -> None:
        """Offer actions as buttons; an action with a menu opens it."""
        while self._row.count():
            item = self._row.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        self._row.addStretch()
        for action in actions:
            button = QToolButton(self)
            button.setDefaultAction(action)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            button.setObjectName(f"grid.empty.{action.objectName()}")
            self._row.addWidget(button)
        self._row.addStretch()
