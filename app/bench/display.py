"""Frames per second of the real window: playing, dragging the window, the frame slider and the divider.

The peers show the same images in a window of the same size in the same run: a grid of pyqtgraph's ImageView, and bare ImageItems
in one scene. They draw pictures alone; ours has titles, scores, the cursor in all panes and the outline of the dynamic region.
With a display (Xvfb too) the pictures go to the screen, without one they are drawn offscreen: the case names Qt's platform.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QObject, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QSlider, QWidget

from app import theme
from app.application import make_application
from app.bench import scenes
from app.bench.peers import ImageItemGrid, ImageViewGrid
from app.display.layers import OverlayLayer, RoiLayer
from app.display.shapes import Shape
from app.display.state import ErrorMode
from app.errors import ErrorCenter
from app.main_window import MainWindow
from app.review.player import EVERY
from app.review.resolve import resolve
from app.settings import Settings
from app.views.pane import Pane
from engine import api
from engine.core.errors import EngineError
from engine.core.jobs import Reporter
from engine.core.records.machine import BenchResult

SIZE: Final = (1366, 768)
PATIENCE_S: Final = 240.0
SWEEP: Final = 24
"""Steps of one drag."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Seconds for each drawn change: on the clock, and of processor time of the thread that draws."""

    wall_s: float
    cpu_s: float

    @property
    def words(self) -> str:
        """Frames per second."""
        return f"{1 / self.wall_s:.0f} fps on the clock, {1 / self.cpu_s:.0f} of processor time"


