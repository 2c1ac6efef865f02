"""The Maps workspace on the real engine: a sample becomes a map, its curve, its segments; pictures.

Pictures go to the folder in MYOSCOPE_PICTURES (a temporary one without it): they are meant to be looked at.
"""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QProgressBar

from app.display.frames import REFERENCE
from engine import api
from engine.core.types import ImageSeries, Kind
from tests.app.real import CHEAP, PATIENCE_MS, Watched, picture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TIMES = np.array([100, 180, 260, 1100, 1180, 1260, 2100, 2180, 3100, 4100, 5100], np.float32)
T1 = (700.0, 1200.0)


def series(size=256, noise=10.0) -> ImageSeries:
    """Return MOLLI images of two tissues side by side, air above: A = 1000, B = 1900, so that T1 = 0.9 T1*."""
    t1 = np.where(np.arange(size)[None, :] < size // 2, *T1).repeat(size, axis=0)
    signal = np.abs(1000.0 - 1900.0 * np.exp(-TIMES[:, None, None] / (t1 / 0.9)))
    images = np.abs(signal + np.random.default_rng(0).normal(0, noise, signal.shape)).astype(np.float32)
    images[:, : size // 8] = 1.0
    return ImageSeries(images[None], Kind.MOLLI, TIMES[None], name="two tissues", unknown=("orientation",))


@pytest.fixture
def engine():
    """Return the real engine, watched."""
    return Watched()


@pytest.fixture
def maps(make_window, engine, qtbot):
    """Return a window on the real engine with the Maps workspace on screen."""
    window = make_window(engine)
    window.set_theme("dark")
    window.resize(QSize(1366, 768))
    window.show_workspace("maps")
    qtbot.waitUntil(lambda: bool(window.maps.fit.models), timeout=PATIENCE_MS)
    return window


def add(window, data, qtbot):
    window.session.insert(window.session.new_case(data, data.name))
    qtbot.waitUntil(lambda: bool(window.session.current.maps) and not window.maps.fit.running, timeout=PATIENCE_MS)
    QApplication.processEvents()


def click(window, qtbot, x, y):
    pane = window.maps.panel.grid.pane(REFERENCE)
    before = window.maps.maps.curves
    at = pane.target().to_view(*pane.link.display.orientation.to_display(x, y))
    QTest.mouseClick(pane, Qt.MouseButton.LeftButton, pos=QPoint(round(at[0]), round(at[1])))
    qtbot.waitUntil(lambda: window.maps.maps.curves is not before, timeout=PATIENCE_MS)


def test_a_sample_becomes_a_map_with_curves_and_its_pictures(maps, qtbot, folder):
    picture(maps, folder / "maps_empty.png")
    add(maps, api.open_sample("kidney_molli"), qtbot)
    click(maps, qtbot, 150, 115)
    dark = picture(maps, folder / "maps_kidney.png")
    maps.set_theme("light")
    light = picture(maps, folder / "maps_kidney_light.png")
    assert (dark != light).any()
    (result,) = maps.session.current.maps
    kidney = result.maps.main.values[1, 110:120, 120:130]
    assert 500 < np.median(kidney[result.maps.valid[1, 110:120, 120:130]]) < 3000
    (curve,) = maps.maps.maps.curves
    found = curve.fit.parameters["t1_ms"]
    assert found[1] < found[0] < found[2]
    assert found[0] == pytest.approx(result.maps.main.values[1, 115, 150], rel=1e-3), "the curve is that of the map's pixel"


def choose_motion(window, how):
    box = window.findChild(QComboBox, "maps.motion")
    box.setCurrentIndex(box.findData(how))
    box.activated.emit(box.currentIndex())
    QApplication.processEvents()


@pytest.mark.parametrize("how", ["rigid", "deformable"])
def test_motion_correction_runs_in_a_worker_is_cancelled_and_flipped(maps, engine, qtbot, folder, how):
    add(maps, api.open_sample("kidney_molli"), qtbot)
    click(maps, qtbot, 150, 115)
    choose_motion(maps, how)
    button = maps.maps.fit_panel.button
    without = maps.session.current.maps
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    bar = maps.findChild(QProgressBar, "maps.progress")
    qtbot.waitUntil(lambda: bar.value() > 0, timeout=PATIENCE_MS)
    assert maps.maps.fit.running
    picture(maps, folder / f"maps_{how}_running.png")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not maps.maps.fit.running, timeout=PATIENCE_MS)
    assert maps.session.current.maps is without, "a cancelled fit leaves its old maps"

    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not maps.maps.fit.running, timeout=PATIENCE_MS)
    assert set(engine.by_the_window) <= CHEAP, "never on the GUI thread"

    (result,) = maps.session.current.maps
    moved = result.maps.displacement.any(axis=(1, 2, 3, 4))
    valid = result.maps.valid & result.before.valid
    # Without a region the body as a whole does not move; breathing moves the kidneys in it.
    assert moved.any() == (how == "deformable")
    for index in np.flatnonzero(moved):
        after, before = (m.residual[index][valid[index]] for m in (result.maps, result.before))
        assert np.mean(after**2) < np.mean(before**2)
    maps.maps.maps.set_slice(int(np.flatnonzero(moved)[-1]) if moved.any() else 0)
    for theme in ("dark", "light"):
        maps.set_theme(theme)
        qtbot.waitUntil(lambda: not maps.runner.active(), timeout=PATIENCE_MS)
        corrected = picture(maps, folder / f"maps_{how}_{theme}.png")
        QTest.keyPress(maps, Qt.Key.Key_F)
        qtbot.waitUntil(lambda: maps.maps.maps.curves[0].title.endswith("uncorrected"), timeout=PATIENCE_MS)
        assert (picture(maps, folder / f"maps_{how}_before_{theme}.png") != corrected).any()
        QTest.keyRelease(maps, Qt.Key.Key_F)
        qtbot.waitUntil(lambda: maps.maps.maps.curves[0].title == "Images", timeout=PATIENCE_MS)


def test_segments_of_known_tissue(maps, qtbot, folder):
    add(maps, series(96), qtbot)
    regions = maps.maps.regions
    turn = np.arange(10) * 2 * np.pi / 10
    for tool, radius in (("endo", 12.0), ("epi", 24.0)):
        maps.maps.maps.set_tool(tool)
        for angle in turn:
            regions.add_point(48 + radius * np.cos(angle), 54 + radius * np.sin(angle))
    maps.maps.maps.set_tool("insertion")
    regions.add_point(40.0, 31.0)
    qtbot.waitUntil(lambda: len(regions.measured.rows) == 7, timeout=PATIENCE_MS)
    QApplication.processEvents()
    picture(maps, folder / "maps_segments.png")
    rows = {row.segment: row for row in regions.measured.rows}
    assert set(rows) == {0, *range(7, 13)}
    # The septum follows the insertion counter-clockwise, in the half whose T1 is known; the lateral wall lies in the other.
    assert rows[8].median == pytest.approx(T1[0], rel=0.02)
    assert rows[9].median == pytest.approx(T1[0], rel=0.02)
    assert rows[12].median == pytest.approx(T1[1], rel=0.02)
    assert maps.maps.regions_panel.bullseye.values[9] == pytest.approx(rows[9].mean)
