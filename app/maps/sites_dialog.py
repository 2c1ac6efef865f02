"""The site's own reference values: typed by the user, kept by the engine; none is built in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QDialogButtonBox, QHeaderView, QTableView, QWidget

from app.dialogs.base import FormDialog, without_icons

FIELDS: Final = (
    ("quantity", "Quantity"),
    ("field_t", "Field, T"),
    ("sequence", "Sequence"),
    ("mean", "Mean"),
    ("sd", "SD"),
    ("note", "Note"),
)
NUMBERS: Final = ("field_t", "mean", "sd")
QUANTITIES: Final = ("T1", "T2", "ECV")


class SitesDialog(FormDialog):
    """A table with one line for each reference; lines can be added and removed."""

    def __init__(self, records: Sequence[Mapping[str, Any]], parent: QWidget | None) -> None:
        words = (
            "Mean and standard deviation of healthy people at your site, for each field strength and sequence: "
            "T1 and T2 in ms, ECV in percent. None is built in."
        )
        super().__init__("Site references", words, "Keep", "sites", parent)
        self.resize(640, 360)
        self._model = QStandardItemModel(0, len(FIELDS), self)
        self._model.setHorizontalHeaderLabels([title for _, title in FIELDS])
        for record in records:
            self._add(record)
        self._table = QTableView()
        self._table.setObjectName("sites.table")
        self._table.setAccessibleName("Site references")
        self._table.setModel(self._model)
        self._table.verticalHeader().hide()
        self._table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.form.addRow(self._table)
        for text, name, call in (("Add", "sites.add", self.add), ("Remove", "sites.remove", self.remove)):
            made = self.buttons.addButton(text, QDialogButtonBox.ButtonRole.ActionRole)
            made.setObjectName(name)
            made.clicked.connect(call)
        without_icons(self.buttons)
        self._model.itemChanged.connect(lambda _: self._check())
        self._check()

    def add(self) -> None:
        """Add an empty line."""
        self._add({"quantity": "T1"})
        self._table.setCurrentIndex(self._model.index(self._model.rowCount() - 1, 0))
        self._check()

    def remove(self) -> None:
        """Remove the selected line."""
        index = self._table.currentIndex()
        if index.isValid():
            self._model.removeRow(index.row())
            self._check()

    def _add(self, record: Mapping[str, Any]) -> None:
        self._model.appendRow([QStandardItem(_text(record.get(name))) for name, _ in FIELDS])

    def records(self) -> list[dict[str, Any]]:
        """Return the lines; numbers that are none are left out (OK is not offered then)."""
        found = []
        for line in range(self._model.rowCount()):
            record: dict[str, Any] = {}
            for column, (name, _) in enumerate(FIELDS):
                text = str(self._model.index(line, column).data(Qt.ItemDataRole.DisplayRole) or "").strip()
                record[name] = _number(text) if name in NUMBERS else text
            found.append(record)
        return found

    def _check(self) -> None:
        self.set_acceptable(all(is_complete(record) for record in self.records()))


def is_complete(record: Mapping[str, Any]) -> bool:
    """Whether a line says of what, at which field, with which sequence, and has a mean and a spread above zero."""
    numbers = [record[name] or 0.0 for name in NUMBERS]
    return bool(record["sequence"]) and record["quantity"] in QUANTITIES and min(numbers) > 0


def _text(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
