"""The window: names, keys, sizes, themes, layout, drag and drop, closing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPointF, QSize, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QPushButton,
    QScrollArea,
    QTabBar,
    QWidget,
)

from app.dialogs.closing import ClosingDialog
from app.display.state import Component, ErrorMode
from engine.core.records.methods import MethodInfo, PresetInfo
from tests.conftest import ROOT

NAMED = (
    "review.reconstruct",
    "sampling.acceleration",
    "sampling.acceleration.slider",
    "sampling.pattern",
    "sampling.acs",
    "sampling.seed",
    "sampling.per_frame",
    "methods.table",
    "methods.filter",
    "series.list",
    "inspector.scores",
    "inspector.values",
    "inspector.region",
    "top.samples",
    "top.device",
    "top.memory",
    "status.cursor",
    "status.notes",
    "status.research",
    "jobs",
    "review.grid",
    "player",
)


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_window_loads_nothing_slow():
    heavy = run_python(
        "import sys, app.main_window, app.application\n"
        "print([m for m in ('torch', 'scipy', 'napari', 'numba', 'h5py', 'pyqtgraph', 'app.maps.controller') if m in sys.modules])"
    )
    assert heavy.strip() == "[]"


@pytest.mark.slow
def test_the_window_is_on_screen_before_torch_scipy_or_napari():
    code = """
