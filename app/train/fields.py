"""Controls of the training form: one for each kind of setting. Each tells while it is typed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QObject, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListView,
    QSpinBox,
    QTableView,
    QWidget,
)

from app.forms import NumberBox
from app.panels.parts import TIGHT, drop_down
from app.train.values import read, words_of, written
from engine.core.records.plain import Plain
from engine.core.records.training import TrainSetting
from engine.core.records.values import listed, number, tabled

_WIDEST: Final = 2**31 - 1
ROW: Final = 21
KEY_ROLE: Final = Qt.ItemDataRole.UserRole + 1


class Field(QObject):
    """One setting on screen.

    ``widget`` is its control, ``wide`` whether it wants a line of its own. ``value()`` is None when what is typed cannot be read;
    ``complaint()`` says why then.
    """

    changed = Signal()
    wide = False

    def __init__(self, setting: TrainSetting, widget: QWidget, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setting, self.widget = setting, widget
        widget.setObjectName(f"train.{setting.name}")
        widget.setToolTip(f"{setting.help}\n{setting.name}")
        widget.setAccessibleName(words_of(setting))
        widget.setAccessibleDescription(setting.help)

    def value(self) -> Plain:
        """Return what is set."""
        raise NotImplementedError

    def set_value(self, value: Plain) -> None:
        """Show a value, without telling."""
        raise NotImplementedError

    def complaint(self) -> str:
        """Return why what is typed cannot be read, "" when it can."""
        return ""

    def set_invalid(self, invalid: bool, why: str = "") -> None:
        """Mark the control as one of a contradiction."""
        for widget in [self.widget, *self.widget.findChildren(QWidget)]:
            if widget.property("invalid") != invalid and isinstance(widget, (QLineEdit, QComboBox, QSpinBox, NumberBox)):
                widget.setProperty("invalid", invalid)
                widget.style().unpolish(widget)
                widget.style().polish(widget)
        tip = f"{self.setting.help}\n{self.setting.name}"
        self.widget.setToolTip(f"{why}\n\n{tip}" if invalid else tip)

    def _tell(self, *_: object) -> None:
        self.changed.emit()


class LineField(Field):
    """Texts, and lists written in a line."""

    EXAMPLES: Final = {"texts": "separated by commas", "integers": "0-7, 12", "options": "cascades = 5", "text": ""}

    def __init__(self, setting: TrainSetting, parent: QObject | None = None) -> None:
        self.line = QLineEdit()
        self.line.setPlaceholderText(self.EXAMPLES[setting.kind])
        super().__init__(setting, self.line, parent)
        self.line.textEdited.connect(self._tell)

    def value(self) -> Plain:
        return read(self.setting.kind, self.line.text().strip())

    def set_value(self, value: Plain) -> None:
        self.line.setText(written(self.setting.kind, value))

    def complaint(self) -> str:
        if self.value() is not None:
            return ""
        return f"{self.setting.name} cannot be read (expected something like {self.EXAMPLES[self.setting.kind]})"


class NumberField(Field):
    """A whole or a real number in its range."""

    def __init__(self, setting: TrainSetting, parent: QObject | None = None) -> None:
        self.box = number_box(setting)
        super().__init__(setting, self.box, parent)
        self.box.valueChanged.connect(self._tell)

    def value(self) -> Plain:
        return self.box.value()

    def set_value(self, value: Plain) -> None:
        set_number(self.box, value)


def number_box(setting: TrainSetting) -> QSpinBox | NumberBox:
    """Return the control of one number of a setting."""
    if setting.kind in ("integer", "integer_range"):
        spin = QSpinBox()
        low, high = (default if limit is None else int(limit) for limit, default in ((setting.low, 0), (setting.high, _WIDEST)))
        spin.setRange(max(low, -_WIDEST), min(high, _WIDEST))
        spin.setMinimumWidth(56)
        return spin
    real = NumberBox(setting.low, setting.high, 0.0)
    if setting.high is None or setting.high > 100 or setting.high <= 1:
        # In steps of its own size: a hundredth of the range would be far too much.
        real._bounded = False
    real.setMinimumWidth(56)
    return real


def set_number(box: QSpinBox | NumberBox, value: Plain) -> None:
    """Show a number without telling; raise ``TypeError`` for what is none."""
    with QSignalBlocker(box):
        if isinstance(box, QSpinBox):
            box.setValue(int(number(value)))
        else:
            box.setValue(number(value))


class FlagField(Field):
    """Yes or no."""

    def __init__(self, setting: TrainSetting, parent: QObject | None = None) -> None:
        self.box = QCheckBox()
        self.box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        super().__init__(setting, self.box, parent)
        self.box.toggled.connect(self._tell)

    def value(self) -> Plain:
        return self.box.isChecked()

    def set_value(self, value: Plain) -> None:
        with QSignalBlocker(self.box):
            self.box.setChecked(bool(value))


class ChoiceField(Field):
    """One of several; with ``free`` any other text too (a file)."""

    def __init__(self, setting: TrainSetting, free: bool = False, parent: QObject | None = None) -> None:
        self.box = drop_down(f"train.{setting.name}", words_of(setting))
        self.box.setEditable(free)
        self.box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.box.setMinimumContentsLength(8)
        super().__init__(setting, self.box, parent)
        self.set_choices([(choice, choice or "its own") for choice in setting.choices])
        self.box.activated.connect(self._tell)
        if free:
            self.box.editTextChanged.connect(self._tell)

    def set_choices(self, choices: Sequence[tuple[str, str]]) -> None:
        """Offer values, each with its words; what is chosen stays when it is still there."""
        if [(self.box.itemData(n), self.box.itemText(n)) for n in range(self.box.count())] == list(choices):
            return
        chosen = self.value()
        with QSignalBlocker(self.box):
            self.box.clear()
            for value, words in choices:
                self.box.addItem(words, value)
        self.set_value(chosen)

    def value(self) -> Plain:
        index = self.box.findText(self.box.currentText())
        return self.box.currentText().strip() if index < 0 else str(self.box.itemData(index))

    def set_value(self, value: Plain) -> None:
        with QSignalBlocker(self.box):
            index = self.box.findData(value)
            if index >= 0:
                self.box.setCurrentIndex(index)
            elif self.box.isEditable():
                self.box.setCurrentText(str(value))
            elif value:
                self.box.addItem(str(value), value)
                self.box.setCurrentIndex(self.box.count() - 1)


class RangeField(Field):
    """Low and high."""

    def __init__(self, setting: TrainSetting, parent: QObject | None = None) -> None:
        self.boxes = (number_box(setting), number_box(setting))
        between = QWidget()
        layout = QHBoxLayout(between)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(TIGHT)
        layout.addWidget(self.boxes[0], 1)
        layout.addWidget(QLabel("to"))
        layout.addWidget(self.boxes[1], 1)
        super().__init__(setting, between, parent)
        for box, end in zip(self.boxes, ("low", "high"), strict=True):
            box.setObjectName(f"train.{setting.name}.{end}")
            box.setAccessibleName(f"{words_of(setting)}, {end}")
            box.valueChanged.connect(self._tell)

    def value(self) -> Plain:
        return [box.value() for box in self.boxes]

    def set_value(self, value: Plain) -> None:
        for box, end in zip(self.boxes, listed(value), strict=True):
            set_number(box, end)


class TicksField(Field):
    """Several of a list."""

    wide = True

    def __init__(self, setting: TrainSetting, parent: QObject | None = None) -> None:
        self.model = QStandardItemModel()
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.list.setFixedHeight(5 * ROW)
        super().__init__(setting, self.list, parent)
        for choice in setting.choices:
            item = QStandardItem(choice.replace("_", " "))
            item.setData(choice, KEY_ROLE)
            item.setCheckable(True)
            item.setEditable(False)
            item.setSizeHint(QSize(0, ROW))
            self.model.appendRow(item)
        self.model.itemChanged.connect(self._tell)

    def value(self) -> Plain:
        items = [self.model.item(n) for n in range(self.model.rowCount())]
        return [str(item.data(KEY_ROLE)) for item in items if item.checkState() == Qt.CheckState.Checked]

    def set_value(self, value: Plain) -> None:
        chosen = listed(value)
        with QSignalBlocker(self.model):
            for n in range(self.model.rowCount()):
                on = self.model.item(n).data(KEY_ROLE) in chosen
                self.model.item(n).setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
        self.list.viewport().update()


class WeightsField(Field):
    """Terms with a weight each; the ticked ones count."""

    wide = True

    def __init__(self, setting: TrainSetting, titles: dict[str, str] | None = None, parent: QObject | None = None) -> None:
        self.model = QStandardItemModel(0, 2)
        self.model.setHorizontalHeaderLabels(["Term", "Weight"])
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setShowGrid(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(22)
        self.table.setTabKeyNavigation(False)
        self.table.setFixedHeight(118)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(1, 64)
        super().__init__(setting, self.table, parent)
        for choice in setting.choices:
            term, weight = QStandardItem(choice), QStandardItem("1")
            term.setCheckable(True)
            term.setEditable(False)
            term.setToolTip((titles or {}).get(choice, choice))
            weight.setToolTip(f"Weight of {choice} in the sum; a double click changes it")
            self.model.appendRow([term, weight])
        self.model.itemChanged.connect(self._tell)

    def value(self) -> Plain:
        found: dict[str, float] = {}
        for n in range(self.model.rowCount()):
            if self.model.item(n, 0).checkState() == Qt.CheckState.Checked:
                weight = _number(self.model.item(n, 1).text())
                if weight is None:
                    return None
                found[self.model.item(n, 0).text()] = weight
        return found

    def complaint(self) -> str:
        return "" if self.value() is not None else f"{self.setting.name} has a weight that is no number (expected for example 0.5)"

    def set_value(self, value: Plain) -> None:
        weights = tabled(value)
        with QSignalBlocker(self.model):
            for n in range(self.model.rowCount()):
                name = self.model.item(n, 0).text()
                on = name in weights
                self.model.item(n, 0).setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
                self.model.item(n, 1).setText(f"{number(weights[name]):.6g}" if on else "1")
            # Those that count first, where they are seen.
            first = next((n for n in range(self.model.rowCount()) if self.model.item(n, 0).text() in weights), 0)
        self.table.viewport().update()
        self.table.scrollTo(self.model.index(first, 0), QAbstractItemView.ScrollHint.PositionAtTop)


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
