"""How maps are fitted: which images, which model, at which times, with which sign, with or without motion correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFormLayout,
    QHeaderView,
    QLineEdit,
    QListView,
    QProgressBar,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.display.map_state import FitSettings
from app.display.words import duration_words
from app.forms import NumberBox
from app.panels.parts import NORMAL, TIGHT, button, drop_down, label, row, tool_button
from engine.core.records.registries import FitModelInfo
from engine.core.types import Float

FIT, CANCEL, CANCELLING = "Fit maps", "Cancel", "Cancelling…"
SIGNS: Final = (
    ("auto", "Find out from the data"),
    ("magnitude", "Magnitude: find the polarity"),
    ("signed", "Signed (phase-sensitive)"),
    ("complex", "Complex, phase unknown"),
)
MOTION: Final = (("none", "None"), ("rigid", "Rigid, in plane"), ("deformable", "Deformable, in plane"))
KEY_ROLE: Final = Qt.ItemDataRole.UserRole + 1
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class SourceRow:
    """Images that can be fitted: ``why`` says why they cannot, "" when they can; ``state`` is what became of them."""

    key: str
    title: str
    ticked: bool
    why: str = ""
    state: str = ""


class TimesModel(QAbstractTableModel):
    """One row for each frame, its time in ms, which can be edited."""

    edited = Signal(int, float)  # frame, ms

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._times: tuple[float, ...] = ()
        self._own: tuple[float, ...] = ()
        self._name = "Time"

    def set_times(self, times: Sequence[float], own: Sequence[float], name: str) -> None:
        """Show times; those that differ from the series' ``own`` are marked."""
        shown, given = tuple(float(t) for t in times), tuple(float(t) for t in own)
        if (shown, given, name) == (self._times, self._own, self._name):
            return
        self.beginResetModel()
        self._times, self._own, self._name = shown, given, name
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._times)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else 2

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role != Qt.ItemDataRole.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        return ("Frame", f"{self._name}, ms")[section]

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == 1 else flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        time = self._times[index.row()]
        changed = index.row() >= len(self._own) or time != self._own[index.row()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.EditRole and index.column() == 1:
            return f"{time:.7g}"
        if role == Qt.ItemDataRole.DisplayRole:
            return str(index.row() + 1) if index.column() == 0 else f"{time:.7g}{' *' if changed else ''}"
        if role == Qt.ItemDataRole.ToolTipRole and changed and index.row() < len(self._own):
            return f"* edited; the series says {self._own[index.row()]:.7g} ms"
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or index.column() != 1:
            return False
        try:
            time = float(str(value).replace(",", "."))
        except ValueError:
            return False
        self.edited.emit(index.row(), time)
        return True


def parse_times(text: str) -> tuple[float, ...] | None:
    """Return the times of a text such as "100, 180 260;340", None when it holds anything but numbers."""
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        found = tuple(float(word) for word in words)
    except ValueError:
        return None
    return found if found and bool(np.isfinite(found).all()) else None


class FitPanel(QWidget):
    """The form and the button.

    Signals
    -------
    ticked(key, bool)
        Images were ticked or unticked.
    changed(text, dict)
        Fields of :class:`~app.display.map_state.FitSettings` should change; ``text`` says what, for undo.
    time_edited(frame, ms), times_typed(tuple), times_reset()
        Times should change: one, all, or back to those of the series.
    run_requested(), cancel_requested()
        The one button, in its two meanings.
    live_toggled(bool)
        Whether a change fits again by itself.
    """

    ticked = Signal(str, bool)
    changed = Signal(str, dict)
    time_edited = Signal(int, float)
    times_typed = Signal(tuple)
    times_reset = Signal()
    run_requested = Signal()
    cancel_requested = Signal()
    live_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maps_fit")
        self._running = False
        self._able, self._why = False, ""
        self._models: tuple[FitModelInfo, ...] = ()
        self.sources, self.times = QStandardItemModel(self), TimesModel(self)
        self._make_lists()
        self._make_form()
        self._make_button()
        self._arrange()
        self.set_able(False, "Open a MOLLI or T2-prepared series first.")

    # --- building ------------------------------------------------------------------------------------------------------

    def _make_lists(self) -> None:
        self._list = QListView()
        self._list.setObjectName("maps.sources")
        self._list.setAccessibleName("Images to fit")
        self._list.setModel(self.sources)
        self._list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._list.setMinimumHeight(56)
        self._list.setMaximumHeight(132)
        self.sources.itemChanged.connect(self._on_item)
        self._table = QTableView()
        self._table.setObjectName("maps.times")
        self._table.setAccessibleName("Times of the frames")
        self._table.setModel(self.times)
        self._table.setShowGrid(False)
        self._table.setFont(theme.numbers(self.font()))
        self._table.verticalHeader().hide()
        self._table.verticalHeader().setDefaultSectionSize(22)
        self._table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self._table.horizontalHeader().setHighlightSections(False)
        self._table.setMinimumHeight(84)
        self._table.setTabKeyNavigation(False)
        self.times.edited.connect(self.time_edited)
        self._typed = QLineEdit()
        self._typed.setObjectName("maps.times.all")
        self._typed.setAccessibleName("All times in ms")
        self._typed.setPlaceholderText("all: 100, 180, 260 … ms")
        self._typed.setToolTip("Type or paste the times of all frames in milliseconds, as acquired (they need not be sorted)")
        self._typed.returnPressed.connect(self._on_typed)
        self._back = tool_button("Reset", "maps.times.reset", "Back to the times of the series")
        self._back.clicked.connect(self.times_reset)

    def _make_form(self) -> None:
        self._model = drop_down("maps.model", "Fit model")
        self._model.activated.connect(lambda _: self._tell("change the model", model=str(self._model.currentData())))
        self._signed = drop_down("maps.signed", "Sign of the samples")
        for name, words in SIGNS:
            self._signed.addItem(words, name)
        self._signed.activated.connect(lambda _: self._tell("change the sign", signed=str(self._signed.currentData())))
        self._motion = drop_down("maps.motion", "Motion correction")
        for name, words in MOTION:
            self._motion.addItem(words, name)
        self._motion.setToolTip("In-plane correction between the weightings before the fit; the maps tell when it was used")
        self._motion.activated.connect(lambda _: self._tell("change the motion correction", motion=str(self._motion.currentData())))
        self._efficiency = NumberBox(0.5, 1.0, 1.0)
        self._efficiency.setObjectName("maps.efficiency")
        self._efficiency.setAccessibleName("Inversion efficiency")
        self._efficiency.setToolTip(
            "T1 is divided by it. 1: no correction (the convention of most MOLLI maps);\n"
            "0.9653: measured for the adiabatic inversion pulse of MOLLI at 3 T"
        )
        self._efficiency.setSingleStep(0.005)
        self._efficiency.setKeyboardTracking(False)
        self._efficiency.valueChanged.connect(lambda value: self._tell("change the inversion efficiency", efficiency=value))
        self._background = NumberBox(0.0, 90.0, 5.0)
        self._background.setObjectName("maps.background")
        self._background.setAccessibleName("Background threshold in percent")
        self._background.setToolTip(
            "Pixels whose largest sample is below this share of the 99th percentile of the image are not fitted"
        )
        self._background.setSuffix(" %")
        self._background.setSingleStep(1.0)
        self._background.setKeyboardTracking(False)
        self._background.valueChanged.connect(lambda value: self._tell("change the background", background=value / 100))

    def _make_button(self) -> None:
        self.live = QCheckBox("Fit again when something changes")
        self.live.setObjectName("maps.live")
        self.live.setToolTip("A fit without motion correction takes a moment, so that it can follow every change")
        self.live.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.live.toggled.connect(self.live_toggled)
        self.button = button(FIT, "maps.fit", "Fit the ticked images (Ctrl+Return)")
        self.button.setProperty("primary", True)
        self.button.setMinimumHeight(32)
        self.button.clicked.connect(lambda: (self.cancel_requested if self._running else self.run_requested).emit())
        self.progress = QProgressBar()
        self.progress.setObjectName("maps.progress")
        self.progress.setAccessibleName("Progress of the fit")
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.stage = label("", "maps.stage", "dim")
        self.stage.setWordWrap(False)

    def _arrange(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(TIGHT)
        form.setHorizontalSpacing(NORMAL)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for words, control in (
            ("Model", self._model),
            ("Signs", self._signed),
            ("Motion", self._motion),
            ("Efficiency", self._efficiency),
            ("Background", self._background),
        ):
            form.addRow(words, control)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, NORMAL)
        layout.setSpacing(TIGHT)
        layout.addWidget(label("Images", "maps.sources.title", "heading"))
        layout.addWidget(self._list, 2)
        layout.addLayout(form)
        layout.addWidget(label("Times", "maps.times.title", "heading"))
        layout.addWidget(self._table, 3)
        typed = row(self._typed, self._back, spacing=TIGHT)
        layout.addWidget(typed)
        layout.addWidget(self.live)
        layout.addWidget(self.button)
        layout.addWidget(self.progress)
        layout.addWidget(self.stage)
        self.progress.hide()
        self.stage.hide()

    # --- what it shows -------------------------------------------------------------------------------------------------

    def set_sources(self, rows: Sequence[SourceRow]) -> None:
        """Show the images that can be fitted."""
        with QSignalBlocker(self.sources):
            self.sources.clear()
            for source in rows:
                item = QStandardItem(f"{source.title}   {source.state}".rstrip())
                item.setData(source.key, KEY_ROLE)
                item.setCheckable(True)
                item.setEditable(False)
                item.setCheckState(Qt.CheckState.Checked if source.ticked and not source.why else Qt.CheckState.Unchecked)
                item.setEnabled(not source.why)
                item.setToolTip(source.why or source.state)
                self.sources.appendRow(item)
        self.sources.layoutChanged.emit()

    def set_models(self, models: Sequence[FitModelInfo], chosen: str) -> None:
        """Show the models that suit the series."""
        self._models = tuple(models)
        with QSignalBlocker(self._model):
            self._model.clear()
            for model in models:
                self._model.addItem(model.title, model.name)
                tip = f"{model.quantity}: {', '.join(model.parameters)}; at least {model.minimum_samples} samples"
                tip += f"\n{model.source}" if model.source else ""
                self._model.setItemData(self._model.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
            self._model.setCurrentIndex(max(0, self._model.findData(chosen)))

    def set_settings(self, settings: FitSettings) -> None:
        """Show settings, without telling."""
        model = next((m for m in self._models if m.name == settings.model), None)
        for box, name in ((self._model, settings.model), (self._signed, settings.signed), (self._motion, settings.motion)):
            with QSignalBlocker(box):
                box.setCurrentIndex(max(0, box.findData(name)))
        for number, value in ((self._efficiency, settings.efficiency), (self._background, 100 * settings.background)):
            with QSignalBlocker(number):
                number.setValue(value)
        inversion = model is None or model.quantity == "T1"
        self._efficiency.setEnabled(inversion)
        allowed = ("auto", *model.signed) if model is not None else tuple(name for name, _ in SIGNS)
        signs = self._signed.model()
        assert isinstance(signs, QStandardItemModel)  # what a combo box makes for itself
        for index, (name, _) in enumerate(SIGNS):
            signs.item(index).setEnabled(name in allowed)

    def set_times(self, times: Float | None, own: Float | None, name: str) -> None:
        """Show the times of the slice on screen, and those the series brings."""
        self.times.set_times([] if times is None else times.tolist(), [] if own is None else own.tolist(), name)
        edited = times is not None and (own is None or not np.array_equal(times, own))
        self._back.setEnabled(edited)

    def set_able(self, able: bool, why: str = "") -> None:
        """Say whether there is anything to fit, and if not, why."""
        self._able, self._why = able, why
        self._refresh_button()

    def set_running(self, running: bool) -> None:
        """Turn the button into Cancel, or back."""
        if running == self._running:
            return
        self._running = running
        self.button.setText(CANCEL if running else FIT)
        self.button.setProperty("primary", not running)
        self.button.style().unpolish(self.button)
        self.button.style().polish(self.button)
        self.progress.setValue(0)
        self.stage.setText("")
        self.progress.setVisible(running)
        self.stage.setVisible(running)
        self._refresh_button()

    def set_cancelling(self) -> None:
        """Say that the wish to stop was heard."""
        if self._running:
            self.button.setText(CANCELLING)
            self.button.setEnabled(False)

    def set_progress(self, fraction: float, stage: str, eta_seconds: float | None) -> None:
        """Show how far, what, and how long still."""
        if self.button.text() == CANCELLING:
            return
        self.progress.setValue(round(1000 * fraction))
        left = "" if eta_seconds is None else f", {duration_words(eta_seconds)} left"
        text = f"{100 * fraction:.0f} %{left}: {stage}"
        self.stage.setText(self.stage.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, max(60, self.width() - 16)))
        self.stage.setToolTip(text)
        self.progress.setAccessibleDescription(text)

    # --- edits ---------------------------------------------------------------------------------------------------------

    def _refresh_button(self) -> None:
        self.button.setEnabled(self.button.text() != CANCELLING if self._running else self._able)
        self.button.setToolTip(self._why or "Fit the ticked images (Ctrl+Return)")

    def _tell(self, text: str, **fields: Any) -> None:
        self.changed.emit(text, fields)

    def _on_item(self, item: QStandardItem) -> None:
        self.ticked.emit(str(item.data(KEY_ROLE)), item.checkState() == Qt.CheckState.Checked)

    def _on_typed(self) -> None:
        found = parse_times(self._typed.text())
        self._typed.setProperty("invalid", found is None)
        self._typed.style().unpolish(self._typed)
        self._typed.style().polish(self._typed)
        if found is not None:
            self.times_typed.emit(found)
            self._typed.clear()
