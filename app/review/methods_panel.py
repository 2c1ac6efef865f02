"""Methods: which to run, with which weights, on which slices; one button that starts and cancels; how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHeaderView,
    QLineEdit,
    QProgressBar,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.display.words import duration_words
from app.panels.parts import NORMAL, TIGHT, button, drop_down, label, row, tool_button
from app.review.methods_model import (
    KEY_ROLE,
    MACS,
    NAME,
    PAPER,
    PARAMETERS,
    STATUS,
    WEIGHTS,
    MethodRow,
    MethodsFilter,
    MethodsModel,
    memory_words,
)

#: Columns from the one that is needed most to the one that can wait, and how wide they are at first.
WIDTHS: Final = {NAME: 150, STATUS: 104, PARAMETERS: 84, MACS: 70, WEIGHTS: 130, PAPER: 200}

RECONSTRUCT, CANCEL, CANCELLING = "Reconstruct", "Cancel", "Cancelling…"
# So many methods are seen at a glance: no filter is offered.
FEW = 8


class MethodTable(QTableView):
    """Methods as rows; where it is narrow and ``only_what_fits``, the last columns wait in the large table."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.only_what_fits = False
        self.setObjectName(name)
        self.setAccessibleName("Methods")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)

    def setModel(self, model: QAbstractItemModel | None) -> None:
        super().setModel(model)
        for column, width in WIDTHS.items():
            self.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            self.horizontalHeader().resizeSection(column, width)

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self.only_what_fits:
            used = 0
            for column, width in WIDTHS.items():
                used += width
                self.setColumnHidden(column, column > STATUS and used > self.viewport().width())
        super().resizeEvent(event)


