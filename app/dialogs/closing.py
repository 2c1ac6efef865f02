"""What becomes of unsaved work and of running jobs: asked once, all of it in one dialog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QDialog, QDialogButtonBox, QRadioButton, QVBoxLayout, QWidget

from app.dialogs.base import without_icons
from app.panels.parts import TIGHT, WIDE, label


@dataclass(frozen=True, slots=True)
class ClosingChoice:
    """Something that goes on and can end in several ways: what it is, and (key, words) of each way, the first offered first."""

    name: str
    text: str
    ways: tuple[tuple[str, str], ...]


class ClosingDialog(QDialog):
    """Save, go on without, or stay. Deleted when closed.

    Signals
    -------
    save_requested(), discarded()
        What a person chose; neither when they stay.
    """

    save_requested = Signal()
    discarded = Signal()

    def __init__(
        self,
        question: str,
        lines: Sequence[str],
        choices: Sequence[ClosingChoice],
        savable: bool,
        go_on: str,
        parent: QWidget | None,
        name: str = "closing",
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle("Myoscope")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(420)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.setSpacing(WIDE)
        layout.addWidget(label(question, f"{name}.question", "large"))
        for index, line in enumerate(lines):
            layout.addWidget(label(line, f"{name}.line{index}"))
        self._groups: dict[str, QButtonGroup] = {}
        for choice in choices:
            layout.addWidget(self._choice(choice))
        self._buttons = QDialogButtonBox()
        if savable:
            save = self._buttons.addButton("Save session…", QDialogButtonBox.ButtonRole.AcceptRole)
            save.setObjectName(f"{name}.save")
            save.setProperty("primary", True)
            save.setDefault(True)
            save.clicked.connect(self.save_requested)
        discard = self._buttons.addButton(go_on, QDialogButtonBox.ButtonRole.DestructiveRole)
        discard.setObjectName(f"{name}.discard")
        discard.clicked.connect(self.accept)
        discard.clicked.connect(self.discarded)
        cancel = self._buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        cancel.setObjectName(f"{name}.cancel")
        without_icons(self._buttons)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        layout.addWidget(self._buttons)

    def _choice(self, choice: ClosingChoice) -> QWidget:
        box, group = QWidget(), QButtonGroup(self)
        lines = QVBoxLayout(box)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(TIGHT)
        lines.addWidget(label(choice.text, f"{self.objectName()}.{choice.name}"))
        for index, (key, words) in enumerate(choice.ways):
            way = QRadioButton(words)
            way.setObjectName(f"{self.objectName()}.{choice.name}.{key}")
            way.setProperty("way", key)
            way.setChecked(index == 0)
            group.addButton(way)
            lines.addWidget(way)
        self._groups[choice.name] = group
        return box

    def way(self, name: str) -> str:
        """Return the way that was chosen for something that goes on."""
        button = self._groups[name].checkedButton()
        return "" if button is None else str(button.property("way"))
