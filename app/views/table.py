"""Tables of the inspector: scores of all methods for one region with the best marked, and values under the cursor."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Final

from PySide6.QtCore import QAbstractItemModel, QObject, Qt
from PySide6.QtGui import QFontMetrics, QGuiApplication
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from app import theme
from app.display.cursor import CursorValue
from app.display.snapshot import ResultEntry
from app.display.words import REGION_WORDS, number, score_text
from app.views.columns import SMALL, Column, ColumnModel, digits
from engine.core.types import Score

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

RESULTS: Final[tuple[Column[ResultEntry], ...]] = (
    Column("Method", lambda entry: entry.title, words=lambda entry: entry.title, number=False),
)
"""Columns of the list of results that do not depend on what was scored; one for each metric follows."""


class ScoreTableModel(ColumnModel[ResultEntry]):
    """Methods by metrics for one region. The best of each column is bold, has a star, and says so to screen readers."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(RESULTS, parent)
        self._region = "whole"

    def set_scores(self, entries: Sequence[ResultEntry], region: str) -> None:
        """Show the scores of results for a region; previews have none and are left out."""
        shown = tuple(entry for entry in entries if not entry.preview)
        if shown == self.rows and region == self._region:
            return
        self._region = region
        found = {metric for entry in shown for metric, where in entry.scores if where == region}
        metrics = (*(m for m in FIRST if m in found), *sorted(found.difference(FIRST)))
        self.set_rows(shown, (*RESULTS, *(metric_column(metric, region, shown) for metric in metrics)))

    def regions(self) -> tuple[str, ...]:
        """Return all regions that were scored, in the order whole, dynamic, static, others."""
        found = {where for entry in self.rows for _, where in entry.scores}
        known = [name for name in REGION_WORDS if name in found]
        return (*known, *sorted(found.difference(known)))

    def key_at(self, row: int) -> str:
        """Return the key of the result in a row."""
        return self.rows[row].key

    def to_csv(self) -> str:
        """Return all scores of all regions as CSV: one line for each method, region and metric, with its data range and pixels."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("method", "region", "slice", "metric", "value", "unit", "data_range", "pixels", "protocol"))
        for entry in self.rows:
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


def metric_column(metric: str, region: str, entries: Sequence[ResultEntry]) -> Column[ResultEntry]:
    """Return the column of a metric for the results that are compared."""
    key = (metric, region)
    found = [entry.scores[key] for entry in entries if key in entry.scores]
    best = _best(found)

    def is_best(entry: ResultEntry) -> bool:
        return best is not None and key in entry.scores and bool(entry.scores[key].value == best)

    def text(entry: ResultEntry) -> str:
        score = entry.scores.get(key)
        return "–" if score is None else f"{BEST * is_best(entry)}{score_text(metric, score.value)}"

    def words(entry: ResultEntry) -> str:
        score = entry.scores.get(key)
        if score is None:
            return ""
        told = f"{number(score.value, 6)} {score.unit}".rstrip()
        told += f", data range {number(score.data_range)}, {score.n_pixels} pixels, protocol {score.protocol}"
        return f"best: {told}" if is_best(entry) else told

    def value(entry: ResultEntry) -> float | None:
        score = entry.scores.get(key)
        return None if score is None else float(score.value)

    title, unit = TITLES.get(metric, metric.replace("_", " ")), found[0].unit
    direction = "higher is better" if found[0].higher_is_better else "lower is better"
    tip = f"{metric}, {REGION_WORDS.get(region, region)}; {direction}"
    return Column(f"{title} {unit}".rstrip(), text, tip, value, words, is_best)


def _best(scores: Sequence[Score]) -> float | None:
    finite = [score for score in scores if math.isfinite(score.value)]
    if len(finite) < 2:
        return None  # one alone is not the best of anything
    return (max if finite[0].higher_is_better else min)(score.value for score in finite)


def _cursor_text(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else number(value, 4)


CURSOR: Final[tuple[Column[CursorValue], ...]] = (
    Column("Pane", lambda value: value.title, number=False),
    Column("Value", lambda value: _cursor_text(value.value)),
    Column("Error", lambda value: _cursor_text(value.error)),
)


class CursorTableModel(ColumnModel[CursorValue]):
    """Value and error of every pane at the pixel under the cursor."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(CURSOR, parent)

    def set_values(self, values: Sequence[CursorValue]) -> None:
        """Show values; an empty sequence (cursor outside) keeps the rows and shows dashes, so that the table does not jump."""
        kept = tuple(values) or tuple(CursorValue(v.key, v.title, math.nan) for v in self.rows)
        same_rows = [v.key for v in kept] == [v.key for v in self.rows]
        (self.update_rows if same_rows else self.set_rows)(kept)

    def keep_only(self, keys: Iterable[str]) -> None:
        """Forget the rows of panes that are gone."""
        there = set(keys)
        kept = tuple(value for value in self.rows if value.key in there)
        if len(kept) < len(self.rows):
            self.set_rows(kept)


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
        metrics, heading = QFontMetrics(digits(bold=True)), QFontMetrics(digits(bold=False))
        for column in range(1, model.columnCount()):
            widths = [heading.horizontalAdvance(str(model.headerData(column, Qt.Orientation.Horizontal)))]
            widths += [metrics.horizontalAdvance(str(model.data(model.index(row, column)))) for row in range(model.rowCount())]
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, max(widths) + PADDING)
