"""Small pieces that several panels share: labels of a role, rows, buttons that do not steal the keyboard."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSizePolicy, QToolButton, QWidget

#: Spacing in pixels: within a group, between groups, around a panel.
TIGHT, NORMAL, WIDE = 4, 8, 16


def label(text: str, name: str, role: str = "") -> QLabel:
    """Return a label that wraps, can be selected with the mouse, and has a role of the style sheet.

    Roles are dim, warning, error, good, large and heading.
    """
    made = QLabel(text)
    made.setObjectName(name)
    made.setWordWrap(True)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    if role:
        made.setProperty(role, True)
    return made


def row(*parts: QWidget | int | None, spacing: int = NORMAL, grow: Mapping[int, int] | None = None) -> QWidget:
    """Return widgets side by side; None is a stretch, a number a gap in pixels.

    ``grow`` says which parts take the room that is left, and what share of it (a stretch has 1).
    """
    made = QWidget()
    layout = QHBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for part in parts:
        if part is None:
            layout.addStretch(1)
        elif isinstance(part, int):
            layout.addSpacing(part)
        else:
            layout.addWidget(part)
    for place, share in (grow or {}).items():
        layout.setStretch(place, share)
    return made


def button(text: str, name: str, tip: str = "") -> QPushButton:
    """Return a push button that a mouse click does not give the focus to (so that Space goes on playing the cine)."""
    made = QPushButton(text)
    _dress(made, name, tip or text)
    return made


def tool_button(text: str, name: str, tip: str = "") -> QToolButton:
    """Return a flat button; same focus rule as :func:`button`."""
    made = QToolButton()
    made.setText(text)
    made.setAutoRaise(True)
    _dress(made, name, tip or text)
    return made


def drop_down(name: str, words: str) -> QComboBox:
    """Return a list to choose from that is as wide as its panel lets it be; same focus rule as :func:`button`."""
    made = QComboBox()
    made.setObjectName(name)
    made.setAccessibleName(words)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


def _dress(made: QPushButton | QToolButton, name: str, tip: str) -> None:
    made.setObjectName(name)
    made.setToolTip(tip)
    made.setAccessibleName(made.text().replace("&", "") or tip)
    made.setAccessibleDescription(tip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)


def scrolled(widget: QWidget, name: str) -> QScrollArea:
    """Return ``widget`` in an area that scrolls up and down when the panel is too low, never sideways."""
    area = QScrollArea()
    area.setObjectName(name)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
    area.setMinimumWidth(248)
    area.setWidget(widget)
    return area