class MethodsPanel(QWidget):
    """The table and the button.

    Signals
    -------
    run_requested(), cancel_requested()
        The one button, in its two meanings.
    weights_chosen(method, id), import_requested()
        Weights of the selected method.
    settings_requested(method)
        Settings of a method.
    table_requested()
        All methods with all columns, in a table of their own.
    method_selected(method)
        Another row was selected, or its weights or settings changed; "" for none.
    """

    run_requested = Signal()
    cancel_requested = Signal()
    weights_chosen = Signal(str, str)
    import_requested = Signal()
    settings_requested = Signal(str)
    method_selected = Signal(str)
    table_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("methods")
        self.model = MethodsModel(self)
        self.proxy = MethodsFilter(self)
        self.proxy.setSourceModel(self.model)
        self._running = False
        self._make_table()
        self._make_controls()
        self._arrange()
        self.model.ticked_changed.connect(self._refresh_button)
        self._able = False
        self._why = ""
        self._refresh_button()

    def _make_table(self) -> None:
        self.table = MethodTable("methods.table")
        self.table.setModel(self.proxy)
        self.table.setMinimumHeight(74)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.only_what_fits = True
        self.table.selectionModel().currentRowChanged.connect(self._on_row)
        self.table.doubleClicked.connect(self._on_double_click)

    def _make_controls(self) -> None:
        self._filter = QLineEdit()
        self._filter.setObjectName("methods.filter")
        self._filter.setAccessibleName("Filter methods")
        self._filter.setPlaceholderText("Filter methods")
        self._filter.setClearButtonEnabled(True)
        self._filter.textChanged.connect(self.proxy.set_words)
        self._all = tool_button("", "methods.all", "All methods with parameters, multiply-accumulates, weights and papers")
        theme.set_icon(self._all, "mdi6.table-large")
        self._all.clicked.connect(self.table_requested)
        self._weights = drop_down("methods.weights", "Weights of the selected method")
        self._weights.activated.connect(self._on_weights)
        self._import = tool_button("Import…", "methods.import", "Import published weights")
        self._import.clicked.connect(self.import_requested)
        self.all_slices = QCheckBox("All slices")
        self.all_slices.setObjectName("methods.all_slices")
        self.all_slices.setToolTip("The slice on screen comes first. Otherwise only that one is reconstructed")
        self.all_slices.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.keep_earlier = QCheckBox("Keep earlier")
        self.keep_earlier.setObjectName("methods.keep_earlier")
        self.keep_earlier.setToolTip(
            "Results of other masks stay beside the new ones; otherwise a method's new result takes its old place"
        )
        self.keep_earlier.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._settings = tool_button("", "methods.settings", "Settings of the selected method")
        theme.set_icon(self._settings, "mdi6.tune-variant")
        self._settings.clicked.connect(lambda: self.settings_requested.emit(self.selected()))
        self._memory = label("", "methods.memory", "dim")
        self._memory.setWordWrap(False)
        self._memory.setToolTip("Memory that a slice of this series will take with the selected method, foretold within a third")
        self.button = button(RECONSTRUCT, "review.reconstruct", "Run the ticked methods (Ctrl+Return)")
        self.button.setProperty("primary", True)
        self.button.setMinimumHeight(32)
        self.button.clicked.connect(self._on_button)
        self.progress = QProgressBar()
        self.progress.setObjectName("methods.progress")
        self.progress.setAccessibleName("Progress of the reconstruction")
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.stage = label("", "methods.stage", "dim")
        self.stage.setWordWrap(False)

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, NORMAL)
        layout.setSpacing(TIGHT)
        # The gap is for when there is no filter.
        layout.addWidget(row(self._filter, None, self._settings, self._all, spacing=TIGHT, grow={0: 1000}))
        layout.addWidget(self.table, 1)
        self._weights_row = row(self._weights, self._import, spacing=TIGHT, grow={0: 1})
        layout.addWidget(self._weights_row)
        layout.addWidget(row(self.all_slices, self.keep_earlier, None, self._memory, spacing=NORMAL))
        layout.addWidget(self.button)
        layout.addWidget(self.progress)
        layout.addWidget(self.stage)
        self._filter.hide()
        self.show_method(None)
        self.progress.hide()
        self.stage.hide()

    # --- what it shows -------------------------------------------------------------------------------------------------

    def set_methods(self, rows: Sequence[MethodRow]) -> None:
        """Fill the table; the selection stays."""
        selected = self.selected()
        self.model.set_rows(rows)
        self._filter.setVisible(len(rows) > FEW)
        if selected:
            self.select(selected)
        self.show_method(self.model.row_of(self.selected()))

    def select(self, name: str) -> None:
        """Select the row of a method."""
        for number in range(self.proxy.rowCount()):
            if self.proxy.index(number, NAME).data(KEY_ROLE) == name:
                self.table.selectRow(number)
                return

    def selected(self) -> str:
        """Return the name of the selected method, "" for none."""
        index = self.table.currentIndex()
        return str(index.data(KEY_ROLE)) if index.isValid() else ""

    def set_able(self, able: bool, why: str = "") -> None:
        """Say whether there is anything to reconstruct, and if not, why."""
        self._able, self._why = able, why
        self._refresh_button()

    def set_running(self, running: bool) -> None:
        """Turn the button into Cancel, or back."""
        self._running = running
        self.button.setText(CANCEL if running else RECONSTRUCT)
        self.button.setProperty("primary", not running)
        self.button.style().unpolish(self.button)
        self.button.style().polish(self.button)
        self.progress.setValue(0)
        self.progress.setVisible(running)
        self.stage.setVisible(running)
        self.stage.setText("")
        self._refresh_button()

    def set_cancelling(self) -> None:
        """Say that the wish to stop was heard."""
        if self._running:
            self.button.setText(CANCELLING)
            self.button.setEnabled(False)
            self.stage.setText("")

    def set_progress(self, fraction: float, stage: str, eta_seconds: float | None) -> None:
        """Show how far, what, and how long still."""
        if self.button.text() == CANCELLING:
            return
        self.progress.setValue(round(1000 * fraction))
        left = "" if eta_seconds is None else f", {duration_words(eta_seconds)} left"
        text = f"{100 * fraction:.0f} %{left}: {stage}"
        self.stage.setText(
            self.stage.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, max(60, self.width() - 2 * NORMAL))
        )
        self.stage.setToolTip(text)
        self.progress.setAccessibleDescription(text)

    # --- edits ---------------------------------------------------------------------------------------------------------

    def _refresh_button(self) -> None:
        if self._running:
            self.button.setEnabled(self.button.text() != CANCELLING)
            return
        ticked = bool(self.model.ticked())
        self.button.setEnabled(self._able and ticked)
        why = self._why or ("" if ticked else "Tick at least one method that can run.")
        self.button.setToolTip(why or "Run the ticked methods (Ctrl+Return)")

    def _on_button(self) -> None:
        (self.cancel_requested if self._running else self.run_requested).emit()

    def _on_row(self, current: QModelIndex, *_: object) -> None:
        method = self.model.row_of(str(current.data(KEY_ROLE))) if current.isValid() else None
        self.show_method(method)
        self.method_selected.emit("" if method is None else method.name)

    def _on_double_click(self, index: QModelIndex) -> None:
        method = self.model.row_of(str(index.data(KEY_ROLE)))
        if method is not None and method.options:
            self.settings_requested.emit(method.name)
        elif method is not None and method.trainable and not method.weights:
            self.model.weights_missing.emit(method.name)

    def show_method(self, method: MethodRow | None) -> None:
        """Offer the settings and the weights of the selected method."""
        able = method is not None and bool(method.options)
        self._settings.setEnabled(able)
        name = "the selected method" if method is None else method.title
        words = f"Settings of {name}" if able or method is None else f"{name} has no settings"
        self._settings.setToolTip(words)
        self._settings.setAccessibleName(words)
        # On a small screen the table needs the place: it names a single set of weights, and a tick asks for some where none are.
        self._weights_row.setVisible(method is not None and len(method.weights) > 1)
        if method is None:
            return
        with QSignalBlocker(self._weights):
            self._weights.clear()
            for name in method.weights:
                self._weights.addItem(name, name)
            if method.chosen is not None:
                self._weights.setCurrentIndex(self._weights.findData(method.chosen))

    def _on_weights(self) -> None:
        name, weights = self.selected(), str(self._weights.currentData())
        if name and weights:
            self.weights_chosen.emit(name, weights)
            self.method_selected.emit(name)

    def show_memory(self, mib: float | None) -> None:
        """Say how much memory the selected method will take on the series on screen, "" while it is not known."""
        self._memory.setText("" if mib is None else f"≈ {memory_words(mib)}")
