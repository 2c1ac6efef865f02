from __future__ import annotations

import itertools

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QSlider, QToolButton

from app.review.player import ACQUIRED, EVERY, Player
from tests.app.finding import find


class Clock:
    """Time that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def player(qtbot, themed, clock):
    made = Player(clock=clock)
    qtbot.addWidget(made)
    made.set_counts(5, 3, 40.0)
    made.set_position(0, 1)
    made.show()
    yield made
    made.pause()


def frames_of(player):
    told = []
    player.frameChanged.connect(told.append)
    return told


def tick(player, clock, seconds, times):
    for _ in range(times):
        clock.now += seconds
        find(player, "player.clock").timeout.emit()


def test_every_frame_in_order_and_round(player, clock):
    told = frames_of(player)
    player.set_rate(EVERY, 100.0)
    player.play()
    tick(player, clock, 0.5, 7)  # however late the timer is
    assert told == [1, 2, 3, 4, 0, 1, 2]


def test_acquired_rate_leaves_frames_out_when_late(player, clock):
    told = frames_of(player)
    player.play()
    assert player.rate() == 25.0
    tick(player, clock, 0.020, 4)
    assert told == [1, 2]
    tick(player, clock, 0.120, 1)
    assert told == [1, 2, 0]  # 200 ms: frame 5 of 5 is frame 0 again


def test_real_timer_keeps_the_rate(qtbot, themed):
    player = Player()
    qtbot.addWidget(player)
    player.set_counts(10, 1, 20.0)
    told = frames_of(player)
    player.play()
    qtbot.waitUntil(lambda: len(told) >= 8, timeout=5000)
    player.pause()
    assert all(0 < (b - a) % 10 <= 5 for a, b in itertools.pairwise(told))


def test_the_timer_looks_often_enough(player):
    player.play()
    assert find(player, "player.clock").interval() == 20  # 25 fps, twice a frame
    player.set_rate(EVERY, 10.0)
    assert find(player, "player.clock").interval() == 100


def test_shown_rate_is_measured(player, clock):
    player.set_rate(EVERY, 20.0)
    player.play()
    tick(player, clock, 0.1, 20)
    assert player.shown_rate() == pytest.approx(10.0)
    assert player.findChild(QLabel, "player.shown.text").text().strip() == "10 of 20 fps"
    player.pause()
    assert player.shown_rate() == 0.0


def test_without_a_loop_it_stops_at_the_end_and_begins_again(player, clock, qtbot):
    told = frames_of(player)
    player.set_rate(EVERY, 50.0)
    player.findChild(QToolButton, "player.loop").setChecked(False)
    player.play()
    tick(player, clock, 0.02, 6)
    assert told == [1, 2, 3, 4]
    assert not player.is_playing()
    player.play()
    assert told[-1] == 0


def test_steps_go_round_and_pause(player):
    told = frames_of(player)
    player.step(-1)
    player.step(1)
    player.step(2)
    assert told == [4, 0, 2]
    player.play()
    player.step(1)
    assert not player.is_playing()


def test_position_from_outside_is_not_told(player):
    told = frames_of(player)
    slices = []
    player.sliceChanged.connect(slices.append)
    player.set_position(3, 2)
    assert (told, slices) == ([], [])
    assert player.findChild(QLabel, "player.frame.text").text() == "frame 4/5"
    assert player.findChild(QLabel, "player.slice.text").text() == "slice 3/3"
    player.step_slice(-1)
    assert slices == [1]


def test_sliders_tell(player, qtbot):
    told = frames_of(player)
    player.findChild(QSlider, "player.frame").setValue(2)
    assert told == [2]


def test_buttons(player, qtbot):
    told = frames_of(player)
    for name in ("last", "next", "previous", "first"):
        qtbot.mouseClick(player.findChild(QToolButton, f"player.{name}"), Qt.MouseButton.LeftButton)
    assert told == [4, 0, 4, 0]
    play = player.findChild(QToolButton, "player.play")
    qtbot.mouseClick(play, Qt.MouseButton.LeftButton)
    assert player.is_playing()
    assert play.accessibleName() == "Pause"
    with qtbot.waitSignal(player.playingChanged) as told:
        qtbot.mouseClick(play, Qt.MouseButton.LeftButton)
    assert told.args == [False]


def test_unknown_frame_time_plays_every_frame(player):
    player.set_counts(5, 1, None)
    box = player.findChild(QComboBox, "player.rate")
    assert box.currentData() == EVERY
    player.set_rate(ACQUIRED)
    assert box.currentData() == EVERY
    assert "not known" in box.itemText(box.findData(ACQUIRED))


def test_one_frame_cannot_be_played(player):
    player.play()
    player.set_counts(1, 1, 40.0)
    assert not player.is_playing()
    player.play()
    assert not player.is_playing()
    assert not player.findChild(QToolButton, "player.play").isEnabled()


def test_sliders_stand_below_each_other(player):
    frame, slice_ = (player.findChild(QSlider, f"player.{name}") for name in ("frame", "slice"))
    player.set_counts(120, 3, 40.0)  # the words before the two sliders differ in length
    player.resize(700, player.sizeHint().height())
    player.layout().activate()
    assert (frame.x(), frame.width()) == (slice_.x(), slice_.width())
    player.set_counts(120, 1, 40.0)
    assert slice_.isHidden()
    assert player.findChild(QLabel, "player.slice.text").isHidden()
