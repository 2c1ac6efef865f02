from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QHelpEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton, QToolTip

from app.display.colors import INVALID, table, to_rows
from app.display.frames import ERROR, IMAGE, PROFILE, REFERENCE, Display
from app.display.layers import LineLayer, first
from app.display.snapshot import SessionSnapshot
from app.display.state import Component, ErrorMode, ViewState
from app.review.resolve import resolve
from app.views import link as link_module
from app.views.grid import PaneGrid
from tests.app.display.build import entry, mask, series, snapshot

VIEW = ViewState(profile=(1, 3, 7, 3))


def place(pane, x, y):
    """Return the widget position of a data pixel's centre."""
    at = pane.target().to_view(*pane.link.display.orientation.to_display(x, y))
    return QPoint(round(at[0]), round(at[1]))


def wheel(pane, notches, modifiers=Qt.KeyboardModifier.NoModifier, at=None):
    at = QPointF(at or pane.rect().center())
    event = QWheelEvent(
        at, QPointF(pane.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, -120 * notches), Qt.MouseButton.NoButton, modifiers,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(pane, event)


def drag(pane, start, stop, button=Qt.MouseButton.LeftButton):
    QTest.mousePress(pane, button, pos=start)
    for share in (0.4, 1.0):
        QTest.mouseMove(pane, start + (stop - start) * share)
    QTest.mouseRelease(pane, button, pos=stop)


def test_only_panes_that_differ_are_touched(grid, data):
    assert grid.apply(resolve(data, VIEW)) == 0
    # Another frame: three images, two errors, three profile marks.
    assert grid.apply(resolve(data, replace(VIEW, frame=1))) == 8
    assert grid.apply(resolve(data, replace(VIEW, frame=1))) == 0
    changed = replace(data, results=(data.results[0], entry("r1", series(seed=9))))
    assert grid.apply(resolve(changed, replace(VIEW, frame=1))) == 3  # image, error, profile of one result


def test_widgets_are_kept_when_results_come_and_go(grid, data):
    kept = grid.pane(REFERENCE)
    grid.apply(resolve(replace(data, results=data.results[:1]), VIEW))
    assert grid.pane("r1") is None
    assert grid.pane(REFERENCE) is kept
    grid.apply(resolve(data, VIEW))
    assert grid.pane("r1").isVisible()


def test_pixels_on_screen_are_the_data_pixels(grid, data):
    """Every data pixel is drawn where the mapping says, unsmoothed, in all orientations and zooms."""
    for turns, flipped, zoom in ((0, False, 1.0), (1, False, 1.0), (2, True, 1.0), (3, True, 2.0)):
        view = replace(VIEW, quarter_turns=turns, flipped=flipped, show_region=False, show_profile=False)
        grid.reset_view()
        grid.apply(resolve(data, view))
        grid.zoom_by(zoom)
        pane = grid.pane("r0")
        picture = pane.grab().toImage()
        magnitude = np.abs(data.results[0].reconstruction.image[0, 0])
        rows = to_rows(magnitude.astype(np.float32), grid.display.window)
        seen = 0
        for y, x in np.ndindex(magnitude.shape):
            at = place(pane, x, y)
            if pane.picture_area().adjusted(1, 1, -1, -1).contains(QPointF(at)):
                assert picture.pixelColor(at).red() == table("gray")[rows[y, x], 0]
                assert pane.data_pixel(QPointF(at)) == (x, y)
                seen += 1
        assert seen == magnitude.size if zoom == 1.0 else 8 < seen < magnitude.size


def test_not_a_number_is_painted_violet(grid, data):
    image = np.array(data.reference)
    image[0, 0, 5, 4] = np.nan
    grid.apply(resolve(replace(data, results=(entry("bad", image),)), replace(VIEW, show_region=False)))
    pane = grid.pane("bad")
    color = pane.grab().toImage().pixelColor(place(pane, 4, 5))
    assert (color.red(), color.green(), color.blue()) == INVALID


def test_cursor_is_told_in_data_pixels_and_shown_in_the_other_panes(grid, data, qtbot):
    grid.apply(resolve(data, replace(VIEW, quarter_turns=1, flipped=True)))
    pane, other = grid.pane("r0"), grid.pane("r1")
    before = other.grab().toImage()
    with qtbot.waitSignal(grid.cursorMoved) as moved:
        QTest.mouseMove(pane, place(pane, 6, 1))
    assert moved.args == [6, 1]
    assert other.grab().toImage() != before
    with qtbot.waitSignal(grid.cursorLeft):
        QTest.mouseMove(pane, QPoint(3, 3))  # the title
    assert other.grab().toImage() == before


def differing(one, other):
    """Return the (x, y) of the pixels in which two pictures differ."""
    return np.array([(x, y) for x in range(one.width()) for y in range(one.height()) if one.pixel(x, y) != other.pixel(x, y)])


@pytest.mark.parametrize(("turns", "flipped"), [(0, False), (1, False), (3, True)])
def test_the_cross_stands_on_the_pixel_under_the_cursor(grid, data, turns, flipped):
    grid.apply(resolve(data, replace(VIEW, quarter_turns=turns, flipped=flipped, show_region=False, show_profile=False)))
    pane, other = grid.pane("r0"), grid.pane("r1")
    before = other.grab().toImage()
    QTest.mouseMove(pane, place(pane, 6, 1))
    cross, at = differing(before, other.grab().toImage()), place(other, 6, 1)
    assert len(cross) > 20
    assert np.abs((cross.min(axis=0) + cross.max(axis=0)) / 2 - (at.x(), at.y())).max() <= 1


@pytest.mark.parametrize(("turns", "flipped"), [(0, False), (1, False), (2, True)])
def test_the_outline_follows_the_borders_of_the_region(grid, data, turns, flipped):
    view = replace(VIEW, quarter_turns=turns, flipped=flipped, show_profile=False)
    pane = grid.pane("r0")
    grid.apply(resolve(data, replace(view, show_region=False)))
    without = pane.grab().toImage()
    grid.apply(resolve(data, view))
    outline = differing(without, pane.grab().toImage())
    corners = [place(pane, x, y) for x in (2.5, 6.5) for y in (1.5, 4.5)]  # the region is x 3 to 6, y 2 to 4
    left, top = (min(getattr(c, name)() for c in corners) for name in ("x", "y"))
    right, bottom = (max(getattr(c, name)() for c in corners) for name in ("x", "y"))
    assert np.abs(np.r_[outline.min(axis=0), outline.max(axis=0)] - (left, top, right, bottom)).max() <= 1
    for corner in corners:  # large pixels are not calmed: corners stay
        assert np.abs(outline - (corner.x(), corner.y())).sum(axis=1).min() <= 2


def test_a_profile_is_as_wide_as_the_image_above_it(grid, data):
    grid.resize(1600, 600)
    pane, profile = grid.pane("r0"), grid.pane("r0", PROFILE)
    assert pane.target().x > 20, "the image leaves room at its sides"
    left = pane.mapTo(grid, pane.target().to_view(-0.5, 0)[0] * QPointF(1, 0)).x()
    right = pane.mapTo(grid, pane.target().to_view(8.5, 0)[0] * QPointF(1, 0)).x()
    area = profile.picture_area()
    assert (profile.x() + area.left(), profile.x() + area.right()) == pytest.approx((left, right), abs=0.01)


def test_what_lies_under_a_mouse_at_rest_is_told_when_the_images_move(grid, data):
    pane, told = grid.pane("r0"), []
    grid.cursorMoved.connect(lambda x, y: told.append((x, y)))
    grid.cursorLeft.connect(lambda: told.append(None))
    at = place(pane, 6, 2)
    QTest.mouseMove(pane, at)
    for change in (
        lambda: grid.zoom_by(2.0),
        grid.reset_view,
        lambda: grid.apply(resolve(data, replace(VIEW, flipped=True))),
        lambda: grid.apply(resolve(data, VIEW)),
    ):
        change()
        assert told[-1] == pane.data_pixel(QPointF(at)) == grid.link.cursor
    assert told == [(6, 2), (5, 2), (6, 2), (2, 2), (6, 2)]
    grid.apply(resolve(replace(data, reference=None, results=()), VIEW))
    assert told[-1] is None


def test_the_pixel_under_the_mouse_is_told_when_a_drag_ends(grid):
    pane, told = grid.pane("r0"), []
    grid.cursorMoved.connect(lambda x, y: told.append((x, y)))
    QTest.mouseMove(pane, place(pane, 4, 3))
    drag(pane, place(pane, 4, 3), place(pane, 4, 5))  # the profile line
    assert told[-1] == (4, 5)


def test_playing_under_the_mouse_draws_no_more_than_the_pictures(grid, data, monkeypatch):
    QTest.mouseMove(grid.pane("r0"), place(grid.pane("r0"), 6, 1))
    all_again = []
    monkeypatch.setattr(grid, "refresh", lambda: all_again.append(1))
    assert grid.apply(resolve(data, replace(VIEW, frame=1))) == 8
    assert all_again == []


@pytest.mark.parametrize(("size", "lines"), [((1400, 900), 1), ((420, 420), 0)])
def test_a_badge_does_not_hide_a_small_picture(grid, data, size, lines):
    grid.resize(*size)
    view = replace(VIEW, show_region=False, show_profile=False)
    grid.apply(resolve(data, view))
    pane = grid.pane("r0")
    before = pane.grab().toImage()
    grid.apply(resolve(replace(data, mask=mask(2.0)), view))
    assert pane.frame.badges[0].startswith("stale: made with R 4 (")
    box = differing(before, pane.grab().toImage())
    height = box[:, 1].max() - box[:, 1].min()
    assert 8 < height < pane.picture_area().height() / 5 + 8
    assert (box[:, 0].max() - box[:, 0].min() > 120) == bool(lines), "the whole sentence where there is room"
    assert "R 4" in pane.toolTip()


def test_no_tooltip_hides_the_picture(grid):
    pane = grid.pane("r0")
    told = []
    for at in (place(pane, 4, 3), QPoint(20, 8)):  # the picture, the title
        event = QHelpEvent(QEvent.Type.ToolTip, at, pane.mapToGlobal(at))
        QApplication.sendEvent(pane, event)
        told.append(QToolTip.isVisible())
    QToolTip.hideText()
    assert pane.toolTip()
    assert told == [False, True]


def test_wheel_steps_frames_shift_steps_slices(grid, qtbot):
    with qtbot.waitSignal(grid.frameRequested) as asked:
        wheel(grid.pane("r0"), 2)
    assert asked.args == [2]
    with qtbot.waitSignal(grid.sliceRequested) as asked:
        wheel(grid.pane("r0"), -1, Qt.KeyboardModifier.ShiftModifier)
    assert asked.args == [-1]


def test_fine_wheels_add_up(grid, qtbot):
    pane, told = grid.pane("r0"), []
    grid.frameRequested.connect(told.append)
    for _ in range(4):
        wheel(pane, 0.25)
    assert told == [1]


def test_zoom_is_linked_and_keeps_the_pixel_under_the_cursor(grid):
    pane, other = grid.pane("r0"), grid.pane("r1")
    at = place(pane, 2, 2)
    for _ in range(4):
        wheel(pane, -1, Qt.KeyboardModifier.ControlModifier, at)
    assert grid.camera.zoom == pytest.approx(1.25**4)
    assert pane.data_pixel(QPointF(at)) == (2, 2)
    assert other.target() == pane.target()
    drag(pane, at, at + QPoint(60, 0))
    assert other.target() == pane.target()
    assert pane.data_pixel(QPointF(at + QPoint(60, 0))) == (2, 2)
    QTest.mouseDClick(pane, Qt.MouseButton.LeftButton, pos=at)
    assert grid.camera.zoom == 1.0


@pytest.mark.parametrize("button", [Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton])
def test_window_drag(grid, qtbot, button):
    pane = grid.pane("r0")
    low, high = grid.display.window
    told = []
    grid.windowChanged.connect(lambda *window: told.append(window))
    with qtbot.waitSignal(grid.dragFinished):
        drag(pane, QPoint(40, 80), QPoint(140, 80), button)
    new_low, new_high = told[-1]
    assert new_high - new_low == pytest.approx((high - low) * np.exp(100 / 200))
    drag(pane, QPoint(40, 80), QPoint(40, 140), button)
    assert sum(told[-1]) / 2 == pytest.approx((low + high) / 2 + 0.2 * (high - low))
    with qtbot.waitSignal(grid.windowReset):
        QTest.mouseDClick(pane, button, pos=QPoint(40, 80))


def test_fixed_scales_have_no_window_drag(grid, data):
    told = []
    grid.windowChanged.connect(lambda *window: told.append(window))
    for component in (Component.PHASE, Component.KSPACE):
        grid.apply(resolve(data, replace(VIEW, component=component)))
        drag(grid.pane("r0"), QPoint(40, 80), QPoint(140, 80), Qt.MouseButton.RightButton)
    assert told == []


@pytest.mark.parametrize(("turns", "flipped"), [(0, False), (1, False), (3, True)])
def test_profile_line_is_dragged_in_any_pane_and_mirrored_in_all(grid, data, qtbot, turns, flipped):
    grid.apply(resolve(data, replace(VIEW, quarter_turns=turns, flipped=flipped)))
    pane = grid.pane("r1")
    told = []
    grid.viewEdited.connect(lambda _, changes: told.append(changes["profile"]))
    with qtbot.waitSignal(grid.dragFinished):
        drag(pane, place(pane, 4, 3), place(pane, 4, 5))  # the whole line, two pixels down
    assert told[-1] == pytest.approx((1, 5, 7, 5), abs=0.05)
    assert {first(grid.pane(key).layers, LineLayer).line for key in (REFERENCE, "r0", "r1")} == {told[-1]}, (
        "before the session follows"
    )
    drag(pane, place(pane, 7, 5), place(pane, 6, 2))  # one end
    assert told[-1] == pytest.approx((1, 5, 6, 2), abs=0.05)
    # The answer of the session is the same line: profiles follow.
    grid.apply(resolve(data, replace(VIEW, quarter_turns=turns, flipped=flipped, profile=told[-1])))
    assert grid.pane("r0", PROFILE).frame.image.shape[1] == round(np.hypot(5, 3)) + 1


def test_whole_line_stops_at_the_border_unbent(grid):
    pane = grid.pane("r0")
    told = []
    grid.viewEdited.connect(lambda _, changes: told.append(changes["profile"]))
    drag(pane, place(pane, 4, 3), place(pane, 4, 3) + QPoint(0, 400))
    assert told[-1] == pytest.approx((1, 6, 7, 6), abs=0.05)


def test_click_selects_and_a_drag_does_not(grid, qtbot):
    pane = grid.pane("r1")
    told = []
    grid.paneClicked.connect(told.append)
    QTest.mouseClick(pane, Qt.MouseButton.LeftButton, pos=place(pane, 2, 5))
    drag(pane, place(pane, 2, 5), place(pane, 6, 6))
    assert told == ["r1"]


def test_click_in_a_profile_goes_to_its_frame(grid, qtbot):
    pane = grid.pane("r0", PROFILE)
    area = pane.picture_area()
    with qtbot.waitSignal(grid.frameRequested) as asked:
        QTest.mouseClick(pane, Qt.MouseButton.LeftButton, pos=QPoint(int(area.center().x()), int(area.top() + 0.7 * area.height())))
    assert asked.args == [3]


def test_a_profile_can_be_scrubbed_quicker_than_it_is_drawn(grid, data):
    pane = grid.pane("r0", PROFILE)
    area, told = pane.picture_area(), []
    grid.frameRequested.connect(told.append)

    def at(frame):
        return QPoint(int(area.center().x()), int(area.top() + (frame + 0.5) / 5 * area.height()))

    QTest.mousePress(pane, Qt.MouseButton.LeftButton, pos=at(1))
    for frame in (2, 4, 3):
        QTest.mouseMove(pane, at(frame))
    assert sum(told) == 3, "steps count from the frame asked for, not from the one on screen"
    grid.apply(resolve(data, replace(VIEW, frame=3)))
    QTest.mouseMove(pane, at(0))
    assert told[-1] == -3
    QTest.mouseRelease(pane, Qt.MouseButton.LeftButton, pos=at(0))


def test_flip_shows_the_other_picture_in_place(grid):
    place_of, other = grid.pane("r0"), grid.pane("r1")
    own = place_of.frame
    grid.flip("r0", "r1")
    assert place_of.frame is other.frame
    assert grid.pane("r0", ERROR).frame is grid.pane("r1", ERROR).frame
    grid.flip("", "")
    assert place_of.frame is own


def test_the_picture_under_the_mouse_is_known(grid):
    assert grid.pointed is None
    for key, role in (("r0", IMAGE), ("r1", ERROR), (REFERENCE, IMAGE)):
        pane = grid.pane(key, role)
        QTest.mouseMove(pane, place(pane, 4, 5))
        assert (grid.pointed.key, grid.pointed.row) == (key, role)
    grid.flip(REFERENCE, "r0")
    assert grid.pointed.key == "r0"
    QTest.mouseMove(grid.pane(REFERENCE), QPoint(3, 3))  # the title
    assert grid.pointed is None


def test_legend_tells_both_scales(grid, data):
    legend = grid.findChild(object, "grid.legend")
    image, error = legend.scales
    assert image.levels == grid.display.window
    assert error.levels == (0.0, grid.display.window[1] / 5)
    assert error.label == "error ×5"
    assert "error ×5: 0 to" in legend.accessibleName()
    grid.apply(resolve(data, replace(VIEW, error_mode=ErrorMode.NONE)))
    assert len(legend.scales) == 1
    assert legend.isVisible()


def test_names_for_screen_readers(grid):
    pane = grid.pane("r0")
    assert pane.accessibleName() == "image r0"
    assert pane.objectName() == "grid.image.r0"
    assert "slice 1, frame 1" in grid.pane(REFERENCE).accessibleDescription()


def test_empty_grid_says_what_to_do_and_offers_it(grid, qtbot):
    done = []
    action = QAction("Open…", grid)
    action.setObjectName("file.open")
    action.triggered.connect(lambda: done.append(1))
    grid.set_empty_actions([action])
    grid.apply(resolve(SessionSnapshot(), ViewState()))
    button = grid.findChild(QToolButton, "grid.empty.file.open")
    assert button.isVisible()
    assert "Open a k-space file" in grid.findChild(object, "grid.empty.hint").text()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert done == [1]
    grid.apply(Display())
    assert grid.pane("r0") is None


@pytest.mark.parametrize("count", [1, 4, 8])
def test_screenshots_are_not_blank(grid, count):
    for errors in (ErrorMode.ABSOLUTE, ErrorMode.NONE):
        for component in Component:
            grid.apply(resolve(snapshot(count), replace(VIEW, error_mode=errors, component=component)))
            image = grid.grab().toImage()
            colors = {image.pixel(x, y) for x in range(0, image.width(), 5) for y in range(0, image.height(), 5)}
            assert len(colors) > 20


def test_a_step_of_nine_panes_colours_seventeen_pictures_once(qtbot, themed, monkeypatch):
    """Nine images and eight errors; the profiles only move their mark, and what comes again is not coloured by its neighbours."""
    coloured = []
    original = link_module.to_words
    monkeypatch.setattr(link_module, "to_words", lambda image, *a, **k: coloured.append(image) or original(image, *a, **k))
    reference = series(shape=(1, 12, 64, 64))
    results = tuple(entry(f"r{i}", (reference * np.float32(1 + i / 10)).astype(np.complex64)) for i in range(8))
    data = snapshot(0, reference=reference, results=results, region=None)
    grid = PaneGrid()
    qtbot.addWidget(grid)
    grid.resize(1100, 800)
    grid.show()
    qtbot.waitExposed(grid)
    views = [ViewState(frame=f) for f in range(12)]
    grid.apply(resolve(data, views[-1]))
    QApplication.processEvents()
    for view in views:
        coloured.clear()
        display = resolve(data, view)
        assert grid.apply(display) == 26
        QApplication.processEvents()
        pictures = [frame.image for frame in (*display.panes, *display.row(ERROR)) if frame.image is not None]
        assert sorted(map(id, coloured)) == sorted(map(id, pictures))
        assert len(pictures) == 17
    coloured.clear()
    grid.repaint()
    assert not coloured, "nothing is coloured twice"
