"""The clicked pixel: its curve by every method, parameters with their intervals, residuals, CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QVBoxLayout, QWidget

from app import theme
from app.display.curves import TITLES, CurveEntry, names_of, parameter_text, state_text, style
from app.display.words import number
from app.panels.parts import NORMAL, TIGHT, button, label, row
from app.views.curve import CurveView
from app.views.table import CompactTable

Index = QModelIndex | QPersistentModelIndex
MARKERS = {"o": "●", "s": "■", "t": "▼", "d": "◆", "star": "★", "p": "⬟"}


class ParametersModel(QAbstractTableModel):
    """Parameters of one pixel by methods, each estimate with its 95 % interval."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[CurveEntry, ...] = ()
        self._names: tuple[str, ...] = ()

    def set_entries(self, entries: Sequence[CurveEntry]) -> None:
        """Show the fits of one pixel."""
        self.beginResetModel()
        self._entries, self._names = tuple(entries), names_of(entries)
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if not self._entries or (parent is not None and parent.isValid()) else len(self._names) + 1

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if not self._entries or (parent is not None and parent.isValid()) else 1 + len(self._entries)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(section)
        if section == 0:
            return "Estimate (95 %)" if role == Qt.ItemDataRole.DisplayRole else None
        color, symbol, _ = style(section - 1)
        title = self._entries[section - 1].title
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{MARKERS[symbol]} {title}"
        if role == Qt.ItemDataRole.ForegroundRole:
            return QColor(color) if theme.is_dark() else None
        return title if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(index.column())
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return None
        if index.column() == 0:
            return self._words(index.row())
        fit = self._entries[index.column() - 1].fit
        if index.row() == len(self._names):
            return state_text(fit) or number(fit.r2, 4)
        found = fit.parameters.get(self._names[index.row()])
        return "–" if found is None else parameter_text(*found)

    def _words(self, row_number: int) -> str:
        if row_number == len(self._names):
            return "R²"
        name = self._names[row_number]
        unit = next((e.fit.parameters[name][3] for e in self._entries if name in e.fit.parameters), "")
        return f"{TITLES.get(name, name)} {unit}".rstrip()


def _side(column: int) -> int:
    side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
    return int(side | Qt.AlignmentFlag.AlignVCenter)


class PixelPanel(QWidget):
    """Curve, table, copy.

    Signals
    -------
    copy_requested()
        Samples, residuals and parameters as CSV.
    """

    copy_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maps_pixel")
        self.curve, self.parameters = CurveView(), ParametersModel(self)
        self.place = label("", "maps.pixel.place", "dim")
        self._table = CompactTable(self.parameters, "maps.parameters", "Parameters of the clicked pixel")
        self._table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.setMinimumHeight(150)
        self.copy = button("Copy CSV", "maps.pixel.copy", "Samples, residuals and parameters of this pixel as CSV")
        self.copy.clicked.connect(self.copy_requested)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, NORMAL)
        layout.setSpacing(TIGHT)
        layout.addWidget(self.place)
        layout.addWidget(self.curve, 1)
        layout.addWidget(self._table)
        layout.addWidget(row(self.copy, None))
        layout.addStretch(0)
        self.set_entries((), "Click a map to see the curve of a pixel.")

    def set_entries(self, entries: Sequence[CurveEntry], place: str) -> None:
        """Show the fits of a pixel and where it is."""
        self.place.setText(place)
        self.curve.set_entries(entries)
        self.parameters.set_entries(entries)
        header = self._table.horizontalHeader()
        for column in range(self.parameters.columnCount()):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        # Empty axes would look like a result.
        for part in (self.curve, self._table, self.copy):
            part.setVisible(bool(entries))
