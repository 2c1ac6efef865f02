from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from app.display.cursor import CursorValue
from app.views.table import BEST, CompactTable, CursorTableModel, ScoreTableModel
from tests.app.display.build import entry, score, series

ROLE = Qt.ItemDataRole


def scores(psnr, nmse, region="whole"):
    return {("psnr", region): score("psnr", psnr, region), ("nmse", region): score("nmse", nmse, region, better=False)}


@pytest.fixture
def entries():
    image = series()
    return (
        entry("a", image, title="First", scores={**scores(25.0, 0.05), **scores(20.0, 0.1, "dynamic")}),
        entry("b", image, title="Second", scores={**scores(np.float64(31.0), 0.02), **scores(19.0, 0.2, "dynamic")}),
        entry("p", image, title="Preview", preview=True),
    )


@pytest.fixture
def model(qtbot, themed, entries):
    made = ScoreTableModel()
    made.set_scores(entries, "whole")
    return made


def text(model, row, column, role=ROLE.DisplayRole):
    return model.data(model.index(row, column), role)


def test_rows_columns_and_headers(model):
    assert (model.rowCount(), model.columnCount()) == (2, 3)
    assert [model.headerData(c, Qt.Orientation.Horizontal) for c in range(3)] == ["Method", "PSNR dB", "NMSE"]
    assert model.headerData(2, Qt.Orientation.Horizontal, ROLE.ToolTipRole) == "nmse, whole image; lower is better"
    assert text(model, 0, 0) == "First"
    assert model.key_at(1) == "b"


def test_best_is_marked_by_star_weight_and_word(model):
    assert text(model, 0, 1) == "25.0"
    assert text(model, 1, 1) == f"{BEST}31.0"
    assert text(model, 1, 2) == f"{BEST}0.020"
    assert text(model, 1, 1, ROLE.FontRole).bold()
    assert not text(model, 0, 1, ROLE.FontRole).bold()
    assert text(model, 1, 1, ROLE.AccessibleTextRole).startswith("best: 31.0000 dB, data range 1.00, 3150 pixels")
    assert text(model, 1, 1, ROLE.UserRole) == 31.0


def test_other_region_has_another_best(model, entries):
    assert model.regions() == ("whole", "dynamic")
    model.set_scores(entries, "dynamic")
    assert text(model, 0, 1) == f"{BEST}20.0"


def test_one_alone_is_not_best_and_missing_scores_are_dashes(model, entries):
    model.set_scores((entries[0], entry("c", series())), "whole")
    assert text(model, 0, 1) == "25.0"
    assert text(model, 1, 1) == "–"


def test_csv_holds_everything(model):
    rows = list(csv.DictReader(io.StringIO(model.to_csv())))
    assert len(rows) == 8
    assert rows[4]["value"] == "31.0"
    assert {row["region"] for row in rows} == {"whole", "dynamic"}
    assert rows[0]["data_range"] == "1.0"
    model.copy()
    assert QGuiApplication.clipboard().text() == model.to_csv()


def test_cursor_table_does_not_jump(qtbot, themed):
    model = CursorTableModel()
    model.set_values((CursorValue("reference", "Reference", 0.41236), CursorValue("a", "First", math.nan, -0.01)))
    resets = []
    model.modelReset.connect(lambda: resets.append(1))
    assert [text(model, 0, c) for c in range(3)] == ["Reference", "0.4124", "–"]
    assert [text(model, 1, c) for c in range(3)] == ["First", "–", "-0.01000"]
    model.set_values(())
    assert [text(model, 0, c) for c in range(3)] == ["Reference", "–", "–"]
    assert resets == []


def test_table_widget(qtbot, model):
    view = CompactTable(model, "inspector.scores", "Scores")
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.show()
    assert view.objectName() == "inspector.scores"
    assert not view.grab().isNull()


def test_a_column_is_one_record(qtbot, themed, monkeypatch, entries):
    """What a new column of the list of results needs: its record, and nothing else."""
    from app.views import table
    from app.views.columns import Column

    seconds = Column(
        "Time", lambda entry: f"{entry.reconstruction.seconds:.1f} s", "how long it took", lambda e: e.reconstruction.seconds
    )
    monkeypatch.setattr(table, "RESULTS", (*table.RESULTS, seconds))
    model = ScoreTableModel()
    model.set_scores(entries, "whole")
    headers = [model.headerData(c, Qt.Orientation.Horizontal) for c in range(model.columnCount())]
    assert headers == ["Method", "Time", "PSNR dB", "NMSE"]
    assert text(model, 1, 1) == "1.0 s"
    assert text(model, 1, 1, ROLE.UserRole) == 1.0
    assert text(model, 1, 2) == f"{BEST}31.0"
    assert model.headerData(1, Qt.Orientation.Horizontal, ROLE.ToolTipRole) == "how long it took"
