"""One of several."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QComboBox, QWidget

from app.dialogs.base import FormDialog


class ChooseDialog(FormDialog):
    """Asks for one of several things, each with words and a key."""

    def __init__(
        self, title: str, explanation: str, accept: str, things: Sequence[tuple[str, str]], name: str, parent: QWidget | None
    ) -> None:
        super().__init__(title, explanation, accept, name, parent)
        self._box = QComboBox()
        self._box.setObjectName(f"{name}.which")
        for words, key in things:
            self._box.addItem(words, key)
        self.form.addRow("&Which", self._box)

    def chosen(self) -> str:
        """Return the key of what was chosen."""
        return str(self._box.currentData())
