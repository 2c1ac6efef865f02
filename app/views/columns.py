"""A table made of columns: each is one record that says what a row shows in it. A new column is a new record in a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QFont, QGuiApplication

from app import theme

T = TypeVar("T")
Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole

SMALL: Final = 0.92
"""Size of a table's font, so that a method's name and three scores fit into a dock of 250 pixels."""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column.

    Parameters
    ----------
    title, tip
        Words of its header, and the sentence that explains them.
    text
        What a row shows.
    value
        What it is sorted by; without it the text.
    words
        Told by the tooltip and to screen readers; "" for nothing.
    strong
        Whether it stands out.
    number
        Whether it is right-aligned, in digits that do not jump.
    """

    title: str
    text: Callable[[T], str]
    tip: str = ""
    value: Callable[[T], object] | None = None
    words: Callable[[T], str] = lambda _: ""
    strong: Callable[[T], bool] = lambda _: False
    number: bool = True


class ColumnModel(QAbstractTableModel, Generic[T]):
    """Rows of one kind, shown in columns. Role ``Qt.UserRole`` gives the raw value, for sorting."""

    def __init__(self, columns: Sequence[Column[T]] = (), parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[T, ...] = ()
        self._columns = tuple(columns)
        self._fonts = {strong: digits(bold=strong) for strong in (False, True)}

    def set_rows(self, rows: Sequence[T], columns: Sequence[Column[T]] | None = None) -> None:
        """Show other rows, in other columns when they are given."""
        self.beginResetModel()
        self._rows = tuple(rows)
        if columns is not None:
            self._columns = tuple(columns)
        self.endResetModel()

    def update_rows(self, rows: Sequence[T]) -> None:
        """Show other values of the same rows: selection and place stay."""
        self._rows = tuple(rows)
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(self._columns) - 1))

    @property
    def rows(self) -> tuple[T, ...]:
        """What is shown."""
        return self._rows

    # --- Qt's interface ------------------------------------------------------------------------------------------------

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or section >= len(self._columns):
            return None
        column = self._columns[section]
        if role == Role.DisplayRole:
            return column.title
        if role == Role.TextAlignmentRole:
            return _alignment(column.number)
        return (column.tip or None) if role == Role.ToolTipRole else None

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], self._columns[index.column()]
        if role == Role.DisplayRole:
            return column.text(row)
        if role == Role.TextAlignmentRole:
            return _alignment(column.number)
        if role == Role.FontRole:
            return self._fonts[column.strong(row)] if column.number else None
        if role == Role.UserRole:
            return column.text(row) if column.value is None else column.value(row)
        if role in (Role.ToolTipRole, Role.AccessibleTextRole):
            return column.words(row) or None
        return None


def digits(*, bold: bool) -> QFont:
    """Return the font of numbers in a table."""
    font = theme.numbers(QGuiApplication.font())
    font.setPointSizeF(font.pointSizeF() * SMALL)
    font.setBold(bold)
    return font


def _alignment(number: bool) -> int:
    side = Qt.AlignmentFlag.AlignRight if number else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)
