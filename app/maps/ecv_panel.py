"""Extracellular volume: native and post-contrast map, haematocrit, blood region; what came out, CSV."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QDoubleSpinBox, QFormLayout, QHeaderView, QVBoxLayout, QWidget

from app.panels.parts import NORMAL, TIGHT, button, drop_down, label, row
from app.views.table import CompactTable

EXPLANATION = (
    "ECV = (1 − haematocrit) · ΔR1 of the myocardium / ΔR1 of the blood, ΔR1 = 1/T1 after − 1/T1 before contrast. "
    "Draw the blood pool (Blood) on the native map; contours are optional."
)


class EcvPanel(QWidget):
    """The form, the button, the numbers.

    Signals
    -------
    run_requested(), copy_requested()
        Compute; CSV.
    haematocrit_changed(value), maps_chosen()
        It was typed; other maps were chosen.
    """

    run_requested = Signal()
    copy_requested = Signal()
    haematocrit_changed = Signal(float)
    maps_chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maps_ecv")
        self._native = drop_down("maps.ecv.native", "Native T1 map")
        self._post = drop_down("maps.ecv.post", "Post-contrast T1 map")
        self._picked: set[str] = set()  # boxes in which a person chose
        for box in (self._native, self._post):
            box.activated.connect(partial(self._on_picked, box.objectName()))
        self._haematocrit = QDoubleSpinBox()
        self._haematocrit.setObjectName("maps.ecv.haematocrit")
        self._haematocrit.setAccessibleName("Haematocrit in percent")
        self._haematocrit.setRange(0.0, 99.0)
        self._haematocrit.setDecimals(1)
        self._haematocrit.setSuffix(" %")
        # No usual value is filled in: a wrong one would pass unseen.
        self._haematocrit.setSpecialValueText("not given")
        self._haematocrit.setKeyboardTracking(False)
        self._haematocrit.setToolTip("Of this person, within 24 h of the scan")
        self._haematocrit.valueChanged.connect(self.haematocrit_changed)
        self.button = button("Compute ECV", "maps.ecv.run", "ECV of every pixel, shown beside the maps")
        self.button.setProperty("primary", True)
        self.button.clicked.connect(self.run_requested)
        self.hint = label("", "maps.ecv.hint", "dim")
        self.model = QStandardItemModel(self)
        self._table = CompactTable(self.model, "maps.ecv.table", "Extracellular volume")
        self._copy = button("Copy CSV", "maps.ecv.copy", "ECV of all regions as CSV")
        self._copy.clicked.connect(self.copy_requested)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(TIGHT)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Native", self._native)
        form.addRow("Post-contrast", self._post)
        form.addRow("Haematocrit", self._haematocrit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, NORMAL)
        layout.setSpacing(TIGHT)
        layout.addWidget(label(EXPLANATION, "maps.ecv.explanation", "dim"))
        layout.addLayout(form)
        layout.addWidget(self.button)
        layout.addWidget(self.hint)
        layout.addWidget(self._table, 1)
        layout.addWidget(row(self._copy, None))
        layout.addStretch(0)
        self.set_rows(())

    def _on_picked(self, name: str, _: int) -> None:
        self._picked.add(name)
        self.maps_chosen.emit()

    def choice(self) -> tuple[str, str, float]:
        """Return the keys of the native and the post-contrast map, and the haematocrit as a fraction."""
        native, post = str(self._native.currentData() or ""), str(self._post.currentData() or "")
        return native, post, self._haematocrit.value() / 100

    def set_haematocrit(self, fraction: float) -> None:
        """Set the haematocrit."""
        self._haematocrit.setValue(100 * fraction)

    def set_maps(self, maps: Sequence[tuple[str, str]]) -> None:
        """Offer T1 maps (words, key); what was chosen stays, else the first is native and the last post-contrast."""
        for box, place in ((self._native, 0), (self._post, -1)):
            with QSignalBlocker(box):
                before = box.currentData()
                box.clear()
                for words, key in maps:
                    box.addItem(words, key)
                kept = box.findData(before) if box.objectName() in self._picked else -1
                box.setCurrentIndex(kept if kept >= 0 else range(len(maps))[place] if maps else -1)

    def set_able(self, able: bool, why: str) -> None:
        """Say whether ECV can be computed, and if not, what is wanted."""
        self.button.setEnabled(able)
        self.hint.setText(why)
        self.hint.setVisible(bool(why))

    def set_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Show (region, ECV, pixels) lines."""
        self.model.clear()
        self.model.setHorizontalHeaderLabels(["Region", "ECV, %", "N"])
        for line in rows:
            items = [QStandardItem(text) for text in line]
            for item in items[1:]:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.model.appendRow(items)
        self._table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for part in (self._table, self._copy):
            part.setVisible(bool(rows))
