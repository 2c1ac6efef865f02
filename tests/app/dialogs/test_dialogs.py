"""Dialogs: what they ask, what they refuse, what they give."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton

from app.dialogs.about import about
from app.dialogs.axes import AxesDialog, problem_with
from app.dialogs.phantom import PhantomDialog
from app.dialogs.shortcuts import ShortcutsDialog
from app.review.methods_dialog import MethodsTableDialog
from app.review.methods_model import MethodRow, MethodsModel, Suitability, from_catalogue
from app.review.no_weights_dialog import IMPORT, TRAIN, NoWeightsDialog
from app.review.weights_dialog import WeightsDialog
from app.workspaces import WORKSPACES
from engine.core.records.weights import WeightSource
from engine.core.requests import OpenOptions
from engine.phantom.request import PhantomRequest
from tests.app.finding import find
from tests.app.stand_in import CATALOGUE


def opened(qtbot, dialog):
    qtbot.addWidget(dialog)
    dialog.open()
    return dialog


@pytest.mark.parametrize(
    ("letters", "problem"),
    [
        ("", ""),
        ("sfyx", ""),
        ("yx", ""),
        ("sfy", "y and x are needed"),
        ("sfyxx", "each letter once"),
        ("qyx", "q: unknown letter"),
    ],
)
def test_axis_letters(letters, problem):
    assert problem_with(letters) == problem


def test_the_axes_dialog_gives_only_what_was_said(qtbot):
    dialog = opened(qtbot, AxesDialog("a.npz", "the axes are not known (expected 4 letters / found none)", None))
    assert dialog.options() == OpenOptions()
    find(dialog, "axes.letters").setText("fyx")
    find(dialog, "axes.key").setText("images")
    find(dialog, "axes.kind").setCurrentIndex(2)
    assert dialog.options() == OpenOptions("fyx", "images", kind="molli")
    assert dialog.findChild(QLabel, "axes.explanation").text().startswith("The axes are not known")
    dialog.reject()


def test_the_axes_dialog_wants_an_answer_and_shows_the_one_before(qtbot):
    dialog = opened(qtbot, AxesDialog("a.npz", "unknown", None))
    accept = dialog.findChild(QPushButton, "axes.accept")
    assert not accept.isEnabled(), "nothing said would be asked again"
    assert dialog.focusWidget().objectName() == "axes.letters"
    find(dialog, "axes.kind").setCurrentIndex(1)
    assert accept.isEnabled()
    dialog.reject()
    told = OpenOptions("fyx", "images", (100.0, 180.0), "t2prep")
    again = opened(qtbot, AxesDialog("a.npz", "unknown", None, told))
    assert again.options() == told
    again.reject()


def test_the_phantom_dialog_knows_that_a_scheme_decides_the_frames(qtbot):
    dialog = opened(qtbot, PhantomDialog(None))
    assert dialog.settings().frames == 12
    find(dialog, "phantom.kind").setCurrentIndex(1)
    assert not find(dialog, "phantom.frames").isEnabled()
    assert dialog.settings().frames is None
    dialog.reject()


def test_the_phantom_dialog_gives_what_the_engine_takes(qtbot):
    dialog = opened(qtbot, PhantomDialog(None))
    for index in range(3):
        find(dialog, "phantom.kind").setCurrentIndex(index)
        made = PhantomRequest(**asdict(dialog.settings()))
        assert made.coils == 10
    dialog.reject()


def test_the_weights_dialog_gives_the_name_of_the_source(qtbot):
    source = WeightSource("net-tf", "Network (TensorFlow)", ("net",), "MIT", "example.org")
    other = replace(source, name="other", title="Others", networks=("x", "y"))
    dialog = opened(qtbot, WeightsDialog("/somewhere/w.tar", [other, source], None, "net"))
    assert dialog.source() == "net-tf", "what serves the selected network comes first"
    box = dialog.findChild(QComboBox, "import_weights.source")
    assert box.currentText() == "Network (TensorFlow)"
    assert "For x, y" in box.itemData(1, Qt.ItemDataRole.ToolTipRole)
    dialog.reject()


def test_no_weights_offers_what_there_is(qtbot):
    row = MethodRow(name="net", title="Network", trainable=True)
    chosen = []
    for titles, key in ((["Network (TensorFlow)"], IMPORT), ([], TRAIN)):
        dialog = opened(qtbot, NoWeightsDialog(row, titles, None))
        dialog.chosen.connect(chosen.append)
        assert "Network has no weights" in dialog.findChild(QLabel, "no_weights.words").text()
        assert (dialog.findChild(QPushButton, "no_weights.import") is not None) == bool(titles)
        dialog.findChild(QPushButton, f"no_weights.{key}").click()
        assert not dialog.isVisible()
    assert chosen == [IMPORT, TRAIN]


def test_about_says_research_use_only_and_copies(qtbot):
    dialog = opened(qtbot, about(None))
    assert "Research use only" in dialog.text.toPlainText()
    dialog.findChild(QPushButton, "about.copy").click()
    assert QGuiApplication.clipboard().text() == dialog.text.toPlainText()
    dialog.reject()


@pytest.mark.parametrize("workspace", [workspace.name for workspace in WORKSPACES])
def test_the_shortcut_sheet_of_a_workspace_fits_a_small_screen(qtbot, workspace):
    dialog = opened(qtbot, ShortcutsDialog(None, workspace))
    assert dialog.sizeHint().width() < 1100
    assert dialog.sizeHint().height() < 740
    dialog.reject()


def test_the_large_table_ticks_filters_and_tells(qtbot):
    model = MethodsModel()
    model.set_rows([from_catalogue(record) for record in CATALOGUE])
    dialog = opened(qtbot, MethodsTableDialog(model, Suitability("cine", 8), "net", None))
    assert "31 k parameters" in dialog.details.text()
    assert not any(dialog.table.isColumnHidden(column) for column in range(model.columnCount()))
    model.set_memory("net", 300.0)
    assert "About 300 MiB" in dialog.details.text(), "it follows what becomes known"
    dialog.findChild(QLineEdit, "methods_table.filter").setText("sense")
    assert dialog.proxy.rowCount() == 1
    index = dialog.proxy.index(0, 0)
    assert dialog.proxy.setData(index, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert [row.name for row in model.ticked()] == ["cg_sense"]
    dialog.reject()


def test_the_large_table_tells_of_its_first_method_when_none_is_chosen(qtbot):
    model = MethodsModel()
    model.set_rows([from_catalogue(record) for record in CATALOGUE])
    dialog = opened(qtbot, MethodsTableDialog(model, Suitability("cine", 8), "", None))
    assert dialog.table.currentIndex().row() == 0
    assert dialog.details.text()
