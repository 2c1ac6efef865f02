"""The training form: presets above, foldable sections of settings made from the engine's schema, problems and the button below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QFormLayout, QToolButton, QVBoxLayout, QWidget

from app import theme
from app.panels.parts import NORMAL, TIGHT, button, drop_down, label, row, scrolled, tool_button
from app.train.fields import (
    ChoiceField,
    Field,
    FlagField,
    LineField,
    NumberField,
    RangeField,
    TicksField,
    WeightsField,
)
from app.train.sources_panel import SourcesField
from app.train.values import SECTIONS, named_by, section_of, words_of
from engine.core.records.plain import Plain
from engine.core.records.training import Problem, TrainPreset, TrainSetting

START: Final = "Start training"
SHOWN_PROBLEMS: Final = 4
FREE: Final = ("model.start", "run.device")


class Fold(QWidget):
    """A headline that folds what is below it."""

    def __init__(self, key: str, title: str, is_open: bool) -> None:
        super().__init__()
        self.setObjectName(f"train.section.{key}")
        self.head = QToolButton()
        self.head.setObjectName(f"train.section.{key}.head")
        self.head.setText(title)
        self.head.setAutoRaise(True)
        self.head.setCheckable(True)
        self.head.setProperty("heading", True)
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.head.toggled.connect(self._on_toggled)
        self.body = QWidget()
        self.form = QFormLayout(self.body)
        self.form.setContentsMargins(NORMAL, 0, 0, TIGHT)
        self.form.setVerticalSpacing(TIGHT)
        self.form.setHorizontalSpacing(NORMAL)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._title = title
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.head)
        layout.addWidget(self.body)
        self.head.setChecked(is_open)
        self._on_toggled(is_open)

    def _on_toggled(self, is_open: bool) -> None:
        self.head.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.head.setAccessibleDescription("open" if is_open else "folded")
        self.body.setVisible(is_open)

    def set_problem(self, on: bool) -> None:
        """Mark the headline: something below contradicts."""
        self.head.setText(f"{self._title}  ⚠" if on else self._title)


class TrainFormPanel(QWidget):
    """The form and the button.

    Signals
    -------
    changed()
        Something was edited.
    preset_chosen(name), open_requested(), save_requested()
        Other values are wanted; the configuration is to be read or written.
    start_requested()
        The button.
    """

    changed = Signal()
    preset_chosen = Signal(str)
    open_requested = Signal()
    save_requested = Signal()
    start_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train_form")
        self.fields: dict[str, Field] = {}
        self.folds: dict[str, Fold] = {}
        self.problems: tuple[Problem, ...] = ()
        self._able, self._why = False, "The settings are being loaded."
        self._make_head()
        self._make_foot()
        self._inner = QWidget()
        self._column = QVBoxLayout(self._inner)
        self._column.setContentsMargins(NORMAL, 0, NORMAL, 0)
        self._column.setSpacing(TIGHT)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, TIGHT, 0, NORMAL)
        layout.setSpacing(TIGHT)
        layout.addWidget(self._head)
        layout.addWidget(scrolled(self._inner, "train.form.scroll"), 1)
        layout.addWidget(self._foot)
        self.set_able(False, self._why)

    def _make_head(self) -> None:
        self.presets = drop_down("train.preset", "Preset of the training")
        self.presets.setToolTip("A paper's recipe, or one of ours; it fills the form")
        self.presets.setMinimumContentsLength(10)
        self.presets.activated.connect(lambda _: self.preset_chosen.emit(str(self.presets.currentData() or "")))
        read = tool_button("Open…", "train.config.open", "Fill the form from a configuration in TOML")
        read.clicked.connect(self.open_requested)
        write = tool_button("Save…", "train.config.save", "Write the configuration as TOML: `myoscope train` takes it (Ctrl+S)")
        write.clicked.connect(self.save_requested)
        self._head = row(self.presets, read, write, spacing=TIGHT, grow={0: 1})
        self._head.setContentsMargins(NORMAL, 0, NORMAL, 0)

    def _make_foot(self) -> None:
        self.complaints = label("", "train.problems", "error")
        self.estimate = label("", "train.estimate", "dim")
        self.estimate.setFont(theme.numbers(self.font()))
        self.estimate.setToolTip("Memory and time of this run on this machine")
        self.button = button(START, "train.start", "Train with these settings (Ctrl+Return)")
        self.button.setProperty("primary", True)
        self.button.setMinimumHeight(32)
        self.button.clicked.connect(self.start_requested)
        self._foot = QWidget()
        column = QVBoxLayout(self._foot)
        column.setContentsMargins(NORMAL, 0, NORMAL, 0)
        column.setSpacing(TIGHT)
        for part in (self.complaints, self.estimate, self.button):
            column.addWidget(part)
        self.complaints.hide()

    # --- what it shows -------------------------------------------------------------------------------------------------

    def set_settings(self, settings: Sequence[TrainSetting], titles: Mapping[str, str], samples: Sequence[tuple[str, str]]) -> None:
        """Make the controls. ``titles`` are the losses' titles, ``samples`` title and name of each sample."""
        for section in SECTIONS:
            fold = self.folds[section.key] = Fold(section.key, section.title, section.open)
            self._column.addWidget(fold)
        self._column.addStretch(1)
        for setting in settings:
            field = self._make_field(setting, titles, samples)
            field.changed.connect(self.changed)
            self.fields[setting.name] = field
            form = self.folds[section_of(setting.name)].form
            if field.wide:
                head = label(words_of(setting), f"train.{setting.name}.title", "dim")
                head.setBuddy(field.widget)
                form.addRow(head)
                form.addRow(field.widget)
            else:
                form.addRow(words_of(setting), field.widget)

    def _make_field(self, setting: TrainSetting, titles: Mapping[str, str], samples: Sequence[tuple[str, str]]) -> Field:
        if setting.kind == "sources":
            return SourcesField(setting, samples, self)
        if setting.kind == "weights":
            return WeightsField(setting, dict(titles), self)
        if setting.kind in ("integer_range", "number_range"):
            return RangeField(setting, self)
        if setting.kind in ("integer", "number"):
            return NumberField(setting, self)
        if setting.kind == "flag":
            return FlagField(setting, self)
        if setting.kind == "texts" and setting.choices:
            return TicksField(setting, self)
        if setting.kind == "text" and (setting.choices or setting.name in (*FREE, "model.preset")):
            return ChoiceField(setting, setting.name in FREE, self)
        return LineField(setting, self)

    def set_presets(self, presets: Sequence[TrainPreset]) -> None:
        """Offer recipes."""
        with QSignalBlocker(self.presets):
            self.presets.clear()
            self.presets.addItem("Preset…", "")
            for preset in presets:
                self.presets.addItem(preset.title, preset.name)
                self.presets.setItemData(self.presets.count() - 1, preset.notes, Qt.ItemDataRole.ToolTipRole)

    def values(self) -> dict[str, Plain]:
        """Return all values by dotted name; those that cannot be read are left out."""
        found = {name: field.value() for name, field in self.fields.items()}
        return {name: value for name, value in found.items() if value is not None}

    def set_values(self, values: Mapping[str, Plain]) -> None:
        """Show values, without telling."""
        for name, value in values.items():
            if name in self.fields:
                self.fields[name].set_value(value)

    def complaints_of_typing(self) -> list[Problem]:
        """Return what is typed and cannot be read."""
        found = [(field.complaint(), name) for name, field in self.fields.items()]
        return [Problem((name,), text) for text, name in found if text]

    def set_problems(self, problems: Sequence[Problem]) -> None:
        """Show contradictions, and mark the settings that they name."""
        self.problems = tuple(problems)
        named: dict[str, str] = {}
        for problem in problems:
            named |= dict.fromkeys(named_by(problem.fields, self.fields), problem.text)
        for name, field in self.fields.items():
            field.set_invalid(name in named, named.get(name, ""))
        for key, fold in self.folds.items():
            fold.set_problem(any(section_of(name) == key for name in named))
        more = len(problems) - SHOWN_PROBLEMS
        words = [problem.text for problem in problems[:SHOWN_PROBLEMS]]
        text = "\n".join([*words, *([f"and {more} more"] if more > 0 else [])])
        self.complaints.setText(text)
        self.complaints.setVisible(bool(text))
        self._refresh()

    def set_estimate(self, text: str) -> None:
        """Say what the run will take."""
        self.estimate.setText(text)

    def set_able(self, able: bool, why: str = "") -> None:
        """Say whether a run can be started, and if not, why."""
        self._able, self._why = able, why
        self._refresh()

    def _refresh(self) -> None:
        self.button.setEnabled(self._able and not self.problems)
        why = self._why or (self.problems[0].text if self.problems else "")
        self.button.setToolTip(why or "Train with these settings (Ctrl+Return)")