class _Painted(QObject):
    """Counts how often a widget was painted."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.count = 0
        self._widget = widget
        widget.installEventFilter(self)
        self.startTimer(1000)  # so that a wait for events that never come ends

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: ARG002
        if event.type() == QEvent.Type.Paint:
            self.count += 1
        return False

    def wait(self, count: int) -> None:
        """Run the event loop, without turning in vain, until the widget was painted ``count`` times."""
        end = time.perf_counter() + PATIENCE_S
        while self.count < count:
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
            if time.perf_counter() > end:
                raise EngineError("a change was not drawn (expected a paint event / found none)", "Run it on a free machine.")

    def remove(self) -> None:
        """Stop counting."""
        self._widget.removeEventFilter(self)


def rate(watched: QWidget, change: Callable[[int], object], steps: int, rounds: int) -> Rate:
    """Return how long one change of a sweep takes until ``watched`` is painted again: the best of some rounds."""
    painted, best = _Painted(watched), Rate(np.inf, np.inf)
    for count in range(rounds + 1):
        wall, cpu = time.perf_counter(), time.thread_time()
        for step in range(steps):
            before = painted.count
            change(step)
            painted.wait(before + 1)
        made = Rate((time.perf_counter() - wall) / steps, (time.thread_time() - cpu) / steps)
        if count:  # the first round fills the caches
            best = min(best, made, key=lambda found: found.cpu_s)
    painted.remove()
    return best


def run(quick: bool, report: Reporter, offscreen: bool = False) -> Iterator[BenchResult]:
    """Yield the lines of the table: each way of changing the pictures against each peer. ``offscreen``: without a display."""
    if offscreen:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    where = make_application().platformName()
    rounds = 1 if quick else 3
    for index, scene in enumerate(scenes.SCENES):
        report.step(index, len(scenes.SCENES), scene.name)
        with tempfile.TemporaryDirectory() as folder:
            window = _window(Path(folder), scene)
            yield from _scene(window, scene, where, rounds, report)
            window.close()
            window.deleteLater()
            _settle(lambda: True)


def _scene(window: MainWindow, scene: scenes.Scene, where: str, rounds: int, report: Reporter) -> Iterator[BenchResult]:
    frames = scene.frames if rounds > 1 else min(scene.frames, 8)
    ours = {
        "playing": _playing(window, frames, rounds),
        "frame slider": _slider(window, frames, rounds),
        "window": _drag(window, Qt.MouseButton.RightButton, rounds),
        "divider": _divider(window, rounds),
    }
    window.review.look(divider=None)
    _settle(lambda: True)
    report.check()
    area = window.review_panel.grid.size()
    peers: dict[tuple[str, str], Rate] = {}
    for name, kind in (("ImageView grid", ImageViewGrid), ("bare ImageItems", ImageItemGrid)):
        peer = kind(scene.pictures(), area)
        _settle(peer.isVisible)
        peers[name, "playing"] = rate(peer.watched, peer.show_frame, frames, rounds)
        peers[name, "window"] = rate(peer.watched, peer.set_levels, SWEEP, rounds)
        peer.close()
        peer.deleteLater()
        _settle(lambda: True)
        report.check()
    for what, mine in ours.items():
        for (name, does), other in peers.items():
            if does == ("window" if what == "window" else "playing"):
                yield _line(f"{scene.name}, {what}, {where}", mine, f"{name}, {does}", other)
    covered, bare = _layers(window, frames, rounds)
    yield _line(f"{scene.name}, playing with an overlay, two regions and the divider, {where}", covered, "ours without them", bare)


def _line(case: str, ours: Rate, name: str, other: Rate) -> BenchResult:
    return BenchResult("display", case, ours.cpu_s, name, other.cpu_s, other.cpu_s / ours.cpu_s, ours.words, other.words)


# --- the window ------------------------------------------------------------------------------------------------------------


def _window(folder: Path, scene: scenes.Scene) -> MainWindow:
    """Return the window with the series and results of a scene, when everything that follows from them is done."""
    settings = Settings(folder / "settings.ini")
    application = make_application()
    theme.apply(application, "dark")
    # Nothing is loaded in the background: no methods are listed, and no other thread takes the processor.
    window = MainWindow(api, settings, ErrorCenter(application))
    window.resize(*SIZE)
    window.show()
    case = window.session.new_case(scene.series(), scene.name)
    window.session.insert(case)
    _settle(lambda: _current(window).reference is not None and not window.runner.active())
    window.session.edit(case.key, results=scene.results(window.session.number))
    window.review.look(
        error_mode=ErrorMode.ABSOLUTE if scene.errors else ErrorMode.NONE, show_profile=scene.errors, show_region=True
    )
    _settle(lambda: all(result.scores for result in _current(window).results) and not window.runner.active())
    _settle(lambda: _current(window).region is not None and len(window.review.display.panes) == scene.panes)
    pane = _pane(window)
    _send(pane, QEvent.Type.MouseMove, pane.picture_area().center() + QPointF(9, 7))  # the cursor in all other panes
    return window


def _current(window: MainWindow) -> Any:
    case = window.session.current
    assert case is not None
    return case


def _pane(window: MainWindow) -> Pane:
    """Return the pane of the first result."""
    pane = window.review_panel.grid.pane(_current(window).results[0].key)
    assert pane is not None
    return pane


def _settle(done: Callable[[], bool]) -> None:
    """Run the event loop until something is so, and then until what that changed is drawn."""
    end = time.perf_counter() + PATIENCE_S
    while not done():
        QApplication.processEvents()
        time.sleep(0.005)
        if time.perf_counter() > end:
            raise EngineError("the window did not get ready (expected it within four minutes)", "Run it on a free machine.")
    for _ in range(10):
        QApplication.processEvents()
        time.sleep(0.002)


def _send(pane: Pane, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else button
    which = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else button
    event = QMouseEvent(kind, at, pane.mapToGlobal(at), which, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(pane, event)


# --- what is measured ------------------------------------------------------------------------------------------------------


def _playing(window: MainWindow, frames: int, rounds: int) -> Rate:
    """Let the player play, as quickly as it can."""
    player, painted = window.review_panel.player, _Painted(_pane(window))
    player.set_rate(EVERY, 240.0)
    player.play()
    painted.wait(frames)  # the first round fills the caches
    wall, cpu, before = time.perf_counter(), time.thread_time(), painted.count
    painted.wait(before + frames * rounds)
    shown = painted.count - before
    made = Rate((time.perf_counter() - wall) / shown, (time.thread_time() - cpu) / shown)
    player.pause()
    painted.remove()
    return made


def _slider(window: MainWindow, frames: int, rounds: int) -> Rate:
    slider = window.findChild(QSlider, "player.frame")
    assert isinstance(slider, QSlider)
    return rate(_pane(window), lambda step: slider.setValue((step + 1) % frames), frames, rounds)


def _drag(window: MainWindow, button: Qt.MouseButton, rounds: int, offset: float = 0.0) -> Rate:
    """Drag to the right and back again with real mouse events."""
    pane = _pane(window)
    start = pane.picture_area().center() + QPointF(offset, 11)
    _send(pane, QEvent.Type.MouseButtonPress, start, button)

    def move(step: int) -> None:
        across = 4 + min(step, SWEEP - step)
        _send(pane, QEvent.Type.MouseMove, start + QPointF(3.0 * across, 0), button)

    made = rate(pane, move, SWEEP, rounds)
    _send(pane, QEvent.Type.MouseButtonRelease, start, button)
    return made


def _divider(window: MainWindow, rounds: int) -> Rate:
    window.review.look(divider=0.5)
    _settle(lambda: True)
    return _drag(window, Qt.MouseButton.LeftButton, rounds)


def _layers(window: MainWindow, frames: int, rounds: int) -> tuple[Rate, Rate]:
    """Play with more layers on all pictures and the divider, and without: resolved and drawn, without the session."""
    grid, snapshot, view = window.review_panel.grid, window.session.snapshot(), window.review.looking
    height = window.review.display.sizes.height
    values = np.tile(np.linspace(0, 1, height, dtype=np.float32), (height, 1))
    values[: height // 2] = np.nan
    over = (
        OverlayLayer(values, "berlin", (0.0, 1.0), 0.4),
        RoiLayer(Shape.ELLIPSE, ((height * 0.3, height * 0.3), (height * 0.6, height * 0.7)), "#6ec6ff", "one"),
        RoiLayer(Shape.CONTOUR, tuple(scenes.ring(height / 2, height / 5)), "#4fd67a", "two", label="ROI"),
    )

    def covered(step: int) -> None:
        display = resolve(snapshot, replace(view, frame=(step + 1) % frames, divider=0.5))
        first = display.rows[0]
        panes = tuple(replace(pane, layers=(*pane.layers, *over)) for pane in first.panes)
        grid.apply(replace(display, rows=(replace(first, panes=panes), *display.rows[1:])))

    def bare(step: int) -> None:
        grid.apply(resolve(snapshot, replace(view, frame=(step + 1) % frames)))

    return rate(_pane(window), covered, frames, rounds), rate(_pane(window), bare, frames, rounds)
