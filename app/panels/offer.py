"""A line above the images that offers something: a sentence, one button that does it, one that puts the line away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from app import theme
from app.panels.parts import NORMAL, TIGHT, button, label, tool_button


class OfferBar(QFrame):
    """The latest offer; another one takes its place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("offer")
        self.setAccessibleName("Offer")
        self._act: Callable[[], Any] | None = None
        self.name = ""
        self._icon = QLabel()
        self.message = label("", "offer.message")
        self.button = button("", "offer.accept")
        self.button.clicked.connect(self._accept)
        close = tool_button("✕", "offer.close", "Dismiss")
        close.setAccessibleName("Dismiss")
        close.clicked.connect(self.dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, TIGHT)
        layout.setSpacing(NORMAL)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self.message, 1)
        layout.addWidget(self.button)
        layout.addWidget(close)
        self.hide()
        theme.notifier().changed.connect(self._paint_icon)
        self._paint_icon()

    def _paint_icon(self) -> None:
        self._icon.setPixmap(theme.icon("mdi6.information-outline").pixmap(18, 18))

    def offer(self, name: str, text: str, words: str, act: Callable[[], Any]) -> None:
        """Show an offer; ``name`` tells it from others, ``words`` stand on the button that calls ``act``."""
        self.name, self._act = name, act
        self.message.setText(text)
        self.button.setText(words)
        self.button.setAccessibleName(words)
        self.show()

    def withdraw(self, name: str) -> None:
        """Put an offer away when it is the one on screen."""
        if self.name == name:
            self.dismiss()

    def dismiss(self) -> None:
        """Put the offer away."""
        self._act, self.name = None, ""
        self.hide()

    def _accept(self) -> None:
        act = self._act
        self.dismiss()
        if act is not None:
            act()
