"""Where published weights come from, so that they are read by the right importer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QWidget

from app.dialogs.base import FormDialog
from engine.core.records.weights import WeightSource


class WeightsDialog(FormDialog):
    """Asks for the source of a weight file; those that have weights of ``network`` come first."""

    def __init__(self, path: str, sources: Sequence[WeightSource], parent: QWidget | None, network: str = "") -> None:
        words = f"{Path(path).name} is read without running any code in it; every key and shape is checked."
        super().__init__("Import weights", words, "Import", "import_weights", parent)
        self._source = QComboBox()
        self._source.setObjectName("import_weights.source")
        for source in sorted(sources, key=lambda source: network not in source.networks):
            self._source.addItem(source.title, source.name)
            told = f"For {', '.join(source.networks)}\nLicence: {source.licence}\n{source.url}"
            self._source.setItemData(self._source.count() - 1, told, Qt.ItemDataRole.ToolTipRole)
        self.form.addRow("&Source", self._source)

    def source(self) -> str:
        """Return the chosen source."""
        return str(self._source.currentData())
