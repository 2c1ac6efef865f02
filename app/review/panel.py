"""The centre of the Review workspace: the linked panes, the player."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

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

    def set_tools(self, actions: Iterable[QAction]) -> None:
        """Offer the tools of the mouse, and what belongs to them, as buttons below those of the player."""
        strip = QWidget()
        strip.setObjectName("review.tools")
        line = QHBoxLayout(strip)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(0)
        for action in actions:
            button = QToolButton()
            button.setObjectName(f"review.{action.objectName()}")
            button.setDefaultAction(action)
            button.setAccessibleName(action.text())
            button.setIconSize(QSize(16, 16))
            button.setFixedSize(31, 26)  # as wide as those of the player above, lower: the height belongs to the images
            button.setAutoRaise(True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            line.addWidget(button)
        line.addStretch(1)
        self.player.set_corner(strip)
