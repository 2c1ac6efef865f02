"""What the mouse does with each tool."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from app.display.frames import REFERENCE
from app.display.layers import DividerLayer, RoiLayer, first
from app.display.shapes import Shape
from app.display.state import Component, ViewState
from app.review.resolve import resolve
from app.views.tools.contract import TOOLS
from tests.app.views.test_grid import drag, place
from tests.app.views.test_layers import with_layers

VIEW = ViewState(profile=(1, 3, 7, 3))
PLAIN = replace(VIEW, show_profile=False)
SIGNALS = (
    "windowChanged", "windowReset", "viewEdited", "paneClicked", "pixelClicked", "pointClicked", "handleMoved", "dragFinished",
)  # fmt: skip


@pytest.fixture
def told(grid):
    """Collect what the grid tells, as (signal, values)."""
    said = []
    for name in SIGNALS:
        getattr(grid, name).connect(lambda *values, name=name: said.append((name, values)))
    return said


def names(told):
    return [name for name, _ in told]


@pytest.mark.parametrize("name", TOOLS.names())
def test_every_tool_survives_click_and_drag_in_every_row(grid, told, name):
    grid.set_tool(name)
    for pane in (grid.pane(REFERENCE), grid.pane("r0", "error"), grid.pane("r0", "profile")):
        at = pane.picture_area().center().toPoint()
        QTest.mouseClick(pane, Qt.MouseButton.LeftButton, pos=at)
        drag(pane, at, at + QPoint(15, -12))
        QTest.mouseDClick(pane, Qt.MouseButton.LeftButton, pos=at)
        assert not grid.mouse.dragging


def test_the_left_button_can_drag_the_window(grid, told, data):
    grid.set_tool("window")
    grid.apply(resolve(data, PLAIN))
    pane = grid.pane("r0")
    drag(pane, place(pane, 2, 2), place(pane, 2, 2) + QPoint(50, 0))
    low, high = told[-2][1]
    assert names(told)[-2:] == ["windowChanged", "dragFinished"]
    assert high - low > grid.display.window[1] - grid.display.window[0]
    assert grid.camera.zoom == 1.0
    QTest.mouseDClick(pane, Qt.MouseButton.LeftButton, pos=place(pane, 2, 2))
    assert names(told)[-1] == "windowReset"
    told.clear()
    grid.apply(resolve(data, replace(PLAIN, component=Component.PHASE)))
    drag(pane, place(pane, 2, 2), place(pane, 2, 2) + QPoint(50, 0))
    assert told == [], "the scale of a phase is fixed"
    QTest.mouseClick(pane, Qt.MouseButton.LeftButton, pos=place(pane, 2, 2))
    assert told == [("paneClicked", ("r0",))], "a click selects with every tool"


def test_zoom_by_dragging_keeps_the_place_where_it_began(grid, data):
    grid.set_tool("zoom")
    grid.apply(resolve(data, PLAIN))
    pane = grid.pane("r0")
    at = place(pane, 5, 4)
    drag(pane, at, at - QPoint(0, 120))
    assert grid.camera.zoom == pytest.approx(2.718, rel=0.01)
    assert pane.data_pixel(QPointF(at)) == (5, 4)
    assert grid.pane("r1").target() == pane.target()
    drag(pane, at, at + QPoint(0, 300))
    assert grid.camera.zoom == 1.0


def test_the_line_tool_draws_a_line_and_shows_the_profiles(grid, told, data):
    grid.set_tool("line")
    grid.apply(resolve(data, PLAIN))
    pane = grid.pane("r1")
    drag(pane, place(pane, 2, 5), place(pane, 7, 1))
    edits = [changes for name, (_, changes) in ((n, v) for n, v in told if n == "viewEdited")]
    assert edits[0] == {"show_profile": True}
    assert edits[-1]["profile"] == pytest.approx((2, 5, 7, 1), abs=0.06)
    assert names(told)[-1] == "dragFinished"


def test_what_can_be_moved_is_moved_whatever_tool_is_chosen(grid, told):
    for tool in ("pan", "zoom", "window", "line"):
        grid.set_tool(tool)
        pane = grid.pane("r0")
        drag(pane, place(pane, 4, 3), place(pane, 4, 4))
        assert told[-2][1][1]["profile"][1] == pytest.approx(4, abs=0.06)
        told.clear()
        grid.link.live.clear()


def test_the_divider_is_moved_in_all_panes_at_once(grid, told, data):
    grid.apply(resolve(data, replace(PLAIN, divider=0.5)))
    pane, other = grid.pane("r0"), grid.pane("r1")
    area = pane.picture_area()
    at = QPoint(round(area.center().x()), round(area.center().y()))
    QTest.mouseMove(pane, at)
    assert pane.cursor().shape() == Qt.CursorShape.SplitHCursor
    drag(pane, at, at + QPoint(30, 0))
    share = 0.5 + 30 / area.width()
    assert told[-2][1] == ("move the divider", {"divider": pytest.approx(share, abs=0.01)})
    assert first(other.layers, DividerLayer).position == pytest.approx(share, abs=0.01)
    drag(pane, at + QPoint(30, 0), at + QPoint(3000, 0))
    assert told[-2][1][1] == {"divider": 1.0}


def test_left_of_the_divider_the_picture_under_the_mouse_is_the_reference(grid, data):
    grid.apply(resolve(data, replace(PLAIN, divider=0.5)))
    pane = grid.pane("r0")
    for x, key in ((1, REFERENCE), (7, "r0")):
        QTest.mouseMove(pane, place(pane, x, 2))
        assert grid.pointed.key == key


def test_a_handle_moves_its_point_and_the_nearest_wins(grid, told, data):
    points = ((2.0, 2.0), (6.0, 2.0), (4.0, 5.0))
    grid.apply(with_layers(resolve(data, PLAIN), RoiLayer(Shape.POLYGON, points, "#ff0000", "roi")))
    pane = grid.pane("r0")
    drag(pane, place(pane, 6, 2), place(pane, 7, 3))
    name, (key, index, x, y) = told[-2]
    assert (name, key, index) == ("handleMoved", "roi", 1)
    assert (x, y) == pytest.approx((7, 3), abs=0.06)
    moved = first(pane.layers, RoiLayer).points
    assert (moved[0], moved[2]) == (points[0], points[2])
    assert moved[1] == (x, y)


def test_clicks_tell_a_pixel_or_a_point(grid, told):
    pane = grid.pane("r1")
    for tool, name in (("inspect", "pixelClicked"), ("point", "pointClicked")):
        grid.set_tool(tool)
        told.clear()
        QTest.mouseClick(pane, Qt.MouseButton.LeftButton, pos=place(pane, 2, 5))
        assert names(told) == ["paneClicked", name]
        assert told[1][1][0] == "r1"
        assert told[1][1][1:] == pytest.approx((2, 5), abs=0.06)


def test_a_second_button_ends_the_first_drag(grid, told):
    pane = grid.pane("r0")
    at = place(pane, 2, 6)
    QTest.mousePress(pane, Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseMove(pane, at + QPoint(10, 0))
    QTest.mousePress(pane, Qt.MouseButton.RightButton, pos=at)
    QTest.mouseMove(pane, at + QPoint(40, 0))
    QTest.mouseRelease(pane, Qt.MouseButton.RightButton, pos=at)
    QTest.mouseRelease(pane, Qt.MouseButton.LeftButton, pos=at)
    assert names(told) == ["dragFinished", "windowChanged", "dragFinished"]
