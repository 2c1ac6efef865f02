"""Inspector: scores of all methods by region with the best marked, values under the cursor, CSV."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QLabel, QVBoxLayout, QWidget

from app.panels.parts import NORMAL, TIGHT, button, drop_down, label, row
from app.views.table import CompactTable, CursorTableModel, ScoreTableModel

REGIONS = (("Whole image", "whole"), ("Dynamic region", "dynamic"), ("Static region", "static"))


class InspectorPanel(QWidget):
    """Numbers beside the pictures.

    Signals
    -------
    region_chosen(name), percentile_changed(value), percentile_settled()
        Which region the scores are taken over, what counts as dynamic, and that its control was left.
    result_chosen(key)
        A row of the scores was clicked.
    copy_requested(), export_requested()
        Scores as CSV.
    """

    region_chosen = Signal(str)
    percentile_changed = Signal(float)
    percentile_settled = Signal()
    result_chosen = Signal(str)
    copy_requested = Signal()
    export_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inspector")
        self.scores, self.values = ScoreTableModel(self), CursorTableModel(self)
        self._region = drop_down("inspector.region", "Region of the scores")
        self._region.setMinimumContentsLength(10)
        for title, name in REGIONS:
            self._region.addItem(title, name)
        self._region.activated.connect(lambda _: self.region_chosen.emit(str(self._region.currentData())))
        self._percentile = QDoubleSpinBox()
        self._percentile.setObjectName("inspector.percentile")
        self._percentile.setAccessibleName("Percentile of the dynamic region")
        self._percentile.setToolTip("Dynamic: temporal standard deviation of the reference above this percentile of its slice")
        self._percentile.setRange(50.0, 99.0)
        self._percentile.setDecimals(0)
        self._percentile.setSuffix(" %")
        self._percentile.setKeyboardTracking(False)
        self._percentile.setMinimumWidth(64)
        self._percentile.valueChanged.connect(self.percentile_changed)
        self._percentile.editingFinished.connect(self.percentile_settled)
        self._scores_table = CompactTable(self.scores, "inspector.scores", "Scores")
        self._scores_table.clicked.connect(lambda index: self.result_chosen.emit(self.scores.key_at(index.row())))
        self._values_table = CompactTable(self.values, "inspector.values", "Values under the cursor")
        self._hint = label("", "inspector.hint", "dim")
        self._place = label("outside", "inspector.cursor", "dim")
        self._place.setWordWrap(False)
        self._copy = button("Copy CSV", "inspector.copy", "Scores of all results and regions, as CSV")
        self._copy.clicked.connect(self.copy_requested)
        self._export = button("Export…", "inspector.export", "Scores of all results and regions, to a CSV file")
        self._export.clicked.connect(self.export_requested)
        self._arrange()
        self.set_hint("Open a series to see scores.")

    def _arrange(self) -> None:
        above = QLabel("above")
        above.setBuddy(self._percentile)
        head = row(self._region, above, self._percentile, spacing=TIGHT, grow={0: 1})
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, NORMAL)
        layout.setSpacing(TIGHT)
        layout.addWidget(label("Scores", "inspector.scores.title", "heading"))
        layout.addWidget(head)
        layout.addWidget(self._scores_table, 3)
        layout.addWidget(self._hint)
        layout.addWidget(row(self._copy, self._export, None, spacing=TIGHT))
        layout.addSpacing(NORMAL)
        layout.addWidget(row(label("Cursor", "inspector.values.title", "heading"), self._place, None, spacing=NORMAL))
        layout.addWidget(self._values_table, 2)
        self._scores_table.setMinimumHeight(110)
        self._values_table.setMinimumHeight(110)

    def set_hint(self, text: str) -> None:
        """Say why there are no scores, or what they are taken over; "" hides the line."""
        self._hint.setText(text)
        self._hint.setVisible(bool(text))

    def set_region(self, name: str, percentile: float) -> None:
        """Show which region is chosen, without telling."""
        if (name, percentile) == (self._region.currentData(), self._percentile.value()):
            return  # even the same value makes the boxes draw themselves again, with each frame of a cine
        with QSignalBlocker(self._region), QSignalBlocker(self._percentile):
            self._region.setCurrentIndex(max(0, self._region.findData(name)))
            self._percentile.setValue(percentile)

    def set_place(self, text: str) -> None:
        """Show where the cursor is."""
        self._place.setText(text)

    def set_exportable(self, exportable: bool) -> None:
        """Allow or forbid CSV."""
        self._copy.setEnabled(exportable)
        self._export.setEnabled(exportable)
