"""What dialogs share: a form, a sentence, two buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app import theme
from app.panels.parts import NORMAL, WIDE, label


def without_icons(box: QDialogButtonBox) -> None:
    """Take the desktop's pictures off the buttons: words are enough, and the pictures know no theme."""
    for button in box.buttons():
        button.setIcon(QIcon())


class FormDialog(QDialog):
    """A dialog with an explanation, a form, and OK / Cancel; deleted when closed."""

    def __init__(self, title: str, explanation: str, accept: str, name: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(380)
        words = label(explanation, f"{name}.explanation")
        words.setVisible(bool(explanation))
        self.form = QFormLayout()
        self.form.setSpacing(NORMAL)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        ok = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        ok.setText(accept)
        ok.setObjectName(f"{name}.accept")
        ok.setProperty("primary", True)
        without_icons(self.buttons)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.setSpacing(WIDE)
        layout.addWidget(words)
        layout.addLayout(self.form)
        layout.addStretch(1)
        layout.addWidget(self.buttons)

    def set_acceptable(self, acceptable: bool) -> None:
        """Allow or forbid OK."""
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(acceptable)


class TextDialog(QDialog):
    """A text to read and to copy; deleted when closed."""

    def __init__(self, title: str, text: str, name: str, parent: QWidget | None, monospace: bool = True) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(640, 460)
        self.text = QPlainTextEdit(text)
        self.text.setObjectName(f"{name}.text")
        self.text.setAccessibleName(title)
        self.text.setReadOnly(True)
        if monospace:
            self.text.setFont(theme.monospace())
            self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
        self.copy.setObjectName(f"{name}.copy")
        without_icons(buttons)
        self.copy.clicked.connect(self._copy)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.setSpacing(NORMAL)
        layout.addWidget(self.text)
        layout.addWidget(buttons)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())
