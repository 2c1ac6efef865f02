"""ECV from two maps, agreement with the reference, the map of disagreement, on the stand-in engine."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication

from app.display.frames import ERROR
from tests.app.finding import find
from tests.app.maps.stand_in import molli
from tests.app.maps.test_controller import add_result, opened, wait  # noqa: F401
from tests.app.maps.test_regions import CENTRE, ENDO, draw_all, ring


def add_blood(window, qtbot, radius=2.0):
    window.maps.maps.set_tool("blood")
    for x, y in ring(radius, 6, CENTRE):
        window.maps.regions.add_point(x, y)
    wait(qtbot, window)


@pytest.fixture
def pair(opened, qtbot):  # noqa: F811
    """Return a window with a native and a post-contrast map; contours and blood are drawn on the native one."""
    draw_all(opened, qtbot)
    add_blood(opened, qtbot)
    native = opened.session.current
    opened.session.insert(opened.session.new_case(molli(name="post"), "post"))
    wait(qtbot, opened)
    opened.session.select(native.key)
    wait(qtbot, opened)
    return opened


def test_ecv_says_what_is_wanted_step_by_step(opened, qtbot):  # noqa: F811
    panel = opened.maps.ecv_panel
    wait(qtbot, opened)
    assert "Two T1 maps are wanted" in panel.hint.text()
    native = opened.session.current
    opened.session.insert(opened.session.new_case(molli(name="post"), "post"))
    wait(qtbot, opened)
    assert panel.hint.text() == "Type the haematocrit."
    assert find(panel, "maps.ecv.haematocrit").text() == "not given", "no usual value is filled in"
    find(panel, "maps.ecv.haematocrit").setValue(42.0)
    wait(qtbot, opened)
    assert "Draw the blood pool" in panel.hint.text()
    assert not panel.button.isEnabled()
    opened.session.select(native.key)
    add_blood(opened, qtbot)
    assert panel.button.isEnabled()


def test_ecv_is_shown_beside_the_maps_with_its_regions(pair, engine, qtbot):
    panel = pair.maps.ecv_panel
    find(panel, "maps.ecv.haematocrit").setValue(42.0)
    wait(qtbot, pair)
    panel.button.click()
    wait(qtbot, pair)
    native, post, blood, haematocrit, myocardium = engine.asked_ecv[-1]
    assert haematocrit == pytest.approx(0.42)
    assert native is pair.session.cases[0].maps[0].maps
    assert post is pair.session.cases[1].maps[0].maps
    assert blood.pixels[0].any()
    assert not blood.pixels[1].any()
    assert not (blood.pixels & myocardium.pixels).any()
    assert engine.asked_post == (None, None), "nothing was drawn on the post-contrast map"
    shown = pair.maps.maps.display.display.panes[-1]
    assert shown.title == "ECV"
    expected = 25 + native.main.values[0, 12, 10] * 1e-3
    assert shown.image[12, 10] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(shown.image[3, 3])
    rows = [panel.model.index(line, 0).data() for line in range(panel.model.rowCount())]
    assert "myocardium, slice 1" in rows
    assert "segment 8, slice 1" in rows
    pair.maps.ecv.copy()
    copied = list(csv.DictReader(io.StringIO(QGuiApplication.clipboard().text())))
    assert {"myocardium", "segment 8", "summary blood native ms"} <= {row["region"] for row in copied}


def test_ecv_goes_when_a_map_it_was_made_from_is_fitted_anew(pair, qtbot):
    panel = pair.maps.ecv_panel
    find(panel, "maps.ecv.haematocrit").setValue(42.0)
    wait(qtbot, pair)
    panel.button.click()
    wait(qtbot, pair)
    pair.maps.fit_panel.changed.emit("change the inversion efficiency", {"efficiency": 0.97})
    wait(qtbot, pair)
    assert [pane.title for pane in pair.maps.maps.display.display.panes] == ["Images"]
    assert pair.maps.ecv.result is None


def test_agreement_with_the_reference(opened, qtbot):  # noqa: F811
    panel = opened.maps.agreement_panel
    qtbot.waitUntil(lambda: "Maps of the reference" in panel.hint.text())
    add_result(opened)
    wait(qtbot, opened)
    qtbot.waitUntil(lambda: len(opened.maps.agreement.agreements) == 1)
    (found,) = opened.maps.agreement.agreements
    reference, method = (result.maps for result in opened.session.current.maps)
    both = reference.valid & method.valid
    difference = (method.main.values - reference.main.values)[both]
    assert found.bias == pytest.approx(difference.mean(), rel=1e-5)
    assert found.lower < found.bias < found.upper
    np.testing.assert_array_equal(found.differences, difference)
    assert panel.model.index(0, 1).data() == f"{difference.mean():+.1f}"
    panel.region_chosen.emit("myocardium")
    qtbot.waitUntil(lambda: not opened.maps.agreement.agreements)
    assert "Nothing was drawn" in panel.hint.text()
    draw_all(opened, qtbot)
    qtbot.waitUntil(lambda: len(opened.maps.agreement.agreements) == 1)
    wait(qtbot, opened)
    assert 0 < opened.maps.agreement.agreements[0].n < both.sum() / 2
    opened.maps.agreement.copy()
    rows = list(csv.DictReader(io.StringIO(QGuiApplication.clipboard().text())))
    panel.region_chosen.emit("segments")
    qtbot.waitUntil(lambda: len(opened.maps.agreement.agreements) == 1 and opened.maps.agreement.agreements[0].n == 6)
    assert opened.maps.agreement.agreements[0].means.shape == (6,)
    assert [(row["method"], row["region"]) for row in rows] == [("CG-SENSE", "myocardium")]
    assert float(rows[0]["lower_limit_ms"]) < float(rows[0]["bias_ms"]) < float(rows[0]["upper_limit_ms"])


def test_the_map_of_disagreement_stands_beside_the_maps(opened, qtbot):  # noqa: F811
    add_result(opened)
    wait(qtbot, opened)
    panel = opened.maps.agreement_panel
    panel.disagreement.setChecked(True)
    qtbot.waitUntil(lambda: len(opened.maps.maps.display.display.panes) == 3)
    shown = opened.maps.maps.display.display.panes[-1]
    one, other = (result.maps.main.values[0, 7, 9] for result in opened.session.current.maps)
    assert shown.image[7, 9] == pytest.approx(abs(one - other) / np.sqrt(2), rel=1e-4)
    assert shown.lines[0] == "SD across 2 maps"
    opened.maps.maps.toggle_difference()
    wait(qtbot, opened)
    assert len(opened.maps.maps.display.display.row(ERROR)) == 3
    panel.disagreement.setChecked(False)
    qtbot.waitUntil(lambda: len(opened.maps.maps.display.display.panes) == 2)


def test_radii_of_the_drawing_make_sense():
    assert ENDO > 2.0, "the blood pool of these tests lies inside the endocardial contour"