import sys
from PySide6.QtCore import QEvent, QObject
from app.application import make_application, make_window
from app.settings import Settings
application = make_application()
window = make_window(Settings())
slow = lambda: [m for m in ("torch", "scipy", "napari") if m in sys.modules]
painted = []
class Watch(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint and not painted:
            painted.append((window.isVisible(), slow()))
        return False
watch = Watch()
window.review_panel.grid.installEventFilter(watch)
window.machine.ready.connect(lambda: (painted.append("torch" in sys.modules), window.close()))
window.show()
application.exec()
print(painted)
"""
    assert run_python(code).strip() == "[(True, []), True]"


def test_controls_have_the_names_that_automation_uses(window):
    assert not [name for name in NAMED if window.findChild(QWidget, name) is None]


def test_every_control_has_a_name_for_screen_readers_or_a_buddy(loaded):
    buddies = {label.buddy() for label in loaded.findChildren(QLabel) if label.buddy() is not None}
    nameless = []
    for widget in loaded.findChildren(QWidget):
        if not isinstance(widget, QAbstractButton | QAbstractSpinBox | QAbstractSlider | QComboBox):
            continue
        if widget.objectName().startswith("qt_") or not widget.isVisibleTo(loaded) or "ScrollBar" in type(widget).__name__:
            continue
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        action = widget.defaultAction() if hasattr(widget, "defaultAction") else None
        if not (widget.accessibleName() or text or widget in buddies or action):
            nameless.append((type(widget).__name__, widget.objectName(), widget.parent().objectName()))
    # The close and float buttons of docks are Qt's own and named by it.
    assert [entry for entry in nameless if entry[0] != "QDockWidgetTitleButton"] == []


@pytest.mark.parametrize("theme", ["dark", "light", "system"])
def test_nothing_is_clipped_sideways_at_1366_by_768(loaded, qtbot, theme):
    loaded.set_theme(theme)
    loaded.resize(QSize(1366, 768))
    qtbot.wait(50)
    assert loaded.width() <= 1366
    assert loaded.height() <= 768
    for area in loaded.findChildren(QScrollArea):
        inner = area.widget()
        assert inner.minimumSizeHint().width() <= area.viewport().width(), area.objectName()
    assert loaded.review_panel.grid.width() > 700
    assert loaded.settings.get("window/theme") == theme


def key(window, name, text="", modifiers=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(window.review_panel.grid, name, modifiers)


def test_single_keys(loaded, qtbot):
    loaded.review_panel.grid.setFocus()
    loaded.activateWindow()
    for letter, component in (
        (Qt.Key.Key_P, Component.PHASE),
        (Qt.Key.Key_R, Component.REAL),
        (Qt.Key.Key_I, Component.IMAGINARY),
        (Qt.Key.Key_K, Component.KSPACE),
        (Qt.Key.Key_M, Component.MAGNITUDE),
    ):
        key(loaded, letter)
        assert loaded.session.current.view.component is component
    assert loaded.actions_by_key["view.magnitude"].isChecked()
    key(loaded, Qt.Key.Key_E)
    assert loaded.session.current.view.error_mode is ErrorMode.SIGNED
    key(loaded, Qt.Key.Key_D)
    assert not loaded.session.current.view.show_region
    key(loaded, Qt.Key.Key_L)
    assert not loaded.session.current.view.show_profile
    key(loaded, Qt.Key.Key_Right)
    assert loaded.session.current.view.frame == 1
    key(loaded, Qt.Key.Key_Left)
    key(loaded, Qt.Key.Key_Left)
    assert loaded.session.current.view.frame == 3
    key(loaded, Qt.Key.Key_Up)
    assert loaded.session.current.view.slice_index == 2
    key(loaded, Qt.Key.Key_Space)
    assert loaded.review_panel.player.is_playing()
    key(loaded, Qt.Key.Key_Space)
    assert not loaded.review_panel.player.is_playing()
    qtbot.waitUntil(lambda: not loaded.runner.active())


def test_arrows_and_space_belong_to_a_focused_control(loaded, qtbot):
    slider = loaded.findChild(QWidget, "sampling.acceleration.slider")
    loaded.activateWindow()
    slider.setFocus()
    qtbot.waitUntil(slider.hasFocus)
    before = slider.value()
    QTest.keyClick(slider, Qt.Key.Key_Right)
    assert slider.value() == before + 1
    assert loaded.session.current.view.frame == 0
    qtbot.waitUntil(lambda: not loaded.runner.active() and not loaded.sampling.pending)


def test_holding_f_flips_in_place_and_releasing_ends_it(loaded):
    grid = loaded.review_panel.grid
    pane = grid.pane("preview")
    before = pane.frame
    loaded.review_panel.grid.setFocus()
    press = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_F, Qt.KeyboardModifier.NoModifier, "f")
    QApplication.sendEvent(grid, press)
    assert pane.frame.key == "reference"
    assert grid.pane("preview") is pane
    QApplication.sendEvent(grid, QKeyEvent(QEvent.Type.KeyRelease, Qt.Key.Key_F, Qt.KeyboardModifier.NoModifier, "f"))
    assert pane.frame is before


def test_dropped_files_are_opened(window, engine, qtbot, tmp_path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "dropped.h5"))])
    enter = QDragEnterEvent(
        window.rect().center(), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    drop = QDropEvent(
        QPointF(window.rect().center()), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(window, drop)
    qtbot.waitUntil(lambda: window.session.current is not None and not window.runner.active())
    assert window.session.current.title == "dropped"


def test_layout_can_be_changed_reset_and_is_kept(make_window, settings, qtbot):
    first = make_window()
    qtbot.waitUntil(lambda: not first.runner.active())
    first.docks["inspector"].hide()
    first.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, first.docks["methods"])
    first.close()
    second = make_window()
    qtbot.waitUntil(lambda: not second.runner.active())
    assert second.docks["inspector"].isHidden()
    assert second.dockWidgetArea(second.docks["methods"]) == Qt.DockWidgetArea.RightDockWidgetArea
    second.reset_layout()
    assert not second.docks["inspector"].isHidden()
    assert second.dockWidgetArea(second.docks["methods"]) == Qt.DockWidgetArea.LeftDockWidgetArea


def test_a_broken_layout_in_the_settings_does_not_block(make_window, settings, qtbot):
    from PySide6.QtCore import QByteArray

    settings.set("window/state", QByteArray(b"nonsense"))
    settings.set("window/geometry", QByteArray(b"nonsense"))
    window = make_window()
    assert window.isVisible()
    qtbot.waitUntil(lambda: not window.runner.active())


def test_top_and_status_bar(loaded):
    assert loaded.top_bar.device.text() == "CPU, 1 thread"
    assert loaded.top_bar.memory.text() == "2.0 / 8 GiB"
    assert loaded.top_bar.indicator.text() == "no jobs"
    assert loaded.status_bar.research_label.text() == "Research use only"
    assert "simulated coils" in loaded.status_bar.notes_label.text()
    assert "orientation unknown" in loaded.status_bar.notes_label.text()
    assert loaded.windowTitle() == "tiny – Myoscope"
    loaded.review_panel.grid.cursorMoved.emit(3, 5)
    assert loaded.status_bar.cursor_label.text().startswith("x 3  y 5  frame 1: Reference ")
    loaded.review_panel.grid.cursorLeft.emit()
    assert loaded.status_bar.cursor_label.text() == ""


def test_recent_files_menu(window, qtbot, tmp_path):
    menu = next(m for m in window.menus["&File"].findChildren(type(window.menus["&File"])) if m.objectName() == "menu.recent")
    menu.aboutToShow.emit()
    assert [a.text() for a in menu.actions()] == ["No file was opened yet"]
    window.files.open([tmp_path / "scan.h5"])
    qtbot.waitUntil(lambda: window.session.current is not None and not window.runner.active())
    menu.aboutToShow.emit()
    assert [a.text() for a in menu.actions()] == ["scan.h5"]


def test_closing_during_a_job_ends_cleanly(loaded, engine, qtbot):
    engine.gate.clear()
    loaded.panels.methods.model.set_ticked(["cg_sense", "l1_wavelet"])
    loaded.reconstruct.run()
    qtbot.waitUntil(lambda: any(call[0] == "reconstruct" for call in engine.calls))
    assert not loaded.close(), "what runs is asked about"
    dialog = loaded.findChild(ClosingDialog, "closing")
    assert "CG-SENSE" in dialog.findChild(QLabel, "closing.line0").text()
    dialog.findChild(QPushButton, "closing.discard").click()
    assert not loaded.isVisible()
    assert not loaded.runner.active()
    assert not loaded.session.current.results


def test_full_screen(window, qtbot):
    switch = window.actions_by_key["view.full_screen"]
    switch.trigger()
    assert window.isFullScreen()
    assert switch.isChecked()
    window.showNormal()
    qtbot.waitUntil(lambda: not switch.isChecked())
    switch.trigger()
    assert window.isFullScreen()
    switch.trigger()
    assert not window.isFullScreen()


@pytest.mark.parametrize(
    ("width", "height", "filled"), [(1366, 768, True), (1920, 1080, False), (1920, 780, True), (1280, 1024, True)]
)
def test_the_first_start_fills_a_screen_the_window_would_not_fit_on(make_window, width, height, filled):
    window = make_window()
    window.arrangement.fit(QSize(width, height))
    assert bool(window.windowState() & Qt.WindowState.WindowMaximized) is filled


def test_a_size_somebody_chose_is_kept(make_window, settings):
    window = make_window()
    window.arrangement.save()
    window.arrangement.fit(QSize(1366, 768))
    assert not window.windowState() & Qt.WindowState.WindowMaximized


def test_no_control_takes_the_letter_of_a_menu(loaded):
    def letter(text: str) -> str:
        at = text.replace("&&", "").find("&")
        return text.replace("&&", "")[at + 1].lower() if at >= 0 else ""

    menus = {letter(title) for title in loaded.menus}
    assert len(menus) == len(loaded.menus)
    texts = [w.text() for kind in (QLabel, QAbstractButton) for w in loaded.findChildren(kind)]
    taken = [text for text in texts if letter(text) in menus]
    assert not taken, "Alt with the letter would not open the menu"


def test_the_demo_reconstructs_its_sample_and_nothing_that_is_opened_later(window, engine, qtbot, tmp_path):
    from app.application import DEMO_METHODS, start_demo

    def idle() -> bool:
        return not window.runner.active() and not window.reconstruct.running and not window.sampling.pending

    presets = {"small": PresetInfo(186_570)}
    engine.catalogue.append(MethodInfo("myonet", "Myonet", kinds=("cine",), presets=presets, trainable=True, weights=("myonet",)))
    window.reconstruct.load_methods()
    qtbot.waitUntil(idle)
    start_demo(window)
    qtbot.waitUntil(lambda: window.session.current is not None and len(window.session.current.results) == 3 and idle())
    assert [r.method for r in window.session.current.results] == list(DEMO_METHODS)
    window.panels.methods.model.set_ticked(["cg_sense"])
    window.files.open([tmp_path / "own.h5"])
    qtbot.waitUntil(lambda: len(window.session.cases) == 2 and window.session.current.mask is not None and idle())
    assert not window.session.current.results
    assert window.panels.methods.model.ticked_names() == ["cg_sense"]


# --- workspaces ---------------------------------------------------------------------------------------------------------


def test_workspaces_have_tabs_keys_docks_and_actions_of_their_own(loaded, qtbot):
    assert [loaded.top_bar.tabs.tabText(i) for i in range(loaded.top_bar.tabs.count())][:2] == ["Review", "Maps"]
    assert "maps_fit" not in loaded.docks, "a page is made when its workspace is first opened"
    loaded.top_bar.tabs.setCurrentIndex(1)
    assert loaded.workspace == "maps"
    assert loaded.maps.panel.isVisible()
    assert not loaded.review_panel.isVisible()
    shown = {name for name, dock in loaded.docks.items() if not dock.isHidden()}
    assert shown == {"series", *(name for name in loaded.docks if name.startswith("maps"))}
    assert loaded.actions_by_key["maps.fit"].isVisible()
    assert not loaded.actions_by_key["recon.run"].isVisible()
    assert not loaded.actions_by_key["view.phase"].isEnabled(), "its key is free for others"
    assert not loaded.menus["&Reconstruct"].menuAction().isVisible()
    QTest.keyClick(loaded, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert loaded.workspace == "review"
    assert loaded.top_bar.tabs.currentIndex() == 0
    assert {name for name, dock in loaded.docks.items() if dock.isVisible()} == {"series", "sampling", "methods", "inspector"}
    assert loaded.actions_by_key["recon.run"].isEnabled()
    assert not loaded.actions_by_key["maps.fit"].isVisible()
    assert loaded.menus["&Reconstruct"].menuAction().isVisible()


def test_each_workspace_keeps_its_arrangement(make_window, settings):
    first = make_window(settings=settings)
    first.show_workspace("maps")
    first.docks["maps_pixel"].hide()
    first.show_workspace("review")
    assert not first.docks["inspector"].isHidden()
    first.show_workspace("maps")
    assert first.docks["maps_pixel"].isHidden()
    first.close()
    second = make_window(settings=settings)
    assert second.workspace == "review"
    assert not second.docks["inspector"].isHidden()
    second.show_workspace("maps")
    assert second.docks["maps_pixel"].isHidden()
    assert not second.docks["maps_fit"].isHidden()
    second.reset_layout()
    assert not second.docks["maps_pixel"].isHidden()
    second.show_workspace("review")
    assert not second.docks["inspector"].isHidden()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_of_the_maps_is_clipped_sideways_at_1366_by_768(loaded, qtbot, theme):
    loaded.set_theme(theme)
    loaded.resize(QSize(1366, 768))
    loaded.show_workspace("maps")
    qtbot.wait(50)
    assert loaded.width() <= 1366
    assert loaded.height() <= 768
    for area in loaded.findChildren(QScrollArea):
        if area.isVisible():
            assert area.widget().minimumSizeHint().width() <= area.viewport().width(), area.objectName()
    assert loaded.maps.panel.width() > 600


def test_every_control_of_the_maps_has_a_name_for_screen_readers(loaded, qtbot):
    loaded.show_workspace("maps")
    test_every_control_has_a_name_for_screen_readers_or_a_buddy(loaded)
    page = loaded.maps
    for widget in [w for panel in (page.panel, *(panel for _, panel in page.docks)) for w in panel.findChildren(QAbstractButton)]:
        assert widget.objectName(), widget


def test_the_player_stands_still_in_another_workspace(loaded):
    loaded.review.toggle_play()
    assert loaded.review_panel.player.is_playing()
    loaded.show_workspace("maps")
    assert not loaded.review_panel.player.is_playing()


def test_going_from_one_workspace_to_another_keeps_the_size_of_the_window(loaded, qtbot):
    loaded.resize(QSize(1366, 768))
    for name in ("maps", "review", "maps", "review"):
        loaded.show_workspace(name)
        qtbot.wait(30)
        assert loaded.size() == QSize(1366, 768), name
    loaded.show_workspace("maps")
    bars = [bar for bar in loaded.findChildren(QTabBar) if bar.isVisible() and bar is not loaded.top_bar.tabs]
    assert [bar.tabText(0) for bar in bars if bar.count()] == ["Pixel"], "docks that lie behind others have tabs"
