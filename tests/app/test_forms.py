"""Forms made from option records."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QLabel, QLineEdit, QSpinBox

from app.forms import NumberBox, OptionsForm, number_of_steps
from engine import api


def option(name, default, low=None, high=None):
    return SimpleNamespace(name=name, default=default, help=f"help of {name}", minimum=low, maximum=high)


@pytest.fixture
def form(qtbot):
    made = OptionsForm("x")
    qtbot.addWidget(made)
    return made


def test_each_type_has_its_control(form):
    form.set_options([option("a", 3, 0, 9), option("b", 0.5, 0, 1), option("c", True), option("d", "word")])
    assert isinstance(form.findChild(QSpinBox, "x.a"), QSpinBox)
    assert isinstance(form.findChild(QDoubleSpinBox, "x.b"), QDoubleSpinBox)
    assert isinstance(form.findChild(QCheckBox, "x.c"), QCheckBox)
    assert isinstance(form.findChild(QLineEdit, "x.d"), QLineEdit)
    assert form.findChild(QSpinBox, "x.a").toolTip() == "help of a"
    assert form.findChild(QSpinBox, "x.a").maximum() == 9


def test_values_are_what_differs_from_the_defaults(form, qtbot):
    form.set_options([option("sigma", 1 / 6, 0.02, 2.0), option("lines", 3, 0, 9)])
    assert form.values() == {}
    with qtbot.waitSignal(form.changed):
        form.findChild(QSpinBox, "x.lines").setValue(5)
    assert form.values() == {"lines": 5}
    form.set_values({"lines": 3, "sigma": 0.5, "unknown": 1})
    assert form.values() == {"sigma": 0.5}


def test_setting_does_not_tell(form, qtbot):
    form.set_options([option("c", True)])
    with qtbot.assertNotEmitted(form.changed):
        form.set_values({"c": False})
    assert form.values() == {"c": False}


def test_other_options_replace_the_controls(form):
    form.set_options([option("a", 3)])
    form.set_options([option("b", 3)])
    assert form.count() == 1
    assert form.values() == {}


@pytest.mark.parametrize("spec", api.mask_patterns(), ids=lambda spec: spec.name)
def test_every_mask_pattern_makes_a_form(form, spec):
    form.set_options(spec.options)
    assert form.count() == len(spec.options)
    assert form.values() == {}


@pytest.mark.parametrize(("low", "high", "step"), [(0, 1, 0.01), (0, 20, 0.2), (0, 100, 1), (1, 64, 1)])
def test_steps(low, high, step):
    assert number_of_steps(low, high) == pytest.approx(step)


@pytest.mark.parametrize(
    ("typed", "state", "value"),
    [
        ("1e-7", "Acceptable", 1e-7),
        ("-0,25", "Acceptable", -0.25),
        ("1e-", "Intermediate", None),
        ("ten", "Invalid", None),
        ("1e12", "Intermediate", None),
    ],
)
def test_numbers_are_typed_as_people_write_them(qtbot, typed, state, value):
    box = NumberBox(None, None, 0.01)
    qtbot.addWidget(box)
    assert box.validate(typed, 0)[0] is QValidator.State[state]
    if value is not None:
        box.lineEdit().setText(typed)
        assert box.value() == value
        assert float(box.textFromValue(value)) == value


def test_a_step_follows_the_size_of_a_number_without_a_range(qtbot):
    box = NumberBox(None, None, 0.01)
    qtbot.addWidget(box)
    box.stepBy(1)
    assert box.value() == pytest.approx(0.011)
    box.setValue(2000.0)
    box.stepBy(-1)
    assert box.value() == pytest.approx(1900.0)


def test_help_stands_under_the_controls_and_reset_goes_back(qtbot):
    form = OptionsForm("x", explain=True)
    qtbot.addWidget(form)
    form.set_options([option("a", 3), option("b", "word")])
    assert form.findChild(QLabel, "x.a.help").text() == "Help of a"
    form.set_values({"a": 5, "b": "other"})
    form.reset()
    assert form.values() == {}
