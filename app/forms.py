"""Forms made from what the engine says about its options: one control for each, with name, range and help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor, isfinite, log10

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QFormLayout, QLineEdit, QSpinBox, QWidget

from app.panels.parts import label
from engine.core.records.options import Option
from engine.core.records.plain import Plain

_WIDEST = 2**31 - 1
_DECIMALS = 12


def number_of_steps(low: float, high: float) -> float:
    """Return a step that crosses the range in about a hundred clicks, rounded to 1, 2 or 5."""
    wanted = (high - low) / 100
    for exponent in range(-6, 7):
        for digit in (1, 2, 5):
            if digit * 10.0**exponent >= wanted:
                return digit * 10.0**exponent
    return 1.0


class NumberBox(QDoubleSpinBox):
    """A real number written as people write it: 0.01, 1e-07; a step changes its second digit when it has no range."""

    def __init__(self, low: float | None, high: float | None, value: float) -> None:
        super().__init__()
        self._bounded = low is not None and high is not None
        self.setDecimals(_DECIMALS)
        self.setRange(_or(low, -1e9), _or(high, 1e9))
        if self._bounded:
            self.setSingleStep(number_of_steps(self.minimum(), self.maximum()))
        self.setValue(value)

    def stepBy(self, steps: int) -> None:
        size = abs(self.value())
        if not self._bounded and size > 0:
            self.setSingleStep(10.0 ** max(1 - _DECIMALS, floor(log10(size)) - 1))
        super().stepBy(steps)

    def textFromValue(self, value: float) -> str:
        return f"{value:.6g}"

    def valueFromText(self, text: str) -> float:
        return float(text.replace(",", "."))

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            typed = set(text.lower()) <= set("0123456789.,e+-")
            return QValidator.State.Intermediate if typed else QValidator.State.Invalid, text, position
        inside = isfinite(value) and self.minimum() <= value <= self.maximum()
        return QValidator.State.Acceptable if inside else QValidator.State.Intermediate, text, position


class OptionsForm(QWidget):
    """Controls for a list of options; ``changed`` when any of them was edited.

    Numbers become spin boxes with the option's range, truth values check boxes, all else a text. With ``explain`` the help stands
    under each control, otherwise it is the tooltip only.
    """

    changed = Signal()

    def __init__(self, prefix: str, parent: QWidget | None = None, explain: bool = False) -> None:
        super().__init__(parent)
        self._prefix = prefix
        self._explain = explain
        self._controls: dict[str, QWidget] = {}
        self._defaults: dict[str, Plain] = {}
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self._layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)

    def set_options(self, options: Iterable[Option]) -> None:
        """Show other options, each at its default."""
        while self._layout.rowCount():
            self._layout.removeRow(0)
        self._controls, self._defaults = {}, {}
        for option in options:
            control = self._control(option)
            control.setObjectName(f"{self._prefix}.{option.name}")
            control.setToolTip(option.help)
            words = option.name.replace("_", " ")
            control.setAccessibleName(words)
            control.setAccessibleDescription(option.help)
            self._layout.addRow(words.capitalize(), control)
            if self._explain and option.help:
                self._layout.addRow(
                    "", label(option.help[:1].upper() + option.help[1:], f"{self._prefix}.{option.name}.help", "dim")
                )
            self._controls[option.name] = control
            self._defaults[option.name] = _value(control)

    def count(self) -> int:
        """Return the number of options."""
        return len(self._controls)

    def values(self) -> dict[str, Plain]:
        """Return what differs from the defaults, by option name (a default such as 1/6 is not what a spin box can hold)."""
        now = {name: _value(control) for name, control in self._controls.items()}
        return {name: value for name, value in now.items() if value != self._defaults[name]}

    def reset(self) -> None:
        """Set every control to its default without telling."""
        self.set_values(self._defaults)

    def set_values(self, values: Mapping[str, Plain]) -> None:
        """Set controls without telling."""
        for name, value in values.items():
            control = self._controls.get(name)
            if control is None:
                continue
            with QSignalBlocker(control):
                if isinstance(control, QCheckBox):
                    control.setChecked(bool(value))
                elif isinstance(control, QSpinBox) and isinstance(value, int | float):
                    control.setValue(int(value))
                elif isinstance(control, QDoubleSpinBox) and isinstance(value, int | float):
                    control.setValue(float(value))
                elif isinstance(control, QLineEdit):
                    control.setText("" if value is None else str(value))

    def _control(self, option: Option) -> QWidget:
        default = option.default
        if isinstance(default, bool):
            box = QCheckBox()
            box.setChecked(default)
            box.toggled.connect(self._tell)
            return box
        if isinstance(default, int):
            spin = QSpinBox()
            spin.setRange(int(_or(option.minimum, -_WIDEST)), int(_or(option.maximum, _WIDEST)))
            spin.setValue(default)
            spin.setKeyboardTracking(False)
            spin.valueChanged.connect(self._tell)
            return spin
        if isinstance(default, float):
            real = NumberBox(option.minimum, option.maximum, default)
            real.setKeyboardTracking(False)
            real.valueChanged.connect(self._tell)
            return real
        line = QLineEdit("" if default is None else str(default))
        line.editingFinished.connect(self._tell)
        return line

    def _tell(self, *_: object) -> None:
        self.changed.emit()


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _value(control: QWidget) -> Plain:
    if isinstance(control, QCheckBox):
        return control.isChecked()
    if isinstance(control, QSpinBox | QDoubleSpinBox):
        return control.value()
    assert isinstance(control, QLineEdit)
    return control.text() or None
