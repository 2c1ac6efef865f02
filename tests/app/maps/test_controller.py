"""The Maps workspace on the stand-in engine: fitting, looking, the clicked pixel, undo."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from app.display.frames import ERROR, IMAGE, REFERENCE
from app.display.layers import MarksLayer, first
from app.display.map_state import FitOutput, MapTool
from app.display.marks import Mark, MarkKind
from app.document.state import Changed, Topic
from engine.core.maps import Reason
from engine.core.types import Kind, Reconstruction, SamplingMask
from tests.app.finding import find
from tests.app.maps.stand_in import SHAPE, TIMES, molli, values_of


def settled(window):
    return lambda: not window.runner.active() and not window.maps.fit.running


def wait(qtbot, window):
    QApplication.processEvents()
    qtbot.waitUntil(settled(window))
    QApplication.processEvents()
    qtbot.waitUntil(settled(window))


@pytest.fixture
def opened(window, qtbot):
    """Return a window with the Maps workspace on screen and a MOLLI series that was fitted by itself."""
    window.show_workspace("maps")
    series = molli()
    window.session.insert(window.session.new_case(series, "molli", "molli.npz"))
    qtbot.waitUntil(lambda: bool(window.session.current.maps))
    window.maps.maps.set_slice(0)
    wait(qtbot, window)
    return window


def add_result(window, name="cg_sense", factor=0.8, slices=(0, 1)):
    """Add a reconstruction of the series."""
    session, case = window.session, window.session.current
    image = (case.data.images[list(slices)] * np.float32(factor)).astype(np.complex64)
    mask = SamplingMask(np.ones((1, SHAPE[2], 1), bool), "file")
    made = Reconstruction(image, name, slices, tuple(range(SHAPE[1])), mask, kind=Kind.MOLLI, seconds=1.0)
    session.add_result(case.key, name, {"cg_sense": "CG-SENSE"}.get(name, name), made)


def pane_of(window, key=REFERENCE, role=IMAGE):
    return window.maps.panel.grid.pane(key, role)


def spot(pane, x, y):
    at = pane.target().to_view(*pane.link.display.orientation.to_display(x, y))
    return QPoint(round(at[0]), round(at[1]))


def click(qtbot, window, x, y, key=REFERENCE, role=IMAGE):
    pane = pane_of(window, key, role)
    QTest.mouseClick(pane, Qt.MouseButton.LeftButton, pos=spot(pane, x, y))
    wait(qtbot, window)


# --- fitting ------------------------------------------------------------------------------------------------------------


def test_a_series_is_fitted_by_itself_with_the_model_of_its_kind(opened, engine):
    title, model, slices, times, request = engine.fits[-1]
    assert (title, model, slices) == ("Images", "molli3", (0, 1))
    np.testing.assert_array_equal(times, opened.session.current.data.times_ms)
    assert (request.motion, request.signed, request.efficiency) == ("none", "auto", 1.0)
    shown = opened.maps.maps.display
    assert [pane.key for pane in shown.display.panes] == [REFERENCE]
    assert shown.scale.label == "T1"
    expected = values_of(opened.session.current.data.images)[0, 5, 7]
    assert shown.display.panes[0].image[5, 7] == pytest.approx(expected)
    assert "fit" in opened.maps.fit_panel.button.text().lower()


def test_nothing_is_fitted_by_itself_while_the_switch_is_off(window, engine, qtbot):
    window.show_workspace("maps")
    window.maps.fit_panel.live.setChecked(False)
    window.session.insert(window.session.new_case(molli(), "molli"))
    wait(qtbot, window)
    assert window.session.current.maps == ()
    assert "Fit maps" in window.maps.maps.display.display.hint
    window.actions_by_key["maps.fit"].trigger()
    wait(qtbot, window)
    assert len(window.session.current.maps) == 1
    assert window.settings.get("maps/live") is False


def test_every_reconstruction_gets_its_map_and_unticked_ones_do_not(opened, engine, qtbot):
    add_result(opened)
    wait(qtbot, opened)
    panes = opened.maps.maps.display.display.panes
    assert [pane.title for pane in panes] == ["Images", "CG-SENSE"]
    key = panes[1].key
    opened.maps.fit_panel.ticked.emit(key, False)
    wait(qtbot, opened)
    assert [pane.title for pane in opened.maps.maps.display.display.panes] == ["Images"]
    before = len(engine.fits)
    opened.maps.fit_panel.ticked.emit(key, True)
    wait(qtbot, opened)
    assert [pane.title for pane in opened.maps.maps.display.display.panes] == ["Images", "CG-SENSE"]
    assert len(engine.fits) == before, "the maps were kept"


def test_models_suit_the_kind(opened, qtbot):
    panel = opened.maps.fit_panel
    assert [find(panel, "maps.model").itemData(i) for i in range(find(panel, "maps.model").count())] == ["ir3", "molli3"]
    opened.session.insert(opened.session.new_case(molli(kind=Kind.T2PREP), "t2"))
    wait(qtbot, opened)
    assert [find(panel, "maps.model").itemData(i) for i in range(find(panel, "maps.model").count())] == ["t2prep2"]
    assert opened.maps.maps.display.scale.colormap == "navia"
    assert not find(panel, "maps.efficiency").isEnabled()
    opened.session.insert(opened.session.new_case(molli(kind=Kind.UNKNOWN), "unknown"))
    wait(qtbot, opened)
    assert find(panel, "maps.model").count() == 3


def test_changes_fit_again_and_can_be_undone(opened, engine, qtbot):
    panel = opened.maps.fit_panel
    first = opened.session.current.maps
    panel.changed.emit("change the inversion efficiency", {"efficiency": 0.9653})
    wait(qtbot, opened)
    assert engine.fits[-1][4].efficiency == 0.9653
    second = opened.session.current.maps
    assert second != first
    opened.session.undo()
    wait(qtbot, opened)
    assert opened.session.current.maps == first
    assert pane_of(opened).frame.badges == ("stale: other settings",)
    opened.session.undo()
    wait(qtbot, opened)
    assert opened.session.current.fit.efficiency == 1.0
    assert pane_of(opened).frame.badges == ()
    opened.session.redo()
    opened.session.redo()
    wait(qtbot, opened)
    assert opened.session.current.maps == second


def test_motion_correction_waits_for_the_button(opened, engine, qtbot):
    before = len(engine.fits)
    opened.maps.fit_panel.changed.emit("change the motion correction", {"motion": "rigid"})
    wait(qtbot, opened)
    assert len(engine.fits) == before
    assert pane_of(opened).frame.badges == ("stale: other settings",)
    opened.maps.fit.run()
    wait(qtbot, opened)
    assert [fit[4].motion for fit in engine.fits[-2:]] == ["none", "rigid"]
    grid = opened.maps.panel.grid
    grid.setFocus()
    QTest.keyPress(grid, Qt.Key.Key_F)
    assert pane_of(opened).frame.title == "Images, uncorrected"
    QTest.keyRelease(grid, Qt.Key.Key_F)
    assert pane_of(opened).frame.title == "Images"


# --- times --------------------------------------------------------------------------------------------------------------


def test_times_can_be_edited_one_by_one_for_the_slice_on_screen(opened, engine, qtbot):
    model = opened.maps.fit_panel.times
    opened.maps.maps.set_slice(1)
    wait(qtbot, opened)
    assert model.data(model.index(0, 1)) == "105"
    assert model.setData(model.index(0, 1), "120,5")
    wait(qtbot, opened)
    assert opened.session.current.fit.times_ms[1, 0] == 120.5
    assert opened.session.current.fit.times_ms[0, 0] == TIMES[0], "the other slice has times of its own"
    assert model.data(model.index(0, 1)) == "120.5 *"
    assert engine.fits[-1][3][1, 0] == 120.5
    assert not model.setData(model.index(0, 1), "soon")
    opened.maps.fit.reset_times()
    wait(qtbot, opened)
    assert opened.session.current.fit.times_ms is None


def test_all_times_can_be_typed_and_a_wrong_number_of_them_is_told(opened, engine, qtbot):
    panel = opened.maps.fit_panel
    find(panel, "maps.times.all").setText("100, 200; 300 400 500 600 700 800")
    QTest.keyClick(find(panel, "maps.times.all"), Qt.Key.Key_Return)
    wait(qtbot, opened)
    np.testing.assert_array_equal(opened.session.current.fit.times_ms[0], np.arange(1, 9) * 100)
    find(panel, "maps.times.all").setText("1, 2, x")
    QTest.keyClick(find(panel, "maps.times.all"), Qt.Key.Key_Return)
    assert find(panel, "maps.times.all").property("invalid") is True
    find(panel, "maps.times.all").setText("1, 2, 3")
    QTest.keyClick(find(panel, "maps.times.all"), Qt.Key.Key_Return)
    assert "expected 8 / found 3" in opened.notices.message.text()


def test_seconds_are_told_once_and_the_old_map_stays(opened, qtbot):
    series = molli()
    shared = replace(series, times_ms=series.times_ms[:1])
    opened.session.insert(opened.session.new_case(shared, "one table of times"))
    wait(qtbot, opened)
    kept = opened.session.current.maps
    opened.maps.fit_panel.times_typed.emit(tuple(TIMES / 1000))
    wait(qtbot, opened)
    assert "look like seconds" in opened.notices.message.text()
    assert opened.session.current.maps == kept
    count = len(opened.errors.log)
    opened.session.changed.emit(Changed(frozenset({Topic.RESULTS})))
    wait(qtbot, opened)
    assert len(opened.errors.log) == count, "what failed is not tried again by itself"


def test_unknown_times_are_asked_for(window, qtbot):
    window.show_workspace("maps")
    window.session.insert(window.session.new_case(replace(molli(), times_ms=None), "no times"))
    wait(qtbot, window)
    panel = window.maps.fit_panel
    assert not panel.button.isEnabled()
    assert "times of the frames are not known" in panel.button.toolTip()
    panel.times_typed.emit(tuple(TIMES))
    wait(qtbot, window)
    assert len(window.session.current.maps) == 1


# --- running ------------------------------------------------------------------------------------------------------------


def test_the_button_cancels_and_old_maps_stay(opened, engine, qtbot):
    kept = opened.session.current.maps
    engine.fit_gate.clear()
    opened.maps.fit.run()
    panel = opened.maps.fit_panel
    assert panel.button.text() == "Cancel"
    assert opened.actions_by_key["maps.cancel"].isEnabled()
    qtbot.waitUntil(lambda: any(h.running for h in opened.runner.active()))
    panel.button.click()
    assert panel.button.text() == "Cancelling…"
    qtbot.waitUntil(lambda: not opened.maps.fit.running)
    engine.fit_gate.set()
    wait(qtbot, opened)
    assert opened.session.current.maps == kept
    assert panel.button.text() == "Fit maps"


def test_what_cannot_be_fitted_is_said_with_a_way_on(window, qtbot):
    window.show_workspace("maps")
    QApplication.processEvents()
    hint = window.maps.maps.display.display.hint
    assert "choose a sample" in hint
    assert not window.maps.fit_panel.button.isEnabled()
    window.actions_by_key["maps.fit"].trigger()
    assert "nothing to fit" in window.notices.message.text()
    window.session.insert(window.session.new_case(molli(kind=Kind.CINE), "cine"))
    wait(qtbot, window)
    assert "A cine has no inversion" in window.maps.maps.display.display.hint


# --- the clicked pixel --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("zoom", [1.0, 2.5])
def test_the_clicked_pixel_is_the_plotted_pixel(opened, engine, qtbot, turns, flipped, zoom):
    """Whatever the display orientation and the zoom: the samples plotted are those of the data pixel under the mouse."""
    for _ in range(turns):
        opened.review.rotate()
    if flipped:
        opened.review.mirror()
    wait(qtbot, opened)
    opened.zoom(zoom)
    area = pane_of(opened).picture_area()
    clicked = 0
    for x, y in ((9, 11), (12, 8), (2, 20), (17, 3)):
        at = spot(pane_of(opened), x, y)
        if not area.adjusted(2, 2, -2, -2).contains(at.toPointF()):
            continue
        click(qtbot, opened, x, y)
        clicked += 1
        assert engine.pixels[-1] == (0, y, x)
        assert opened.session.current.map_view.pixel == (x, y)
        (curve,) = opened.maps.maps.curves
        np.testing.assert_array_equal(curve.fit.samples, opened.session.current.data.images[0, :, y, x])
        assert opened.maps.pixel_panel.curve.entries == (curve,)
        (mark,) = first(opened.maps.maps.display.display.panes[0].layers, MarksLayer).marks
        assert mark == Mark(MarkKind.PIXEL, ((x, y),), "#ffffff")
    assert clicked >= 2


def test_every_method_and_the_difference_show_the_same_pixel(opened, engine, qtbot):
    add_result(opened)
    wait(qtbot, opened)
    opened.maps.maps.toggle_difference()
    wait(qtbot, opened)
    key = opened.maps.maps.display.display.panes[1].key
    for role, which in ((IMAGE, REFERENCE), (IMAGE, key), (ERROR, key)):
        click(qtbot, opened, 10, 6, which, role)
        assert engine.pixels[-2:] == [(0, 6, 10), (0, 6, 10)]
        click(qtbot, opened, 4, 9, which, role)
    assert [c.title for c in opened.maps.maps.curves] == ["Images", "CG-SENSE"]
    table = opened.maps.pixel_panel.parameters
    assert table.columnCount() == 3
    assert table.data(table.index(0, 0)) == "T1 ms"
    value = values_of(opened.session.current.data.images)[0, 9, 4]
    assert table.data(table.index(0, 1)) == f"{value:.0f} ({value - 20:.0f}–{value + 20:.0f})"


def test_the_pixel_follows_the_slice_and_says_when_it_has_no_value(opened, engine, qtbot):
    click(qtbot, opened, 3, 3)
    assert opened.maps.maps.curves[0].fit.reason is Reason.BOUND
    table = opened.maps.pixel_panel.parameters
    assert table.data(table.index(table.rowCount() - 1, 1)) == "at a bound of the fit"
    opened.maps.maps.set_slice(1)
    wait(qtbot, opened)
    assert engine.pixels[-1] == (1, 3, 3)
    assert "slice 2" in opened.maps.pixel_panel.place.text()


def test_a_result_of_one_slice_is_asked_by_its_own_index(opened, engine, qtbot):
    add_result(opened, slices=(1,))
    opened.maps.maps.set_slice(1)
    wait(qtbot, opened)
    click(qtbot, opened, 8, 5)
    assert engine.pixels[-2:] == [(1, 5, 8), (0, 5, 8)]
    samples = opened.maps.maps.curves[1].fit.samples
    np.testing.assert_allclose(samples, 0.8 * opened.session.current.data.images[1, :, 5, 8], rtol=1e-6)


def test_the_pixel_can_be_copied(opened, qtbot):
    click(qtbot, opened, 8, 5)
    opened.maps.pixel_panel.copy.click()
    rows = list(csv.DictReader(io.StringIO(QGuiApplication.clipboard().text())))
    assert {row["what"] for row in rows} == {"sample", "residual", "T1", "A", "R2"}
    assert all((row["slice"], row["x"], row["y"]) == ("1", "8", "5") for row in rows)
    assert sum(row["what"] == "sample" for row in rows) == 8


# --- looking ------------------------------------------------------------------------------------------------------------


def test_layers_ranges_and_undo(opened, qtbot):
    maps, bar = opened.maps.maps, opened.maps.panel.scale_bar
    maps.set_layer("sd")
    wait(qtbot, opened)
    assert opened.session.current.map_view.layer is FitOutput.SD
    maps.set_layer("value")
    bar.range_changed.emit("T1", 200.0, 1500.0)
    bar.range_changed.emit("T1", 300.0, 1500.0)
    bar.drag_finished.emit()
    wait(qtbot, opened)
    assert maps.display.scale.levels == (300.0, 1500.0)
    opened.session.undo()
    wait(qtbot, opened)
    assert maps.display.scale.automatic, "one drag is one step"
    opened.session.redo()
    wait(qtbot, opened)
    maps.reset_window()
    wait(qtbot, opened)
    assert maps.display.scale.automatic
    bar.range_changed.emit("T1", 900.0, 100.0)
    assert "range of the map cannot be shown" in opened.notices.message.text()


def test_keys_of_the_workspace(opened, qtbot):
    add_result(opened)
    wait(qtbot, opened)
    grid = opened.maps.panel.grid
    grid.setFocus()
    opened.activateWindow()
    for key, layer in (
        ("S", FitOutput.SD),
        ("Q", FitOutput.R2),
        ("E", FitOutput.RESIDUAL),
        ("T", FitOutput.APPARENT),
        ("V", FitOutput.VALUE),
    ):
        QTest.keyClick(grid, key)
        assert opened.session.current.map_view.layer is layer
    QTest.keyClick(grid, "D")
    assert opened.session.current.map_view.difference
    QTest.keyClick(grid, "1", Qt.KeyboardModifier.ControlModifier)
    assert opened.workspace == "review"
    opened.review_panel.grid.setFocus()
    QTest.keyClick(opened.review_panel.grid, "P")
    assert str(opened.session.current.view.component) == "phase"
    assert opened.session.current.map_view.layer is FitOutput.VALUE


def test_the_value_under_the_cursor(opened, qtbot):
    pane = pane_of(opened)
    QTest.mouseMove(pane, spot(pane, 9, 7))
    value = values_of(opened.session.current.data.images)[0, 7, 9]
    assert opened.status_bar.cursor_label.text() == f"x 9  y 7: Images T1 {value:.0f} ms"
    QTest.mouseMove(pane, spot(pane, 3, 3))
    assert opened.status_bar.cursor_label.text().endswith("no value")


def test_maps_are_saved(opened, engine, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "t1map"), ""))
    opened.actions_by_key["maps.save"].trigger()
    wait(qtbot, opened)
    assert engine.saved_maps == [(opened.session.current.maps[0].maps, str(tmp_path / "t1map.h5"))]


def test_a_removed_result_takes_its_map_off_and_undo_brings_both(opened, qtbot):
    add_result(opened)
    wait(qtbot, opened)
    key = opened.session.current.results[0].key
    opened.session.remove_results(opened.session.current.key, "remove", key)
    wait(qtbot, opened)
    assert [p.badges for p in opened.maps.maps.display.display.panes][1] == ("stale: its images were removed",)
    opened.session.undo()
    wait(qtbot, opened)
    assert opened.maps.maps.display.display.panes[1].badges == ()


def test_the_flip_shows_the_reference_in_place(opened, qtbot):
    add_result(opened)
    wait(qtbot, opened)
    grid, key = opened.maps.panel.grid, opened.session.current.results[0].key
    opened.maps.maps.set_flip(True)
    assert grid.pane(key).frame.title == "Images"
    opened.maps.maps.set_flip(False)
    assert grid.pane(key).frame.title == "CG-SENSE"


def test_the_flip_shows_maps_and_curve_before_motion_correction(opened, qtbot):
    maps = opened.maps.maps
    click(qtbot, opened, 8, 5)
    opened.maps.fit_panel.changed.emit("change the motion correction", {"motion": "rigid"})
    opened.maps.fit.run()
    wait(qtbot, opened)
    (made,) = opened.session.current.maps
    corrected, scale = maps.display.display.panes[0], maps.display.scale
    assert corrected.badges == ("motion corrected",)
    assert maps.curves[0].fit.samples == pytest.approx(opened.session.current.data.images[0, :, 6, 8])

    opened.maps.set_flip(True)
    wait(qtbot, opened)
    before = maps.display.display.panes[0]
    assert (before.title, before.badges) == ("Images, uncorrected", ())
    assert before.image[5, 8] == made.before.main.values[0, 5, 8] != made.maps.main.values[0, 5, 8] == corrected.image[5, 8]
    assert maps.display.scale == scale
    assert maps.curves[0].title == "Images, uncorrected"
    assert maps.curves[0].fit.samples == pytest.approx(opened.session.current.data.images[0, :, 5, 8])

    opened.maps.set_flip(False)
    wait(qtbot, opened)
    assert maps.display.display.panes[0].image is corrected.image
    assert maps.curves[0].fit.samples == pytest.approx(opened.session.current.data.images[0, :, 6, 8])
    maps.set_slice(1)
    wait(qtbot, opened)
    assert maps.display.display.panes[0].badges == ("motion correction did not help: as measured",)


def test_tools_do_not_move_the_pixel(opened, qtbot):
    click(qtbot, opened, 8, 5)
    opened.maps.maps.set_tool(MapTool.ENDO)
    wait(qtbot, opened)
    click(qtbot, opened, 12, 12)
    assert opened.session.current.map_view.pixel == (8, 5)


def test_what_is_selected_among_maps_is_not_removed_in_review(opened, qtbot):
    add_result(opened)
    wait(qtbot, opened)
    key = opened.session.current.results[0].key
    opened.maps.panel.grid.paneClicked.emit(key)
    assert opened.session.current.map_selected == key
    opened.show_workspace("review")
    opened.actions_by_key["edit.remove_result"].trigger()
    assert [result.key for result in opened.session.current.results] == [key]
    assert "Click a result first" in opened.statusBar().currentMessage()
    opened.review_panel.grid.paneClicked.emit(key)
    opened.actions_by_key["edit.remove_result"].trigger()
    assert opened.session.current.results == ()
    opened.session.undo()
    wait(qtbot, opened)
