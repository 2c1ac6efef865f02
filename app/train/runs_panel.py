"""All runs: the one that is on, those that ended, those that can go on; ticked ones are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QPlainTextEdit, QTableView, QVBoxLayout, QWidget

from app import theme
from app.display.curves import style
from app.panels.parts import NORMAL, TIGHT, button, row
from app.train.values import duration_text
from engine.core.records.training import RunInfo

Index = QModelIndex | QPersistentModelIndex
COLUMNS: Final = ("Run", "Best, dB", "Steps", "State")
MOST: Final = 6
LOG_LINES: Final = 2000


def state_of(record: RunInfo, live: str) -> str:
    """Return what has become of a run in a word; ``live`` is the folder of the one that this window watches."""
    if record.folder == live or record.state == "running":
        return "running"
    if record.state == "interrupted":
        return "interrupted"
    return "stopped" if record.ended == "stop" else "finished"


class RunsModel(QAbstractTableModel):
    """One row for each run, newest first; ``ticked_changed`` when other runs are to be compared."""

    ticked_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.records: tuple[RunInfo, ...] = ()
        self.ticked: tuple[str, ...] = ()
        self._live = ""

    def set_records(self, records: Sequence[RunInfo], live: str) -> None:
        """Show runs; ``live`` is the folder of the one that is on."""
        self.beginResetModel()
        self.records, self._live = tuple(records), live
        there = {record.folder for record in records}
        self.ticked = tuple(folder for folder in self.ticked if folder in there)
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.records)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        shown = orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole
        return COLUMNS[section] if shown else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == 0 else flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        record, column = self.records[index.row()], index.column()
        folder = record.folder
        if role == Qt.ItemDataRole.CheckStateRole and column == 0:
            return Qt.CheckState.Checked if folder in self.ticked else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(record, column)
        if role == Qt.ItemDataRole.ForegroundRole and column == 0 and folder in self.ticked and theme.is_dark():
            return QColor(style(self.ticked.index(folder))[0])
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (1, 2):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            spent = duration_text(record.seconds)
            weights = f"\nweights {record.weights}" if record.weights else ""
            return f"{record.name}: {record.network}, {spent}{weights}\n{folder}"
        return None

    def _text(self, record: RunInfo, column: int) -> str:
        if column == 0:
            return folder_name(record)
        if column == 1:
            return "–" if record.best is None else f"{record.best:.2f}"
        return f"{record.step}/{record.steps}" if column == 2 else state_of(record, self._live)

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != 0:
            return False
        folder = self.records[index.row()].folder
        on = Qt.CheckState(value) == Qt.CheckState.Checked
        if on and len(self.ticked) >= MOST:
            return False
        self.ticked = (*(one for one in self.ticked if one != folder), *((folder,) if on else ()))
        self.dataChanged.emit(self.index(0, 0), self.index(len(self.records) - 1, 0))
        self.ticked_changed.emit()
        return True


def folder_name(record: RunInfo) -> str:
    """Return what a run is called: the name of its folder, which no other run has."""
    return record.folder.replace("\\", "/").rstrip("/").rpartition("/")[2]


class TrainRunsPanel(QWidget):
    """The list and what can be done with a run.

    Signals
    -------
    selected(folder)
        A run was clicked: its curves are wanted.
    compared(folders)
        Runs were ticked or unticked.
    resume_requested(folder), review_requested(folder), settings_requested(folder)
        Buttons: go on with a run, compare its weights with their parent, fill the form with its settings.
    """

    selected = Signal(str)
    compared = Signal(tuple)
    resume_requested = Signal(str)
    review_requested = Signal(str)
    settings_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train_runs")
        self._busy = False
        self.model = RunsModel(self)
        self.model.ticked_changed.connect(lambda: self.compared.emit(self.model.ticked))
        self.table = QTableView()
        self.table.setObjectName("train.runs")
        self.table.setAccessibleName("Training runs")
        self.table.setModel(self.model)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTabKeyNavigation(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setFont(theme.numbers(self.font()))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(22)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.setMinimumHeight(110)
        self.table.selectionModel().currentRowChanged.connect(self._on_row)
        self.resume = button("Resume", "train.resume", "Go on from the last checkpoint of the selected run")
        self.review = button("Compare with parent", "train.review", "Open Review with these weights beside those they started from")
        self.settings = button("Settings", "train.reuse", "Fill the form with the settings of the selected run")
        for made, signal in (
            (self.resume, self.resume_requested),
            (self.review, self.review_requested),
            (self.settings, self.settings_requested),
        ):
            made.clicked.connect(lambda _=False, told=signal: told.emit(self.folder()))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, NORMAL)
        layout.setSpacing(TIGHT)
        layout.addWidget(self.table, 1)
        layout.addWidget(row(self.resume, self.settings, None, spacing=TIGHT))
        layout.addWidget(self.review)
        self._refresh()

    def folder(self) -> str:
        """Return the folder of the selected run, "" for none."""
        record = self.record()
        return "" if record is None else record.folder

    def record(self) -> RunInfo | None:
        """Return the selected run."""
        at = self.table.currentIndex().row()
        return self.model.records[at] if 0 <= at < len(self.model.records) else None

    def set_records(self, records: Sequence[RunInfo], live: str) -> None:
        """Show runs; the selection stays."""
        chosen = self.folder()
        self.model.set_records(records, live)
        self._busy = bool(live)
        self.select(chosen)
        self._refresh()

    def select(self, folder: str) -> None:
        """Select a run."""
        for number, record in enumerate(self.model.records):
            if record.folder == folder:
                self.table.selectRow(number)

    def set_busy(self, busy: bool) -> None:
        """Say whether a run is on: no other can be resumed then."""
        self._busy = busy
        self._refresh()

    def _on_row(self, *_: object) -> None:
        self._refresh()
        if self.folder():
            self.selected.emit(self.folder())

    def _refresh(self) -> None:
        record = self.record()
        over = record is None or record.state == "running" or record.step >= record.steps
        self.resume.setEnabled(not over and not self._busy)
        self.settings.setEnabled(record is not None)
        self.review.setEnabled(record is not None and bool(record.weights))
        parent = "" if record is None else record.parent or ""
        words = "Compare with parent" if parent or record is None else "Show in Review"
        self.review.setText(words)
        self.review.setAccessibleName(words)


class TrainLogPanel(QWidget):
    """What the run told, line by line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train_log")
        self.text = QPlainTextEdit()
        self.text.setObjectName("train.log")
        self.text.setAccessibleName("Log of the training")
        self.text.setReadOnly(True)
        self.text.setMaximumBlockCount(LOG_LINES)
        self.text.setPlaceholderText("What a run tells appears here.")
        self.text.setFont(theme.small(theme.numbers(self.font())))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, 0, NORMAL, NORMAL)
        layout.addWidget(self.text)

    def add(self, line: str) -> None:
        """Append a line; the view follows unless somebody scrolled up."""
        self.text.appendPlainText(line)

    def clear(self) -> None:
        """Begin anew."""
        self.text.clear()
