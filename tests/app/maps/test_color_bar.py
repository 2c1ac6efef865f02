from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest

from app.display.relaxation_colors import to_words
from app.maps.color_bar import ColorBar, ticks
from app.maps.layers import Scale
from tests.app.finding import find

SCALE = Scale("T1", "lipari", (0.0, 2000.0), "T1", "ms", automatic=False)


@pytest.fixture
def bar(qtbot, themed):
    made = ColorBar("maps.scale", "the scale of the maps")
    qtbot.addWidget(made)
    made.resize(92, 420)
    made.set_scale(SCALE)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 2000, 4, (0, 500, 1000, 1500, 2000)),
        (400, 2000, 8, (400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000)),
        (0.65, 1, 7, (0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1)),
        (-25, 25, 4, (-20, 0, 20)),
        (5, 5, 4, ()),
    ],
)
def test_ticks_are_round(low, high, most, expected):
    assert ticks(low, high, most) == pytest.approx(expected)


def test_every_position_has_the_colour_of_its_value(bar):
    """The bar is drawn in the space of values: at the height of a value stands the colour a pixel of that value has."""
    picture = bar.bar.grab().toImage()
    area = bar.bar.area()
    ratio = picture.width() / bar.bar.width()
    for value in (50.0, 200.0, 500.0, 735.0, 1000.0, 1500.0, 1900.0):
        y = bar.bar.position(value)
        seen = QColor(picture.pixel(int((area.left() + 8) * ratio), int(y * ratio)))
        near = to_words(np.array([value - 8, value, value + 8], np.float32), SCALE.levels, "lipari")
        seen_rgb = np.array([seen.red(), seen.green(), seen.blue()])
        distance = min(np.abs(seen_rgb - [w >> 16 & 255, w >> 8 & 255, w & 255]).max() for w in near.astype(int))
        assert distance <= 4, value
    assert bar.bar.position(0.0) == area.bottom()
    assert bar.bar.position(2000.0) == area.top()


def test_typed_ends_are_told(bar, qtbot):
    boxes = {name: find(bar, f"maps.scale.{name}") for name in ("high", "low")}
    assert boxes["high"].text() == "2000"
    with qtbot.waitSignal(bar.range_changed) as told:
        boxes["high"].setValue(1500.0)
    assert told.args == ["T1", 0.0, 1500.0]


@pytest.mark.parametrize(("start", "stop", "low", "high"), [(40, 10, 0.0, None), (-40, -60, None, 2000.0)])
def test_drags_move_one_end(bar, start, stop, low, high):
    told = []
    ended = []
    bar.range_changed.connect(lambda *values: told.append(values))
    bar.drag_finished.connect(lambda: ended.append(True))
    height = bar.bar.height()
    at = [QPoint(12, y if y > 0 else height + y) for y in (start, stop)]
    QTest.mousePress(bar.bar, Qt.MouseButton.LeftButton, pos=at[0])
    QTest.mouseMove(bar.bar, at[1])
    QTest.mouseRelease(bar.bar, Qt.MouseButton.LeftButton, pos=at[1])
    assert ended == [True]
    key, new_low, new_high = told[-1]
    assert key == "T1"
    if high is None:
        assert new_low == low
        assert new_high > 2000
    else:
        assert new_high == high
        assert new_low != 0


def test_back_to_automatic(bar, qtbot):
    with qtbot.waitSignal(bar.reset_requested) as told:
        QTest.mouseDClick(bar.bar, Qt.MouseButton.LeftButton)
    assert told.args == ["T1"]
    bar.set_scale(None)
    assert bar.isHidden()


def test_names(bar):
    assert bar.bar.accessibleName() == "the scale of the maps"
    assert bar.bar.accessibleDescription() == "T1: 0.00 to 2000 ms"
