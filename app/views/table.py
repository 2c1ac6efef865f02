"""Tables of the inspector: scores of all methods for one region with the best marked, and values under the cursor."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from PySide6.QtCore import QAbstractItemModel, QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QFont, QFontMetrics, QGuiApplication
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from app import theme
from app.display.cursor import CursorValue
from app.display.snapshot import ResultEntry
from app.display.words import REGION_WORDS, number, score_text
from engine.core.types import Score

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole

TITLES: Final = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ssim_gaussian": "SSIM Gauss",
    "nmse": "NMSE",
    "hfen": "HFEN",
    "haarpsi": "HaarPSI",
}
FIRST: Final = ("psnr", "ssim", "nmse")
BEST: Final = "★"
PADDING: Final = 12
SMALL: Final = 0.92
"""Size of a table's font, so that a method's name and three scores fit into a dock of 250 pixels."""


class ScoreTableModel(QAbstractTableModel):
    """Methods by metrics for one region. The best of each column is bold, has a star, and says so to screen readers.

    Role ``Qt.UserRole`` gives the raw number, for sorting.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[ResultEntry, ...] = ()
        self._region = "whole"
        self._metrics: tuple[str, ...] = ()
        self._best: dict[str, float] = {}

    def set_scores(self, entries: Sequence[ResultEntry], region: str) -> None:
        """Show the scores of results for a region; previews have none and are left out."""
        shown = tuple(entry for entry in entries if not entry.preview)
        if shown == self._entries and region == self._region:
            return
        self.beginResetModel()
        self._entries, self._region = shown, region
        found = {metric for entry in shown for metric, where in entry.scores if where == region}
        self._metrics = (*(m for m in FIRST if m in found), *sorted(found.difference(FIRST)))
        self._best = {metric: best for metric in self._metrics if (best := self._best_of(metric)) is not None}
        self.endResetModel()

    def regions(self) -> tuple[str, ...]:
        """Return all regions that were scored, in the order whole, dynamic, static, others."""
        found = {where for entry in self._entries for _, where in entry.scores}
        known = [name for name in REGION_WORDS if name in found]
        return (*known, *sorted(found.difference(known)))

    def key_at(self, row: int) -> str:
        """Return the key of the result in a row."""
        return self._entries[row].key

    def to_csv(self) -> str:
        """Return all scores of all regions as CSV: one line for each method, region and metric, with its data range and pixels."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("method", "region", "slice", "metric", "value", "unit", "data_range", "pixels", "protocol"))
        for entry in self._entries:
            for (metric, region), score in entry.scores.items():
                row = (
                    score.slice,
                    metric,
                    repr(float(score.value)),
                    score.unit,
                    repr(float(score.data_range)),
                    score.n_pixels,
                    score.protocol,
                )
                writer.writerow((entry.title, region, *row))
        return out.getvalue()

    def copy(self) -> None:
        """Put the CSV on the clipboard."""
        QGuiApplication.clipboard().setText(self.to_csv())

    # --- Qt's interface ------------------------------------------------------------------------------------------------

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._entries)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else 1 + len(self._metrics)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Role.DisplayRole:
            return "Method" if section == 0 else self._title(self._metrics[section - 1])
        if role == Role.TextAlignmentRole:
            return _alignment(section)
        if role == Role.ToolTipRole and section > 0:
            metric = self._metrics[section - 1]
            score = next((s for e in self._entries if (s := e.scores.get((metric, self._region))) is not None), None)
            direction = "" if score is None else "; higher is better" if score.higher_is_better else "; lower is better"
            return f"{metric}, {REGION_WORDS.get(self._region, self._region)}{direction}"
        return None

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        if not index.isValid():
            return None
        entry = self._entries[index.row()]
        if role == Role.TextAlignmentRole:
            return _alignment(index.column())
        if index.column() == 0:
            return entry.title if role in (Role.DisplayRole, Role.UserRole, Role.ToolTipRole) else None
        metric = self._metrics[index.column() - 1]
        score = entry.scores.get((metric, self._region))
        if score is None:
            return "–" if role == Role.DisplayRole else None
        best = self._is_best(metric, score)
        if role == Role.DisplayRole:
            return f"{BEST}{score_text(metric, score.value)}" if best else score_text(metric, score.value)
        if role == Role.UserRole:
            return float(score.value)
        if role == Role.FontRole:
            return _digits(bold=best)
        if role in (Role.ToolTipRole, Role.AccessibleTextRole):
            words = f"{number(score.value, 6)} {score.unit}".rstrip()
            words += f", data range {number(score.data_range)}, {score.n_pixels} pixels, protocol {score.protocol}"
            return f"best: {words}" if best else words
        return None

    def _title(self, metric: str) -> str:
        unit = next((s.unit for e in self._entries if (s := e.scores.get((metric, self._region))) is not None), "")
        title = TITLES.get(metric, metric.replace("_", " "))
        return f"{title} {unit}" if unit else title

    def _best_of(self, metric: str) -> float | None:
        scores = [s for e in self._entries if (s := e.scores.get((metric, self._region))) is not None and math.isfinite(s.value)]
        if len(scores) < 2:
            return None  # one alone is not the best of anything
        return (max if scores[0].higher_is_better else min)(score.value for score in scores)

    def _is_best(self, metric: str, score: Score) -> bool:
        return metric in self._best and bool(score.value == self._best[metric])


class CursorTableModel(QAbstractTableModel):
    """Value and error of every pane at the pixel under the cursor."""

    HEADERS: Final = ("Pane", "Value", "Error")

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._values: tuple[CursorValue, ...] = ()

    def set_values(self, values: Sequence[CursorValue]) -> None:
        """Show values; an empty sequence (cursor outside) keeps the rows and shows dashes, so that the table does not jump."""
        kept = tuple(values) or tuple(CursorValue(v.key, v.title, math.nan) for v in self._values)
        same_rows = [v.key for v in kept] == [v.key for v in self._values]
        if same_rows:
            self._values = kept
            if kept:
                self.dataChanged.emit(self.index(0, 0), self.index(len(kept) - 1, 2))
            return
        self.beginResetModel()
        self._values = kept
        self.endResetModel()

    def keep_only(self, keys: Iterable[str]) -> None:
        """Forget the rows of panes that are gone."""
        there = set(keys)
        kept = tuple(value for value in self._values if value.key in there)
        if len(kept) < len(self._values):
            self.beginResetModel()
            self._values = kept
            self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._values)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Role.TextAlignmentRole:
            return _alignment(section)
        return self.HEADERS[section] if role == Role.DisplayRole else None

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        if not index.isValid():
            return None
        value = self._values[index.row()]
        if role == Role.TextAlignmentRole:
            return _alignment(index.column())
        if role == Role.FontRole and index.column() > 0:
            return _digits(bold=False)
        if role != Role.DisplayRole:
            return None
        if index.column() == 0:
            return value.title
        shown = value.value if index.column() == 1 else value.error
        return "–" if shown is None or math.isnan(shown) else number(shown, 4)


class CompactTable(QTableView):
    """A read-only table for a narrow dock: no grid, no row numbers, the first column takes the room that is left."""

    def __init__(self, model: QAbstractItemModel, name: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setModel(model)
        small = theme.numbers(QGuiApplication.font())
        small.setPointSizeF(small.pointSizeF() * SMALL)
        for part in (self, self.horizontalHeader()):
            part.setFont(small)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setWordWrap(False)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(26)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(44)
        header.setHighlightSections(False)
        model.modelReset.connect(self._fit_columns)
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Make score columns as narrow as their words (the style's own margins would leave no room for the names)."""
        model, header = self.model(), self.horizontalHeader()
        if model.columnCount() > 0:
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        if not isinstance(model, ScoreTableModel):
            return
        metrics, heading = QFontMetrics(_digits(bold=True)), QFontMetrics(_digits(bold=False))
        for column in range(1, model.columnCount()):
            widths = [heading.horizontalAdvance(str(model.headerData(column, Qt.Orientation.Horizontal)))]
            widths += [metrics.horizontalAdvance(str(model.data(model.index(row, column)))) for row in range(model.rowCount())]
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, max(widths) + PADDING)


def _alignment(column: int) -> int:
    side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
    return int(side | Qt.AlignmentFlag.AlignVCenter)


def _digits(*, bold: bool) -> QFont:
    font = theme.numbers(QGuiApplication.font())
    font.setPointSizeF(font.pointSizeF() * SMALL)
    font.setBold(bold)
    return font
