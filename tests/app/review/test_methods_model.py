"""The method table: ticks, sorting, filtering, what cannot run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QComboBox

from app.review.methods_model import (
    COLUMNS,
    KEY_ROLE,
    MACS,
    NAME,
    PARAMETERS,
    STATUS,
    WEIGHTS,
    MethodsFilter,
    MethodsModel,
    Suitability,
    count_words,
    from_catalogue,
    obstacle,
    tip,
)
from app.review.methods_panel import MethodsPanel, MethodTable
from engine.core.records.methods import MethodInfo, PresetInfo
from tests.app.stand_in import CATALOGUE


@pytest.fixture
def model(qapp):
    made = MethodsModel()
    tester = QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal)
    made.set_rows([from_catalogue(record) for record in CATALOGUE])
    made.set_series(Suitability("cine", 8))
    yield made
    del tester


@pytest.fixture
def proxy(model):
    made = MethodsFilter()
    made.setSourceModel(model)
    return made


def names(shown: QAbstractItemModel) -> list[str]:
    return [shown.index(row, NAME).data(KEY_ROLE) for row in range(shown.rowCount())]


def row(model, name):
    return names(model).index(name)


def test_cells(model):
    assert model.columnCount() == len(COLUMNS)
    at = row(model, "net")
    assert model.index(at, NAME).data() == "Network"
    assert model.index(at, PARAMETERS).data() == "31 k"
    assert model.index(at, MACS).data() == "2.5 G"
    assert model.index(at, WEIGHTS).data() == "net-a"
    assert model.index(at, STATUS).data() == "ready"
    assert model.index(row(model, "cg_sense"), WEIGHTS).data() == "not needed"
    assert model.index(row(model, "bare_net"), WEIGHTS).data() == "none"
    assert model.index(at, STATUS).data(Qt.ItemDataRole.AccessibleTextRole) == "Status: ready"


@pytest.mark.parametrize(
    ("weights", "chosen", "told"),
    [("net", "net", ""), ("net net_mine", "net", ""), ("net net_mine", "net_mine", "net_mine"), ("a b", "a", "a")],
)
def test_only_weights_of_another_name_are_told(weights, chosen, told):
    assert replace(from_catalogue(MethodInfo("net", "Network", weights=tuple(weights.split()))), chosen=chosen).variant == told


def test_obstacles(model):
    rows = {r.name: r for r in model.rows()}
    cine = Suitability("cine", 8)
    assert obstacle(rows["bare_net"], cine) == "no weights"
    assert obstacle(rows["t1_net"], cine) == "not for cine"
    assert obstacle(rows["t1_net"], Suitability("unknown", 8)) == ""
    assert obstacle(rows["t1_net"], Suitability()) == ""
    single = from_catalogue(MethodInfo("x", "X", max_coils=1))
    assert obstacle(single, cine) == "at most 1 coil"
    led = from_catalogue(MethodInfo("x", "X", needs_reference=True))
    assert obstacle(led, cine) == "", "the temporal mean stands in for a second sequence"
    assert "Reference sequence: the mean of what the frames measured" in tip(led, "")


def test_ticking(model):
    index = model.index(row(model, "cg_sense"), NAME)
    assert model.setData(index, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
    assert "ticked" in index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert model.setData(index, Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    assert model.ticked_names() == []
    assert not model.setData(model.index(row(model, "t1_net"), NAME), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert not model.flags(model.index(row(model, "t1_net"), NAME)) & Qt.ItemFlag.ItemIsEnabled
    bare = model.index(row(model, "bare_net"), NAME)
    assert model.flags(bare) & Qt.ItemFlag.ItemIsEnabled, "to import weights for it"
    missing = []
    model.weights_missing.connect(missing.append)
    assert not model.setData(bare, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert missing == ["bare_net"]
    assert bare.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Unchecked


def test_costs_are_shown_when_they_are_known(model):
    at = model.index(row(model, "bare_net"), MACS)
    assert at.data() == "…", "not counted yet"
    model.set_macs("bare_net", 2.58e12)
    model.set_memory("bare_net", 1650.0)
    assert at.data() == "2.58 T"
    told = at.data(Qt.ItemDataRole.ToolTipRole)
    assert "About 1.6 GiB for a slice of this series" in told
    assert "tick it to train it" in told
    model.set_rows([from_catalogue(record) for record in CATALOGUE])
    assert at.data() == "2.58 T", "what was counted stays when weights come or go"


def test_the_papers_own_figure_is_in_the_tip():
    preset = PresetInfo(5, macs=506.457e9, macs_shape="1x10x144x512", paper_macs=506.46e9)
    method = MethodInfo("x", "X", trainable=True, macs_counting="Convolutions.", sources=("direct",), presets={"paper": preset})
    told = tip(from_catalogue(method), "no weights")
    assert "506 G MACs at 1x10x144x512 (the paper: 506 G)\nConvolutions." in told
    assert "tick it to import published ones" in told


def test_zero_filling_runs_first_networks_last(model):
    model.set_ticked(["net", "zero_filled", "cg_sense", "bare_net", "t1_net"])
    assert [r.name for r in model.ticked()] == ["zero_filled", "cg_sense", "net"]
    model.set_series(Suitability("molli", 8))
    assert [r.name for r in model.ticked()] == ["zero_filled", "cg_sense", "t1_net"]


def test_a_new_catalogue_keeps_ticks_and_choices(model):
    model.set_ticked(["net"])
    model.choose_weights("net", "net-b")
    model.set_rows([from_catalogue(record) for record in CATALOGUE])
    assert model.row_of("net").chosen == "net-b"
    assert model.ticked_names() == ["net"]
    model.set_rows([from_catalogue(replace(record, weights=("net-c",))) for record in CATALOGUE])
    assert model.row_of("net").chosen == "net-c"


def test_sorting_is_by_number_where_numbers_are(proxy):
    proxy.sort(PARAMETERS, Qt.SortOrder.DescendingOrder)
    assert names(proxy)[:2] == ["bare_net", "net"]
    proxy.sort(NAME, Qt.SortOrder.AscendingOrder)
    assert names(proxy)[0] == "bare_net"


@pytest.mark.parametrize(
    ("text", "found"),
    [("sense", ["cg_sense"]), ("2007 LUSTIG", ["l1_wavelet"]), ("no weights", ["bare_net"]), ("nothing like it", []), ("  ", None)],
)
def test_filter_needs_every_word_in_any_column(proxy, text, found):
    proxy.set_words(text)
    assert names(proxy) == (found if found is not None else [record.name for record in CATALOGUE])


@pytest.mark.parametrize(
    ("number", "words"), [(12, "12"), (31_000, "31 k"), (1_250_000, "1.25 M"), (2.5e9, "2.5 G"), (4e12, "4 T")]
)
def test_large_numbers(number, words):
    assert count_words(number) == words


def test_columns_that_do_not_fit_wait_for_room(model, qtbot):
    table = MethodTable("methods.table")
    qtbot.addWidget(table)
    table.setModel(model)
    table.only_what_fits = True
    table.show()
    for width, shown in ((270, {NAME, STATUS}), (470, {NAME, STATUS, PARAMETERS, MACS}), (900, set(range(len(COLUMNS))))):
        table.resize(width, 200)
        assert {column for column in range(len(COLUMNS)) if not table.isColumnHidden(column)} == shown


def test_weights_are_offered_where_there_is_a_choice(qtbot):
    panel = MethodsPanel()
    qtbot.addWidget(panel)
    panel.set_methods([from_catalogue(record) for record in CATALOGUE])
    choice = panel.findChild(QComboBox, "methods.weights")
    for name, offered in (("net", True), ("bare_net", False), ("cg_sense", False)):
        panel.select(name)
        assert choice.isVisibleTo(panel) == offered
