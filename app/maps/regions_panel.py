"""Contours, segments and regions: what is drawn, the bullseye, the table, CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from app.display.map_state import LEVELS, Drawing
from app.display.words import ms
from app.maps.bullseye_view import BullseyeView
from app.maps.segments import RegionRow, mean_text
from app.panels.parts import NORMAL, TIGHT, button, drop_down, label, row, tool_button
from app.views.table import CompactTable

Index = QModelIndex | QPersistentModelIndex
HEADERS: Final = ("Region", "Mean ± SD", "Median", "N", "Δ ref", "Z")
TIPS: Final = (
    "",
    "Mean and standard deviation over the valid pixels, ms",
    "Median over the valid pixels, ms",
    "Pixels with a value; in brackets those without, which are left out",
    "Mean minus the mean of the same region of the reference's map, ms",
    "Standard deviations from the mean of the site's reference",
)
NO_SITE: Final = "No site reference"


class RegionsModel(QAbstractTableModel):
    """Regions of one method and slice (or of all slices)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[RegionRow, ...] = ()

    def set_rows(self, rows: Sequence[RegionRow]) -> None:
        """Show rows."""
        if tuple(rows) == self._rows:
            return
        self.beginResetModel()
        self._rows = tuple(rows)
        self.endResetModel()

    def row_of(self, segment: int) -> int:
        """Return the row of a segment, -1 when it has none."""
        return next((index for index, row in enumerate(self._rows) if row.segment == segment), -1)

    def segment_at(self, index: int) -> int:
        """Return the segment of a row, 0 for another region."""
        return self._rows[index].segment

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADERS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return TIPS[section] or None
        return _side(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(index.column())
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        row_ = self._rows[index.row()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{row_.words}, slice {row_.slice_index + 1}, {row_.method}"
        z = f"{row_.z:+.1f}" if math.isfinite(row_.z) else ""
        delta = "" if not math.isfinite(row_.delta) else f"{row_.delta:+.1f}"
        count = f"{row_.n} ({row_.n_invalid})" if row_.n_invalid else f"{row_.n}"
        name = f"{row_.segment} {row_.name.partition(' ')[2]}" if row_.segment else row_.name
        return (name, mean_text(row_), ms(row_.median), count, delta, z)[index.column()]


def _side(column: int) -> int:
    side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
    return int(side | Qt.AlignmentFlag.AlignVCenter)


class RegionsPanel(QWidget):
    """Bullseye and table, and what is done to the drawing.

    Signals
    -------
    undo_point_requested(), clear_requested(), copy_slices_requested(), copy_series_requested()
        Take the last point back; erase this slice's drawing; put it on all slices; put it on another series.
    level_chosen(name), direction_toggled(bool)
        Basal, mid or apical; segments run clockwise.
    method_chosen(key), site_chosen(name), sites_requested()
        Whose numbers; which site reference; edit the references.
    copy_requested(), export_requested()
        CSV.
    """

    undo_point_requested = Signal()
    clear_requested = Signal()
    copy_slices_requested = Signal()
    copy_series_requested = Signal()
    level_chosen = Signal(str)
    direction_toggled = Signal(bool)
    method_chosen = Signal(str)
    site_chosen = Signal(str)
    sites_requested = Signal()
    copy_requested = Signal()
    export_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maps_regions")
        self.model = RegionsModel(self)
        self.bullseye = BullseyeView()
        self.hint = label("", "maps.regions.hint", "dim")
        self._back = tool_button("Undo point", "maps.regions.undo_point", "Take the last point back (Backspace)")
        self._clear = tool_button("Clear", "maps.regions.clear", "Erase what was drawn on this slice")
        self._slices = tool_button("To all slices", "maps.regions.to_slices", "Draw the same on all slices")
        self._series = tool_button(
            "To series…", "maps.regions.to_series", "Draw the same on another open series (native, post-contrast)"
        )
        self._level = drop_down("maps.regions.level", "Level of this slice")
        for name in LEVELS:
            self._level.addItem(name.capitalize(), name)
        self._level.setMinimumContentsLength(7)
        self._clockwise = QCheckBox("Clockwise")
        self._clockwise.setObjectName("maps.regions.clockwise")
        self._clockwise.setToolTip(
            "Direction in which segments follow the anterior RV insertion, on the images as stored.\n"
            "Off: the septum lies counter-clockwise of it, the usual view from the apex."
        )
        self._clockwise.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._method = drop_down("maps.regions.method", "Map of the numbers")
        self._site = drop_down("maps.regions.site", "Site reference for Z")
        self._edit = tool_button("Edit…", "maps.regions.sites", "Mean and SD of your site, for Z-scores: none is built in")
        self._table = CompactTable(self.model, "maps.regions.table", "Statistics of the regions")
        self._table.horizontalHeader().setMinimumSectionSize(34)
        self.set_sites((), "")
        self._copy = button("Copy CSV", "maps.regions.copy", "All regions of all maps and slices as CSV")
        self._export = button("Export…", "maps.regions.export", "All regions of all maps and slices to a CSV file")
        self._arrange()
        self._connect()

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, NORMAL)
        layout.setSpacing(TIGHT)
        layout.addWidget(self.hint)
        layout.addWidget(row(self._back, self._clear, self._slices, self._series, None, spacing=2))
        layout.addWidget(row(self._level, self._clockwise, None))
        layout.addWidget(self.bullseye, 3)
        layout.addWidget(row(self._method, self._site, self._edit, spacing=TIGHT, grow={0: 1, 1: 1}))
        self._table.setMinimumHeight(120)
        layout.addWidget(self._table, 3)
        layout.addWidget(row(self._copy, self._export, None, spacing=TIGHT))

    def _connect(self) -> None:
        for control, signal in (
            (self._back, self.undo_point_requested),
            (self._clear, self.clear_requested),
            (self._slices, self.copy_slices_requested),
            (self._series, self.copy_series_requested),
            (self._edit, self.sites_requested),
            (self._copy, self.copy_requested),
            (self._export, self.export_requested),
        ):
            control.clicked.connect(signal)
        self._level.activated.connect(lambda _: self.level_chosen.emit(str(self._level.currentData())))
        self._clockwise.clicked.connect(self.direction_toggled)
        self._method.activated.connect(lambda _: self.method_chosen.emit(str(self._method.currentData())))
        self._site.activated.connect(lambda _: self.site_chosen.emit(str(self._site.currentData())))
        self._table.clicked.connect(lambda index: self.bullseye.select(self.model.segment_at(index.row())))
        self.bullseye.segment_clicked.connect(self._on_segment)

    def _on_segment(self, number: int) -> None:
        self.bullseye.select(number)
        place = self.model.row_of(number)
        if place >= 0:
            self._table.selectRow(place)

    def set_drawing(self, drawing: Drawing, slices: int, others: bool) -> None:
        """Show what was drawn on the slice."""
        with QSignalBlocker(self._level), QSignalBlocker(self._clockwise):
            self._level.setCurrentIndex(self._level.findData(drawing.level))
            self._clockwise.setChecked(drawing.clockwise)
        for control in (self._back, self._clear):
            control.setEnabled(not drawing.empty)
        self._slices.setEnabled(not drawing.empty and slices > 1)
        self._series.setEnabled(not drawing.empty and others)
        self.hint.setText(hint_of(drawing))

    def set_methods(self, methods: Sequence[tuple[str, str]], chosen: str) -> None:
        """Offer the maps on screen."""
        with QSignalBlocker(self._method):
            self._method.clear()
            for key, title in methods:
                self._method.addItem(title, key)
            self._method.setCurrentIndex(max(0, self._method.findData(chosen)))

    def set_sites(self, names: Sequence[str], chosen: str) -> None:
        """Offer the site references."""
        with QSignalBlocker(self._site):
            self._site.clear()
            self._site.addItem(NO_SITE, "")
            for name in names:
                self._site.addItem(name, name)
            self._site.setCurrentIndex(max(0, self._site.findData(chosen)))

    def set_exportable(self, exportable: bool) -> None:
        """Allow or forbid CSV."""
        self._copy.setEnabled(exportable)
        self._export.setEnabled(exportable)


def hint_of(drawing: Drawing) -> str:
    """Return what to draw next for segments."""
    if drawing.empty:
        return "For segments, choose Endo above the maps and click round the inner border; then Epi, then RV (anterior insertion)."
    wanted = []
    for words, points in (("endocardial", drawing.endo), ("epicardial", drawing.epi)):
        if len(points) < 3:
            wanted.append(f"{words} contour ({len(points)} of at least 3 points)")
    if drawing.insertion is None:
        wanted.append("anterior RV insertion")
    if wanted:
        return f"Still wanted for segments: {', '.join(wanted)}."
    return f"Endo {len(drawing.endo)} points, epi {len(drawing.epi)} points; drag points to move them."
