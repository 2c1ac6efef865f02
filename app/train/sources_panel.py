"""Where training data come from, as a list: folders, files, samples, synthetic hearts; slices taken and left out, weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QFileDialog, QHeaderView, QMenu, QTableView, QToolButton, QVBoxLayout, QWidget

from app.panels.parts import TIGHT, row, tool_button
from app.train.fields import Field
from app.train.values import parse_numbers, words_of, written
from engine.core.records.plain import Plain
from engine.core.records.training import TrainSetting
from engine.core.records.values import listed, number, tabled

Index = QModelIndex | QPersistentModelIndex
SAMPLE: Final = "sample:"
SYNTHETIC: Final = (
    ("Beating heart (cine)", "phantom:cine"),
    ("T1 mapping (MOLLI)", "phantom:molli"),
    ("T2 mapping (T2-prep)", "phantom:t2prep"),
)


class SourcesModel(QAbstractTableModel):
    """One row for each source, one column for each of its settings."""

    edited = Signal()

    def __init__(self, fields: Sequence[TrainSetting], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.fields = tuple(fields)
        self.rows: list[dict[str, Plain]] = []

    def set_rows(self, rows: Sequence[Mapping[str, Plain]]) -> None:
        """Show other sources."""
        self.beginResetModel()
        self.rows = [self._full(one) for one in rows]
        self.endResetModel()

    def add(self, location: str) -> None:
        """Append a source."""
        self.beginInsertRows(QModelIndex(), len(self.rows), len(self.rows))
        self.rows.append(self._full({"location": location}))
        self.endInsertRows()
        self.edited.emit()

    def remove(self, number: int) -> None:
        """Take a source off."""
        self.beginRemoveRows(QModelIndex(), number, number)
        del self.rows[number]
        self.endRemoveRows()
        self.edited.emit()

    def values(self) -> list[dict[str, Plain]]:
        """Return the sources; settings at their defaults are left out."""
        return [
            {field.name: one[field.name] for field in self.fields if field.name == "location" or one[field.name] != field.default}
            for one in self.rows
        ]

    def _full(self, one: Mapping[str, Plain]) -> dict[str, Plain]:
        return {field.name: one.get(field.name, field.default) for field in self.fields}

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.fields)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.fields[section].help
        return words_of(self.fields[section]) if role == Qt.ItemDataRole.DisplayRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsEditable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        field, value = self.fields[index.column()], self.rows[index.row()][self.fields[index.column()].name]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{value}\n{field.help}" if field.name == "location" else field.help
        if role == Qt.ItemDataRole.EditRole:
            return _text(field, value)
        if role == Qt.ItemDataRole.DisplayRole:
            if field.name == "location":
                return short(str(value))
            if field.name == "slices" and not value:
                return "all"
            return _text(field, value)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{words_of(field)}: {_text(field, value) or 'default'}"
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole:
            return False
        field = self.fields[index.column()]
        read = _value(field, str(value).strip())
        if read is None:
            return False
        self.rows[index.row()][field.name] = read
        self.dataChanged.emit(index, index)
        self.edited.emit()
        return True


def short(location: str) -> str:
    """Return the end of a path that tells most; ``sample:`` and the like whole."""
    kind, mark, rest = location.partition(":")
    if mark and kind.isalpha() and len(kind) > 1 and "/" not in rest and "\\" not in rest:
        return f"{rest.replace('_', ' ')} ({kind})"
    return location.replace("\\", "/").rstrip("/").rpartition("/")[2] or location


def _text(field: TrainSetting, value: Plain) -> str:
    return f"{number(value):.6g}" if field.kind == "number" else written(field.kind, value)


def _value(field: TrainSetting, text: str) -> Plain:
    if field.kind == "integers":
        return [] if text == "all" else parse_numbers(text)
    if field.kind == "number":
        try:
            return float(text.replace(",", "."))
        except ValueError:
            return None
    return text if text or field.name != "location" else None


class SourcesField(Field):
    """The list with its buttons. ``folder`` is where file dialogs begin."""

    wide = True

    def __init__(self, setting: TrainSetting, samples: Sequence[tuple[str, str]] = (), parent: QObject | None = None) -> None:
        whole = QWidget()
        self.model = SourcesModel(setting.fields)
        self.folder = ""
        self._name = f"train.{setting.name}"
        self._make_table()
        self._add = tool_button("Add", f"{self._name}.add", "Add a folder, a file, a sample or synthetic data")
        self._add.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(whole)
        self._menu.setObjectName(f"{self._name}.menu")
        self._add.setMenu(self._menu)
        self._remove = tool_button("Remove", f"{self._name}.remove", "Take the selected source off the list")
        self._remove.clicked.connect(self.remove_selected)
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(TIGHT)
        layout.addWidget(self.table)
        layout.addWidget(row(self._add, self._remove, None, spacing=TIGHT))
        super().__init__(setting, whole, parent)
        self.set_samples(samples)
        self.model.edited.connect(self._tell)

    def _make_table(self) -> None:
        self.table = QTableView()
        self.table.setObjectName(f"{self._name}.table")
        self.table.setAccessibleName("Sources of data")
        self.table.setModel(self.model)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTabKeyNavigation(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(22)
        self.table.setFixedHeight(104)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        widths = {"location": 128, "slices": 48, "leave_out": 68, "weight": 52}
        for column, field in enumerate(self.model.fields):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            header.resizeSection(column, widths.get(field.name, 56))

    def set_samples(self, samples: Sequence[tuple[str, str]]) -> None:
        """Say which samples (title, name) can be added."""
        menu = self._menu
        menu.clear()
        menu.addAction("Folder…").triggered.connect(lambda: self._ask(folder=True))
        menu.addAction("File…").triggered.connect(lambda: self._ask(folder=False))
        for title, entries in (("Sample", [(title, SAMPLE + name) for title, name in samples]), ("Synthetic", list(SYNTHETIC))):
            below = menu.addMenu(title)
            for words, location in entries:
                below.addAction(words).triggered.connect(lambda _=False, place=location: self.model.add(place))
        menu.addAction("Still images set in motion…").triggered.connect(lambda: self._ask(folder=True, prefix="moving:"))

    def _ask(self, folder: bool, prefix: str = "") -> None:
        if folder:
            path = QFileDialog.getExistingDirectory(self.widget, "Add a folder of training data", self.folder)
        else:
            path, _ = QFileDialog.getOpenFileName(self.widget, "Add a file of training data", self.folder)
        if path:
            self.folder = path
            self.model.add(prefix + path)

    def remove_selected(self) -> None:
        """Take the selected source off the list, the last one when none is selected."""
        at = self.table.currentIndex().row()
        at = at if at >= 0 else len(self.model.rows) - 1
        if at >= 0:
            self.model.remove(at)

    def value(self) -> Plain:
        return self.model.values()

    def set_value(self, value: Plain) -> None:
        self.model.set_rows([tabled(one) for one in listed(value)])
