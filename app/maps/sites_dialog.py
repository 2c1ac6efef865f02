"""The site's own reference values: typed by the user, kept by the engine; none is built in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QDialogButtonBox, QHeaderView, QTableView, QWidget

from app.dialogs.base import FormDialog, without_icons
from engine.core.errors import InputError
from engine.core.records.relaxometry import SiteReference

FIELDS: Final = (
    ("quantity", "Quantity"),
    ("field_t", "Field, T"),
    ("sequence", "Sequence"),
    ("mean", "Mean"),
    ("sd", "SD"),
    ("note", "Note"),
)


class SitesDialog(FormDialog):
    """A table with one line for each reference; lines can be added and removed."""

    def __init__(self, sites: Sequence[SiteReference], parent: QWidget | None) -> None:
        words = (
            "Mean and standard deviation of healthy people at your site, for each field strength and sequence: "
            "T1 and T2 in ms, ECV in percent. None is built in."
        )
        super().__init__("Site references", words, "Keep", "sites", parent)
        self.resize(640, 360)
        self._model = QStandardItemModel(0, len(FIELDS), self)
        self._model.setHorizontalHeaderLabels([title for _, title in FIELDS])
        for site in sites:
            self._add(*(_text(getattr(site, name)) for name, _ in FIELDS))
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
        self._add("T1", *[""] * (len(FIELDS) - 1))
        self._table.setCurrentIndex(self._model.index(self._model.rowCount() - 1, 0))
        self._check()

    def remove(self) -> None:
        """Remove the selected line."""
        index = self._table.currentIndex()
        if index.isValid():
            self._model.removeRow(index.row())
            self._check()

    def _add(self, *texts: str) -> None:
        self._model.appendRow([QStandardItem(text) for text in texts])

    def sites(self) -> list[SiteReference]:
        """Return the lines that say of what, at which field, with which sequence, and have a mean and a spread above zero."""
        return [site for site in map(self._site, range(self._model.rowCount())) if site is not None]

    def _site(self, line: int) -> SiteReference | None:
        texts = [str(self._model.index(line, at).data(Qt.ItemDataRole.DisplayRole) or "").strip() for at in range(len(FIELDS))]
        quantity, field_t, sequence, mean, sd, note = texts
        try:
            return SiteReference(quantity, _number(field_t), sequence, _number(mean), _number(sd), note)
        except (ValueError, InputError):
            return None

    def _check(self) -> None:
        self.set_acceptable(len(self.sites()) == self._model.rowCount())


def _text(value: str | float) -> str:
    return f"{value:g}" if isinstance(value, float) else value


def _number(text: str) -> float:
    return float(text.replace(",", "."))
