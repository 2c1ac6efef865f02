"""Labels whose words change many times a second: one of fixed size is drawn again without laying the whole window out again."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel


def hold_room(label: QLabel, widest: str) -> None:
    """Give a label the size of the widest text it will show."""
    shown = label.text()
    label.setText(widest)
    label.setFixedSize(label.sizeHint())
    label.setText(shown)


def show_text(label: QLabel, text: str, at_least: int = 0) -> bool:
    """Show a text in a label that only ever grows; return whether it did."""
    room = (
        label.fontMetrics().horizontalAdvance(text) + label.sizeHint().width() - label.fontMetrics().horizontalAdvance(label.text())
    )
    grows = max(room, at_least) > label.maximumWidth() or label.minimumWidth() != label.maximumWidth()
    if grows:
        label.setFixedSize(max(room, at_least, label.minimumWidth()), label.sizeHint().height())
    label.setText(text)
    return grows
