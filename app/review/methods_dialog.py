"""All methods in a table that is large enough for them: parameters, multiply-accumulates, weights, papers; what is known of one."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QSize, Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLineEdit, QVBoxLayout, QWidget

from app.dialogs.base import without_icons
from app.panels.parts import NORMAL, WIDE, label, scrolled
from app.review.methods_model import KEY_ROLE, NAME, MethodsFilter, MethodsModel, Suitability, obstacle, tip
from app.review.methods_panel import MethodTable

SIZE = QSize(1040, 640)
DETAILS_HEIGHT = 150
COLUMN_WIDTHS = (190, 110, 96, 84, 170)


class MethodsTableDialog(QDialog):
    """The panel's methods, to be ticked, sorted and filtered here as there; deleted when closed."""

    def __init__(self, model: MethodsModel, series: Suitability, selected: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("methods_table")
        self.setWindowTitle("Methods")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(SIZE)
        self._model, self._series = model, series
        self.proxy = MethodsFilter(self)
        self.proxy.setSourceModel(model)
        words = QLineEdit()
        words.setObjectName("methods_table.filter")
        words.setAccessibleName("Filter methods")
        words.setPlaceholderText("Filter: words of a name, a paper, a state; for example  no weights  or  recurrent")
        words.setClearButtonEnabled(True)
        words.textChanged.connect(self.proxy.set_words)
        self.table = MethodTable("methods_table.table")
        self.table.setModel(self.proxy)
        for column, width in enumerate(COLUMN_WIDTHS):
            self.table.horizontalHeader().resizeSection(column, width)
        self.details = label("", "methods_table.details")
        self.details.setWordWrap(True)
        self.details.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        below = scrolled(self.details, "methods_table.scroll")
        below.setFixedHeight(DETAILS_HEIGHT)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        without_icons(buttons)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.setSpacing(NORMAL)
        layout.addWidget(words)
        layout.addWidget(self.table, 1)
        layout.addWidget(below)
        layout.addWidget(buttons)
        self.table.selectionModel().currentRowChanged.connect(self._tell)
        model.dataChanged.connect(self._tell_again)
        self._select(selected)

    def _select(self, name: str) -> None:
        names = [self.proxy.index(number, NAME).data(KEY_ROLE) for number in range(self.proxy.rowCount())]
        if names:
            # The first when none is: what is known of a method has its place below, which would be empty.
            self.table.selectRow(names.index(name) if name in names else 0)

    def _tell_again(self) -> None:
        self._tell(self.table.currentIndex())

    def _tell(self, current: QModelIndex, *_: object) -> None:
        row = self._model.row_of(str(current.data(KEY_ROLE))) if current.isValid() else None
        self.details.setText("" if row is None else tip(row, obstacle(row, self._series)))
