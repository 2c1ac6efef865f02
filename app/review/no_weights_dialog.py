"""A network without weights was chosen: what that means, and the ways to weights."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from app.dialogs.base import without_icons
from app.panels.parts import WIDE, label
from app.review.methods_model import MethodRow

IMPORT, TRAIN = "import", "train"


def words(row: MethodRow, titles: Sequence[str]) -> str:
    """Return what to tell about a network without weights; ``titles`` are the sources that it can be had from."""
    text = f"{row.title} has no weights, so it is not run: an untrained network shows nothing but chance.\n\n"
    if titles:
        return text + "Published weights can be imported: " + "; ".join(titles) + ". Or train the network."
    return text + "Nobody published weights of it that can be imported. Train the network."


class NoWeightsDialog(QDialog):
    """Says that a network has no weights, and offers what gets some; deleted when closed.

    Signals
    -------
    chosen(str)
        ``IMPORT`` or ``TRAIN``; the dialog has closed.
    """

    chosen = Signal(str)

    def __init__(self, row: MethodRow, titles: Sequence[str], parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("no_weights")
        self.setWindowTitle(f"{row.title}: no weights")
        self.setModal(True)
        self.setMinimumWidth(400)
        told = label(words(row, titles), "no_weights.words")
        told.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        ways = [(IMPORT, "Import weights…", bool(titles)), (TRAIN, "Train…", True)]
        for key, text, offered in ways:
            if offered:
                button = buttons.addButton(text, QDialogButtonBox.ButtonRole.ActionRole)
                button.setObjectName(f"no_weights.{key}")
                button.clicked.connect(lambda _=False, key=key: self._choose(key))
        without_icons(buttons)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.setSpacing(WIDE)
        layout.addWidget(told)
        layout.addWidget(buttons)

    def _choose(self, key: str) -> None:
        self.accept()
        self.chosen.emit(key)
