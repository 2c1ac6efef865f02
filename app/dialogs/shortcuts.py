"""All keys on one sheet, made from the table of actions."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from app import theme
from app.action_table.spec import ActionSpec
from app.actions import ACTIONS, GESTURES, MENUS
from app.dialogs.base import without_icons
from app.panels.parts import NORMAL, WIDE, label

SECTIONS = {key: title.replace("&", "") for title, keys in MENUS.items() for key in keys if key}
_COLUMNS = 3
_STANDS_OUT = 1.25  # times the height that columns would have if sections could be cut


def sheet(workspace: str = "") -> dict[str, list[tuple[str, str]]]:
    """Return (keys, words) by menu, the mouse and held keys last; only those that work in ``workspace`` when it is given."""
    found: dict[str, list[tuple[str, str]]] = {}
    for spec in ACTIONS:
        if spec.shortcuts and (not workspace or spec.workspace in ("", workspace)):
            found.setdefault(SECTIONS.get(spec.key, "Other"), []).append((_keys(spec), spec.text.replace("&", "").rstrip("…")))
    found["Mouse and held keys"] = list(GESTURES)
    return found


def _keys(spec: ActionSpec) -> str:
    native = QKeySequence.SequenceFormat.NativeText
    # Enter of the number pad is Return to whoever reads.
    names = dict.fromkeys(QKeySequence(keys).toString(native).replace("Enter", "Return") for keys in spec.shortcuts[:2])
    return " or ".join(names)


class ShortcutsDialog(QDialog):
    """The sheet of one workspace; any of its keys, or Escape, closes it."""

    def __init__(self, parent: QWidget | None, workspace: str = "") -> None:
        super().__init__(parent)
        self.setObjectName("shortcuts")
        self.setWindowTitle("Shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        grid = QGridLayout()
        grid.setHorizontalSpacing(WIDE)
        grid.setVerticalSpacing(2)
        sections = list(sheet(workspace).items())
        total = sum(len(lines) + 2 for _, lines in sections)
        column, line = 0, 0
        for title, lines in sections:
            # Whole sections, in their order: a new column where one would stand out below the others.
            if line and column + 1 < _COLUMNS and line + len(lines) + 2 > _STANDS_OUT * total / _COLUMNS:
                column, line = column + 1, 0
            head = label(title, f"shortcuts.{title.lower().replace(' ', '_')}", "heading")
            grid.addWidget(head, line, 2 * column, 1, 2)
            for offset, (keys, words) in enumerate(lines, start=1):
                key = QLabel(keys)
                key.setFont(theme.monospace())
                grid.addWidget(key, line + offset, 2 * column)
                grid.addWidget(QLabel(words), line + offset, 2 * column + 1)
            line += len(lines) + 1
            grid.setRowMinimumHeight(line, NORMAL)
            line += 1
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        without_icons(buttons)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.addLayout(grid)
        layout.addStretch(1)
        layout.addWidget(buttons)
