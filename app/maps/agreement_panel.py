"""Agreement: how the maps of the methods differ from the reference's, by region, with a Bland-Altman plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QCheckBox, QHeaderView, QVBoxLayout, QWidget

from app.maps.bland_altman import BlandAltmanView
from app.panels.parts import NORMAL, TIGHT, button, drop_down, label, row
from app.views.table import CompactTable

REGIONS: Final = (
    ("All valid pixels", "all"),
    ("Region of interest", "ROI"),
    ("Myocardium", "myocardium"),
    ("Segment means", "segments"),
)
KEY_ROLE: Final = Qt.ItemDataRole.UserRole + 1


class AgreementPanel(QWidget):
    """Table of bias and limits, plot of the chosen method.

    Signals
    -------
    region_chosen(name), method_chosen(key), disagreement_toggled(bool), copy_requested()
        Over which pixels; whose plot; the map of disagreement beside the maps; CSV.
    """

    region_chosen = Signal(str)
    method_chosen = Signal(str)
    disagreement_toggled = Signal(bool)
    copy_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maps_agreement")
        self._region = drop_down("maps.agreement.region", "Pixels that are compared")
        for words, name in REGIONS:
            self._region.addItem(words, name)
        self._region.setMinimumContentsLength(14)
        self._region.activated.connect(lambda _: self.region_chosen.emit(str(self._region.currentData())))
        self.disagreement = QCheckBox("Map of disagreement")
        self.disagreement.setObjectName("maps.agreement.disagreement")
        self.disagreement.setToolTip("Standard deviation across the methods, pixel by pixel, beside the maps")
        self.disagreement.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.disagreement.toggled.connect(self.disagreement_toggled)
        self.hint = label("", "maps.agreement.hint", "dim")
        self.model = QStandardItemModel(self)
        self._table = CompactTable(self.model, "maps.agreement.table", "Agreement with the reference")
        self._table.clicked.connect(lambda index: self.method_chosen.emit(str(self.model.index(index.row(), 0).data(KEY_ROLE))))
        self._table.setMinimumHeight(90)
        self.plot = BlandAltmanView()
        self._copy = button("Copy CSV", "maps.agreement.copy", "Bias and limits of all methods as CSV")
        self._copy.clicked.connect(self.copy_requested)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, NORMAL)
        layout.setSpacing(TIGHT)
        layout.addWidget(row(self._region, None, self.disagreement))
        layout.addWidget(self.hint)
        layout.addWidget(self._table)
        layout.addWidget(self.plot, 1)
        layout.addWidget(row(self._copy, None))
        layout.addStretch(0)
        self.set_rows((), "")

    def set_rows(self, rows: Sequence[tuple[str, Sequence[str]]], hint: str) -> None:
        """Show (key, words) lines; without any, ``hint`` says what is wanted."""
        self.model.clear()
        self.model.setHorizontalHeaderLabels(["Method", "Bias, ms", "Limits of agreement", "N"])
        for key, line in rows:
            items = [QStandardItem(text) for text in line]
            items[0].setData(key, KEY_ROLE)
            for item in items[1:]:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.model.appendRow(items)
        self._table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self._copy.setEnabled(bool(rows))
        for part in (self._table, self.plot, self._copy):
            part.setVisible(bool(rows))

    def set_region(self, name: str) -> None:
        """Show over which pixels maps are compared."""
        self._region.setCurrentIndex(max(0, self._region.findData(name)))

    def set_disagreement(self, on: bool, able: bool) -> None:
        """Show whether the map of disagreement is on, without telling."""
        with QSignalBlocker(self.disagreement):
            self.disagreement.setChecked(on)
        self.disagreement.setEnabled(able)

    def select(self, place: int) -> None:
        """Mark a line."""
        self._table.selectRow(place)
