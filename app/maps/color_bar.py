"""A colour bar whose positions are values: ticks stand where their values are, and its ends can be typed or dragged."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from app import theme
from app.display.painting import ramp
from app.display.words import ms, number
from app.forms import NumberBox
from app.maps.layers import Scale
from app.panels.parts import TIGHT, tool_button

WIDTH: Final = 92
BAR: Final = 18
LEFT: Final = 8
PER_E_FOLD: Final = 160.0
"""Pixels of a drag of the upper end that make the range e times as wide."""
APART: Final = 34.0
"""Pixels between two ticks, at least."""


def ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Return at most about ``most`` round values between two ends, both included when they are round themselves."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low or most < 1:
        return ()
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(digit * power for digit in (1.0, 2.0, 2.5, 5.0, 10.0) if digit * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-6)
    last = math.floor(high / step + 1e-6)
    return tuple(float(f"{index * step:.10g}") for index in range(first, last + 1))


class _Bar(QWidget):
    """The painted bar. Dragging its upper half moves the upper end, its lower half the lower end."""

    dragged = Signal(float, float)
    drag_finished = Signal()
    reset = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.scale: Scale | None = None
        self._from: tuple[float, tuple[float, float], bool] | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setFixedWidth(WIDTH)
        self.setMinimumHeight(60)
        self.setCursor(Qt.CursorShape.SizeVerCursor)
        self.setToolTip("Drag the upper half to move the upper end, the lower half to move the lower end; double click: automatic")

    def area(self) -> QRectF:
        """Return where the bar itself is drawn."""
        return QRectF(LEFT, 7, BAR, max(1, self.height() - 14))

    def position(self, value: float) -> float:
        """Return the height at which a value stands."""
        assert self.scale is not None
        low, high = self.scale.levels
        area = self.area()
        return area.bottom() - (value - low) / (high - low) * area.height()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.IMAGE_BACKGROUND))
        if self.scale is None:
            return
        low, high = self.scale.levels
        area = self.area()
        words = np.ascontiguousarray(ramp((low, high), self.scale.colormap, 512)[::-1, None])
        painter.drawImage(area, QImage(words.data, 1, 512, 4, QImage.Format.Format_RGB32), QRectF(0, 0, 1, 512))
        painter.setPen(QPen(QColor(theme.IMAGE_DIM), 1.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area)
        painter.setFont(theme.numbers(theme.small(self.font())))
        metrics = QFontMetricsF(painter.font())
        for value in ticks(low, high, max(1, int(area.height() / APART))):
            y = self.position(value)
            painter.setPen(QPen(QColor(theme.IMAGE_DIM), 1.0))
            painter.drawLine(QPointF(area.right(), y), QPointF(area.right() + 4, y))
            painter.setPen(QColor(theme.IMAGE_TEXT))
            baseline = min(max(y + metrics.ascent() / 2 - 1, metrics.ascent()), self.height() - 1.0)
            painter.drawText(QPointF(area.right() + 8, baseline), _tick_text(value))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.scale is not None and event.button() == Qt.MouseButton.LeftButton:
            upper = event.position().y() < self.height() / 2
            self._from = (event.position().y(), self.scale.levels, upper)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._from is None:
            return
        start, (low, high), upper = self._from
        step = start - event.position().y()
        if upper:
            high = low + (high - low) * math.exp(step / PER_E_FOLD)
        else:
            low = min(low + step / self.area().height() * (high - low), low + 0.95 * (high - low))
        self.dragged.emit(low, high)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: ARG002
        if self._from is not None:
            self._from = None
            self.drag_finished.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: ARG002
        self._from = None
        self.reset.emit()


def _tick_text(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e5 and (value == 0 or abs(value) >= 1e-3) else number(value, 2)


class ColorBar(QWidget):
    """Name and unit, upper end, bar, lower end, back to automatic.

    Signals
    -------
    range_changed(key, low, high), drag_finished(), reset_requested(key)
        The wish for other ends; that a drag is over; that the ends should follow the data again.
    """

    range_changed = Signal(str, float, float)
    drag_finished = Signal()
    reset_requested = Signal(str)

    def __init__(self, name: str, words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setFixedWidth(WIDTH)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("imageArea", True)
        self._title = QLabel("")
        self._title.setObjectName(f"{name}.title")
        self._title.setWordWrap(True)
        self._title.setContentsMargins(LEFT, 0, 0, 0)
        self._high, self._low = (
            self._box(f"{name}.high", f"Upper end of {words}"),
            self._box(f"{name}.low", f"Lower end of {words}"),
        )
        self.bar = _Bar(self)
        self.bar.setObjectName(f"{name}.bar")
        self.bar.setAccessibleName(words)
        self._auto = tool_button("Auto", f"{name}.auto", "Let the range follow the data again")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, TIGHT, 0, TIGHT)
        layout.setSpacing(2)
        layout.addWidget(self._title)
        layout.addWidget(self._high)
        layout.addWidget(self.bar, 1)
        layout.addWidget(self._low)
        layout.addWidget(self._auto)
        for box in (self._high, self._low):
            box.valueChanged.connect(self._on_typed)
        self.bar.dragged.connect(self._on_dragged)
        self.bar.drag_finished.connect(self.drag_finished)
        self.bar.reset.connect(self._on_reset)
        self._auto.clicked.connect(self._on_reset)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 240)

    def _box(self, name: str, words: str) -> NumberBox:
        box = NumberBox(None, None, 0.0)
        box.setObjectName(name)
        box.setAccessibleName(words)
        box.setToolTip(words)
        box.setKeyboardTracking(False)
        box.setButtonSymbols(NumberBox.ButtonSymbols.NoButtons)
        box.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        box.setFixedWidth(WIDTH - 2 * LEFT)
        return box

    def set_scale(self, scale: Scale | None) -> None:
        """Show a scale; None hides the bar."""
        self.setVisible(scale is not None)
        if scale is None or scale == self.bar.scale:
            return
        self.bar.scale = scale
        unit = f" ({scale.unit})" if scale.unit else ""
        self._title.setText(scale.label + unit)
        self._auto.setEnabled(not scale.automatic)
        for box, value in ((self._low, scale.levels[0]), (self._high, scale.levels[1])):
            with QSignalBlocker(box):
                box.setValue(value)
        low, high = scale.levels
        self.bar.setAccessibleDescription(f"{scale.label}: {ms(low)} to {ms(high)} {scale.unit}".strip())
        self.bar.update()

    def _on_typed(self, _: float) -> None:
        self._ask(self._low.value(), self._high.value())
        self.drag_finished.emit()

    def _on_dragged(self, low: float, high: float) -> None:
        digits = max(0, 2 - math.floor(math.log10(max(abs(high - low), 1e-12))))
        self._ask(round(low, digits), round(high, digits))

    def _ask(self, low: float, high: float) -> None:
        scale = self.bar.scale
        if scale is not None and (low, high) != scale.levels:
            self.range_changed.emit(scale.key, low, high)

    def _on_reset(self) -> None:
        if self.bar.scale is not None:
            self.reset_requested.emit(self.bar.scale.key)
