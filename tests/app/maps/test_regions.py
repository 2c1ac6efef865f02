"""Contours by clicks, segments, the bullseye and its numbers, on the stand-in engine."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog

from app.display.layers import MarksLayer, first
from app.display.map_state import Drawing, MapTool
from app.display.marks import MarkKind
from app.maps.sites_dialog import SitesDialog
from tests.app.finding import find
from tests.app.maps.stand_in import molli, values_of
from tests.app.maps.test_controller import add_result, click, opened, pane_of, spot, wait  # noqa: F401

CENTRE = (10.0, 12.0)
ENDO, EPI = 3.5, 7.5


def ring(radius, n=8, centre=CENTRE):
    return [(centre[0] + radius * math.cos(t), centre[1] + radius * math.sin(t)) for t in np.arange(n) * 2 * math.pi / n]


def drawing_of(window):
    return window.session.current.drawings.get(window.session.current.view.slice_index, Drawing())


def draw_all(window, qtbot):
    regions = window.maps.regions
    for tool, points in ((MapTool.ENDO, ring(ENDO)), (MapTool.EPI, ring(EPI)), (MapTool.INSERTION, [(6.0, 5.0)])):
        window.maps.maps.set_tool(tool)
        for x, y in points:
            regions.add_point(x, y)
    wait(qtbot, window)


def test_clicks_draw_in_data_pixels_and_undo_takes_them_back_one_by_one(opened, qtbot):  # noqa: F811
    for turns in range(2):
        opened.maps.maps.set_tool("endo")
        wait(qtbot, opened)
        for x, y in ((5, 6), (14, 7), (12, 17)):
            click(qtbot, opened, x, y)
        points = drawing_of(opened).endo
        np.testing.assert_allclose(sorted(points), sorted([(5, 6), (14, 7), (12, 17)]), atol=0.51)
        QTest.keyClick(opened.maps.panel.grid, Qt.Key.Key_Backspace)
        assert len(drawing_of(opened).endo) == 2
        opened.session.undo()
        opened.session.undo()
        wait(qtbot, opened)
        assert drawing_of(opened).empty
        if not turns:
            opened.review.rotate()
            opened.review.mirror()
            wait(qtbot, opened)


def test_a_later_point_finds_its_place_on_the_contour(opened, qtbot):  # noqa: F811
    opened.maps.maps.set_tool("epi")
    for x, y in (ring(EPI)[k] for k in (0, 4, 2, 6, 1, 5, 3, 7)):
        opened.maps.regions.add_point(x, y)
    angles = np.unwrap([math.atan2(y - CENTRE[1], x - CENTRE[0]) for x, y in drawing_of(opened).epi])
    assert (np.diff(angles) > 0).all()


def test_points_can_be_dragged_as_one_step(opened, qtbot):  # noqa: F811
    opened.maps.maps.set_tool("roi")
    for x, y in ((4, 4), (15, 4), (15, 18), (4, 18)):
        opened.maps.regions.add_point(x, y)
    wait(qtbot, opened)
    opened.maps.maps.set_tool("inspect")
    wait(qtbot, opened)
    pane = pane_of(opened)
    start, stop = spot(pane, 15, 4), spot(pane, 17, 2)
    QTest.mousePress(pane, Qt.MouseButton.LeftButton, pos=start)
    for share in (0.3, 0.6, 1.0):
        QTest.mouseMove(pane, start + (stop - start) * share)
    QTest.mouseRelease(pane, Qt.MouseButton.LeftButton, pos=stop)
    wait(qtbot, opened)
    np.testing.assert_allclose(drawing_of(opened).roi[1], (17, 2), atol=0.2)
    opened.session.undo()
    assert drawing_of(opened).roi[1] == (15, 4)
    assert opened.session.current.map_view.pixel is None, "a drag is no click"


def test_segments_bullseye_and_table_follow_the_drawing(opened, engine, qtbot):  # noqa: F811
    add_result(opened)
    wait(qtbot, opened)
    draw_all(opened, qtbot)
    regions, panel = opened.maps.regions, opened.maps.regions_panel
    assert engine.asked_segments[-1] == ((5.0, 6.0), False, "mid"), "the insertion goes to the engine as (y, x)"
    assert {row.segment for row in regions.measured.rows} == {0, *range(7, 13)}
    assert {row.method for row in regions.measured.rows} == {"Images", "CG-SENSE"}
    masks = regions.measured.masks[0]
    truth = values_of(opened.session.current.data.images)[0]
    for row in (r for r in regions.measured.rows if r.segment and r.method == "Images"):
        assert row.mean == pytest.approx(truth[masks[row.segment]].mean(), rel=1e-5)
        assert panel.bullseye.values[row.segment] == pytest.approx(row.mean)
    row = next(r for r in regions.measured.rows if r.segment == 8 and r.method == "CG-SENSE")
    same = next(r for r in regions.measured.rows if r.segment == 8 and r.method == "Images")
    assert row.delta == pytest.approx(row.mean - same.mean)
    model = panel.model
    assert model.data(model.index(0, 0)) == "myocardium"
    assert model.data(model.index(1, 0)) == "7 anterior"
    layers = opened.maps.maps.display.display.panes[0].layers
    assert {mark.kind for mark in first(layers, MarksLayer).marks} == {MarkKind.LINES, MarkKind.WORD}
    assert {"endo", "epi", "insertion"} <= {layer.key for layer in layers}
    panel.level_chosen.emit("apical")
    panel.direction_toggled.emit(True)
    wait(qtbot, opened)
    assert engine.asked_segments[-1] == ((5.0, 6.0), True, "apical")
    assert set(panel.bullseye.values) == {13, 14, 15, 16}
    opened.session.undo()
    opened.session.undo()
    wait(qtbot, opened)
    assert set(panel.bullseye.values) == set(range(7, 13))


def test_the_bullseye_follows_the_method_and_the_table_its_clicks(opened, qtbot):  # noqa: F811
    add_result(opened)
    wait(qtbot, opened)
    draw_all(opened, qtbot)
    panel = opened.maps.regions_panel
    first = dict(panel.bullseye.values)
    panel.method_chosen.emit(opened.session.current.results[0].key)
    assert panel.bullseye.values[9] < first[9]
    panel.bullseye.segment_clicked.emit(9)
    assert find(panel, "maps.regions.table").currentIndex().row() == panel.model.row_of(9)


def test_contours_go_to_all_slices_and_to_another_series(opened, engine, qtbot):  # noqa: F811
    draw_all(opened, qtbot)
    case, regions = opened.session.current, opened.maps.regions
    regions.copy_to_slices()
    assert opened.session.current.drawings[1].endo == opened.session.current.drawings[0].endo
    wait(qtbot, opened)
    assert {row.slice_index for row in regions.measured.rows} == {0, 1}
    other = opened.session.new_case(molli(name="post"), "post")
    opened.session.insert(other)
    wait(qtbot, opened)
    opened.session.select(case.key)
    regions.copy_to_series(case, other.key)
    assert opened.session.find(other.key).drawings[0].epi == opened.session.current.drawings[0].epi
    opened.session.undo()
    assert opened.session.find(other.key).drawings == {}
    opened.session.select(case.key)
    case = opened.session.current
    small = opened.session.new_case(molli((1, 8, 12, 12)), "small")
    opened.session.insert(small)
    regions.copy_to_series(case, small.key)
    assert "the drawing does not fit small (expected 12 x 12 pixels / found 24 x 20)" in opened.notices.message.text()


def test_numbers_as_csv_with_z_scores(opened, qtbot, tmp_path, monkeypatch):  # noqa: F811
    draw_all(opened, qtbot)
    regions = opened.maps.regions
    panel = opened.maps.regions_panel
    assert find(panel, "maps.regions.site").count() == 1, "none is built in"
    regions.sites_dialog()
    dialog = opened.findChild(SitesDialog)
    dialog.add()
    assert not dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()
    for column, text in enumerate(("T1", "1.5", "ours", "900", "50", "")):
        find(dialog, "sites.table").model().item(0, column).setText(text)
    dialog.accept()
    wait(qtbot, opened)
    assert find(panel, "maps.regions.site").itemText(1) == "T1, 1.5 T, ours"
    panel.site_chosen.emit("T1, 1.5 T, ours")
    z = panel.model.data(panel.model.index(1, 5))
    assert z == f"{(regions.measured.means['reference'][7] - 900) / 50:+.1f}"
    regions.copy()
    rows = list(csv.DictReader(io.StringIO(QGuiApplication.clipboard().text())))
    assert {row["quantity"] for row in rows} == {"T1"}
    row = next(row for row in rows if row["segment"] == "9")
    assert row["region"] == "mid inferoseptal"
    assert float(row["z"]) == pytest.approx((float(row["mean_ms"]) - 900) / 50, abs=2e-3)
    assert row["z_reference"] == "T1, 1.5 T, ours"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "segments"), ""))
    regions.export_dialog()
    wait(qtbot, opened)
    assert (tmp_path / "segments.csv").read_text(encoding="utf-8") == regions.csv()


def test_contours_that_cannot_be_are_told(opened, qtbot):  # noqa: F811
    opened.maps.maps.set_tool("endo")
    for x, y in ring(EPI):
        opened.maps.regions.add_point(x, y)
    opened.maps.maps.set_tool("epi")
    for x, y in ring(ENDO):
        opened.maps.regions.add_point(x, y)
    opened.maps.maps.set_tool("insertion")
    opened.maps.regions.add_point(6, 5)
    wait(qtbot, opened)
    assert "does not enclose" in opened.notices.message.text()


def test_clear_and_the_words_that_say_what_is_wanted(opened, qtbot):  # noqa: F811
    panel = opened.maps.regions_panel
    assert "choose Endo" in panel.hint.text()
    draw_all(opened, qtbot)
    assert "Endo 8 points" in panel.hint.text()
    opened.maps.regions.clear()
    wait(qtbot, opened)
    assert opened.session.current.drawings == {}
    assert panel.bullseye.values == {}
    opened.maps.regions.undo_point()
    wait(qtbot, opened)
    assert drawing_of(opened).complete


def test_segments_of_the_bullseye_lie_where_the_scheme_says(opened, qtbot):  # noqa: F811
    """Anterior on top, septum at the left, base outside, apex in the middle."""
    opened.raise_dock("maps_regions")
    view = opened.maps.regions_panel.bullseye
    view.resize(300, 300)
    at = lambda across, up: view.segment_at(QPointF(150 + across * 144, 150 - up * 144))  # noqa: E731
    assert (at(0, 0.85), at(-0.75, 0.4), at(-0.75, -0.4), at(0, -0.85), at(0.75, -0.4), at(0.75, 0.4)) == (1, 2, 3, 4, 5, 6)
    assert (at(0, 0.5), at(-0.45, 0.25), at(0.45, 0.25)) == (7, 8, 12)
    assert (at(0, 0.2), at(-0.2, 0), at(0, -0.2), at(0.2, 0)) == (13, 14, 15, 16)
    assert at(0.9, 0.9) == 0
    assert QPoint(150, 150) is not None
