"""The cine player: frames and slices, played at the rate they were acquired at, or every frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Final

from PySide6.QtCore import QSignalBlocker, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from app import theme
from app.views.steady import hold_room

ACQUIRED: Final = "acquired"
EVERY: Final = "every"
DEFAULT_FPS: Final = 25.0


class Player(QWidget):
    """Buttons, sliders and a timer; tells which frame or slice should be shown and never shows one itself.

    At the *acquired* rate the clock decides which frame is due, and frames are left out when drawing is slower. In the
    *every frame* mode each frame is told once, at most as fast as the rate that is set.
    """

    frameChanged = Signal(int)  # noqa: N815
    sliceChanged = Signal(int)  # noqa: N815
    playingChanged = Signal(bool)  # noqa: N815

    def __init__(self, parent: QWidget | None = None, clock: Callable[[], float] = perf_counter) -> None:
        super().__init__(parent)
        self.setObjectName("player")
        self._clock = clock
        self._given: tuple[int, int, float | None] | None = None
        self._frames, self._slices = 1, 1
        self._frame_ms: float | None = None
        self._started, self._first = 0.0, 0
        self._rate_written = 0.0  # when the rate was last written: twice a second can be read
        self._shown: deque[float] = deque(maxlen=240)
        self._timer = QTimer(self)
        self._timer.setObjectName("player.clock")
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._make()
        self._arrange()
        self.set_counts(1, 1, None)

    # --- what is set ---------------------------------------------------------------------------------------------------

    def set_counts(self, frames: int, slices: int, frame_ms: float | None) -> None:
        """Set what can be stepped through, and the duration of a frame (None: unknown)."""
        if (frames, slices, frame_ms) == self._given:
            return
        fresh_rate = self._given is None or frame_ms != self._given[2]
        self._given = (frames, slices, frame_ms)
        self._frames, self._slices, self._frame_ms = max(1, frames), max(1, slices), frame_ms
        for slider, count in ((self._frame, self._frames), (self._slice, self._slices)):
            with QSignalBlocker(slider):
                slider.setRange(0, count - 1)
                slider.setPageStep(max(1, count // 8))
            slider.setEnabled(count > 1)
        for text, word, count in ((self._frame_text, "frame", self._frames), (self._slice_text, "slice", self._slices)):
            hold_room(text, f"{word} {count}/{count}")
        for part in (self._slice_text, self._slice):
            part.setVisible(self._slices > 1)
        for button in (self._to_first, self._previous, self._play, self._next, self._to_last, self._loop):
            button.setEnabled(self._frames > 1)
        if self._frames < 2:
            self.pause()
        model_index = self._rate.findData(ACQUIRED)
        known = frame_ms is not None and frame_ms > 0
        self._rate.setItemText(model_index, f"acquired, {1000 / frame_ms:.1f} fps" if known and frame_ms else "acquired: not known")
        if fresh_rate:
            self._rate.setCurrentIndex(model_index if known else self._rate.findData(EVERY))
        self._show_rate()
        self._label()

    def set_position(self, frame: int, slice_index: int) -> None:
        """Show where we are, without telling."""
        for slider, value in ((self._frame, frame), (self._slice, slice_index)):
            if slider.value() != value:
                with QSignalBlocker(slider):
                    slider.setValue(value)
        if not self.is_playing():
            self._first = frame
        self._label()

    # --- playing -------------------------------------------------------------------------------------------------------

    def is_playing(self) -> bool:
        """Whether frames run."""
        return self._timer.isActive()

    def play(self) -> None:
        """Run from the frame on screen; from the first when the last is on screen and there is no loop."""
        if self._frames < 2 or self.is_playing():
            return
        if not self._loop.isChecked() and self._frame.value() == self._frames - 1:
            self._go(0)
        self._restart()
        self._timer.start()
        self._show_playing()

    def pause(self) -> None:
        """Stand still."""
        if self.is_playing():
            self._timer.stop()
            self._show_playing()

    def toggle(self) -> None:
        """Play or pause."""
        (self.pause if self.is_playing() else self.play)()

    def step(self, delta: int) -> None:
        """Go on by frames; a loop goes round."""
        self.pause()
        target = self._frame.value() + delta
        self._go(target % self._frames if self._loop.isChecked() else min(max(target, 0), self._frames - 1))

    def step_slice(self, delta: int) -> None:
        """Go on by slices."""
        self._slice.setValue(self._slice.value() + delta)

    def rate(self) -> float:
        """Return frames per second that are asked for."""
        if self._rate.currentData() == ACQUIRED and self._frame_ms:
            return 1000.0 / self._frame_ms
        return self._fps.value()

    def set_rate(self, mode: str, fps: float | None = None) -> None:
        """Choose ``"acquired"`` or ``"every"``, and the rate of the latter."""
        self._rate.setCurrentIndex(self._rate.findData(mode))
        if fps is not None:
            self._fps.setValue(fps)

    def keep(self) -> dict[str, bool | float | str]:
        """Return how it plays."""
        return {"rate": str(self._rate.currentData()), "fps": self._fps.value(), "loop": self._loop.isChecked()}

    def recall(self, values: Mapping[str, object]) -> None:
        """Play as it was kept; what is not there stays."""
        rate, fps, loop = (values.get(name) for name in ("rate", "fps", "loop"))
        if rate in (ACQUIRED, EVERY):
            self.set_rate(str(rate), float(fps) if isinstance(fps, int | float) else None)
        if isinstance(loop, bool):
            self._loop.setChecked(loop)

    def shown_rate(self) -> float:
        """Return frames per second that were told in the last second, 0 when standing still."""
        now = self._clock()
        recent = [t for t in self._shown if now - t <= 1.0]
        if len(recent) < 2 or not self.is_playing():
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0]) if recent[-1] > recent[0] else 0.0

    def _restart(self) -> None:
        """Let the clock count from the frame on screen."""
        self._started, self._first = self._clock(), self._frame.value()
        self._shown.clear()
        interval = 1000.0 / self.rate()
        # The acquired rate is kept by the clock, so the timer may look twice per frame; every-frame steps once per timeout.
        self._timer.setInterval(max(1, round(interval / 2 if self._rate.currentData() == ACQUIRED else interval)))

    def _tick(self) -> None:
        if self._rate.currentData() == ACQUIRED:
            target = self._first + int((self._clock() - self._started) * self.rate() + 1e-6)
        else:
            target = self._frame.value() + 1
        if target >= self._frames and not self._loop.isChecked():
            self._go(self._frames - 1)
            self.pause()
            return
        self._go(target % self._frames)

    def _go(self, frame: int) -> None:
        if frame == self._frame.value():
            return
        with QSignalBlocker(self._frame):
            self._frame.setValue(frame)
        self._shown.append(self._clock())
        self._label()
        self.frameChanged.emit(frame)

    # --- widgets -------------------------------------------------------------------------------------------------------

    def _make(self) -> None:
        self._to_first = self._button("first", "mdi6.skip-backward", "First frame", lambda: self.step(-self._frame.value()))
        self._previous = self._button("previous", "mdi6.step-backward", "Previous frame", lambda: self.step(-1))
        self._play = self._button("play", "mdi6.play", "Play", self.toggle)
        self._next = self._button("next", "mdi6.step-forward", "Next frame", lambda: self.step(1))
        self._to_last = self._button(
            "last", "mdi6.skip-forward", "Last frame", lambda: self.step(self._frames - 1 - self._frame.value())
        )
        self._loop = self._button("loop", "mdi6.repeat", "Play round and round", None)
        self._loop.setCheckable(True)
        self._loop.setChecked(True)
        self._frame = self._slider("frame", "Frame")
        self._slice = self._slider("slice", "Slice")
        self._frame.valueChanged.connect(self._frame_dragged)
        self._slice.valueChanged.connect(self._slice_dragged)
        self._frame_text, self._slice_text, self._fps_text = (self._text(n) for n in ("frame", "slice", "shown"))
        self._rate = QComboBox(self)
        self._rate.setObjectName("player.rate")
        self._rate.setAccessibleName("Rate of playing")
        self._rate.setToolTip(
            "Acquired: as fast as the heart beat; frames are left out when drawing is slower.\nEvery frame: none is left out."
        )
        self._rate.addItem("acquired", ACQUIRED)
        self._rate.addItem("every frame", EVERY)
        self._rate.currentIndexChanged.connect(self._rate_changed)
        self._fps = QDoubleSpinBox(self)
        self._fps.setObjectName("player.fps")
        self._fps.setAccessibleName("Frames per second")
        self._fps.setRange(0.5, 240.0)
        self._fps.setDecimals(1)
        self._fps.setValue(DEFAULT_FPS)
        self._fps.setSuffix(" fps")
        self._fps.valueChanged.connect(self._rate_changed)

    def _arrange(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 4, 8, 8)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        buttons = QHBoxLayout()
        buttons.setSpacing(0)
        for button in (self._to_first, self._previous, self._play, self._next, self._to_last, self._loop):
            buttons.addWidget(button)
        grid.addLayout(buttons, 0, 0)
        grid.addWidget(self._frame_text, 0, 1)
        grid.addWidget(self._frame, 0, 2)
        grid.addWidget(self._rate, 0, 3)
        grid.addWidget(self._fps, 0, 4)
        grid.addWidget(self._fps_text, 1, 3, 1, 2, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self._slice_text, 1, 1)
        grid.addWidget(self._slice, 1, 2)
        grid.setColumnStretch(2, 1)
        # The text of the rate comes and goes: it must not move the sliders.
        hold_room(self._fps_text, "\u2007100 of 100 fps")

    def set_corner(self, widget: QWidget) -> None:
        """Put a widget below the buttons, beside the slices."""
        layout = self.layout()
        assert isinstance(layout, QGridLayout)
        layout.addWidget(widget, 1, 0)

    def _button(self, name: str, icon: str, tip: str, clicked: Callable[[], None] | None) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(f"player.{name}")
        theme.set_icon(button, icon)
        button.setIconSize(QSize(18, 18))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if clicked is not None:
            button.clicked.connect(clicked)
        return button

    def _slider(self, name: str, title: str) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal, self)
        slider.setObjectName(f"player.{name}")
        slider.setAccessibleName(title)
        slider.setMinimumWidth(80)
        slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return slider

    def _text(self, name: str) -> QLabel:
        label = QLabel(self)
        label.setObjectName(f"player.{name}.text")
        label.setFont(theme.numbers(self.font()))
        return label

    def _frame_dragged(self, frame: int) -> None:
        self.pause()
        self._label()
        self.frameChanged.emit(frame)

    def _slice_dragged(self, index: int) -> None:
        self._label()
        self.sliceChanged.emit(index)

    def _rate_changed(self, _: float) -> None:
        if self._rate.currentData() == ACQUIRED and not self._frame_ms:
            with QSignalBlocker(self._rate):
                self._rate.setCurrentIndex(self._rate.findData(EVERY))
        self._show_rate()
        if self.is_playing():
            self._restart()

    def _show_rate(self) -> None:
        self._fps.setEnabled(self._rate.currentData() == EVERY)
        self._fps.setVisible(self._rate.currentData() == EVERY)

    def _show_playing(self) -> None:
        playing = self.is_playing()
        theme.set_icon(self._play, "mdi6.pause" if playing else "mdi6.play")
        for change in (self._play.setToolTip, self._play.setAccessibleName):
            change("Pause" if playing else "Play")
        self._label()
        self.playingChanged.emit(playing)

    def _label(self) -> None:
        """Write the numbers, padded with figure spaces so that nothing moves."""
        self._frame_text.setText(f"frame {_padded(self._frame.value() + 1, self._frames)}/{self._frames}")
        self._slice_text.setText(f"slice {_padded(self._slice.value() + 1, self._slices)}/{self._slices}")
        if not self.is_playing():
            self._fps_text.setText("")
        elif self._clock() - self._rate_written >= 0.5:
            self._rate_written = self._clock()
            self._fps_text.setText(f"{_padded(round(self.shown_rate()), 100)} of {self.rate():.0f} fps")


def _padded(number: int, largest: int) -> str:
    return str(number).rjust(len(str(largest)), "\u2007")
