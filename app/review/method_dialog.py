"""The settings of one method, as the engine tells them."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtWidgets import QDialogButtonBox, QWidget

from app.dialogs.base import FormDialog, without_icons
from app.forms import OptionsForm
from app.review.methods_model import MethodRow
from engine.core.records.plain import Plain


class MethodDialog(FormDialog):
    """Asks for the settings of a method; what is not changed stays at the method's default."""

    def __init__(self, method: MethodRow, parent: QWidget | None) -> None:
        super().__init__(f"Settings of {method.title}", method.paper, "Use", "method", parent)
        self._options = OptionsForm("method.option", explain=True)
        self._options.set_options(method.options)
        self._options.set_values(method.settings)
        self.form.addRow(self._options)
        defaults = self.buttons.addButton("Defaults", QDialogButtonBox.ButtonRole.ResetRole)
        defaults.setObjectName("method.defaults")
        defaults.clicked.connect(self._options.reset)
        without_icons(self.buttons)

    def settings(self) -> Mapping[str, Plain]:
        """Return what differs from the defaults."""
        return self._options.values()
