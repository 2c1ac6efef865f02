"""The centre of the Review workspace: the linked panes, the player."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.review.player import Player
from app.views.grid import PaneGrid


class ReviewPanel(QWidget):
    """Images, and the player below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("review")
        self.setAccessibleName("Review")
        self.grid = PaneGrid()
        self.player = Player()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.grid, 1)
        layout.addWidget(self.player)
