from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.display.frames import IMAGE, Display, PaneFrame, Row
from app.display.layers import DividerLayer, ImageLayer, LineLayer, OutlineLayer, first

PIXELS = np.arange(6, dtype=np.float32).reshape(2, 3)
PICTURE = ImageLayer(PIXELS, "gray", (0.0, 5.0))


@pytest.mark.parametrize(
    "other",
    [
        ImageLayer(PIXELS.copy(), "gray", (0.0, 5.0)),
        replace(PICTURE, levels=(0.0, 4.0)),
        OutlineLayer(PIXELS),
        LineLayer((0, 0, 1, 1)),
    ],
)
def test_layers_are_equal_when_they_draw_the_same_arrays(other):
    same = ImageLayer(PIXELS, "gray", (0.0, 5.0))
    assert same == PICTURE
    assert hash(PICTURE) == hash(same)
    assert other != PICTURE


def test_a_layer_within_a_layer_counts():
    assert DividerLayer(0.5, PICTURE, "a") == DividerLayer(0.5, replace(PICTURE), "a")
    assert DividerLayer(0.5, PICTURE, "a") != DividerLayer(0.5, replace(PICTURE, invalid=1), "a")


def test_frames_are_equal_when_layers_and_words_are():
    frame = PaneFrame("a", IMAGE, "A", layers=(PICTURE, LineLayer((0, 0, 1, 1))))
    assert frame == replace(frame, layers=(replace(PICTURE), LineLayer((0, 0, 1, 1))))
    assert frame != replace(frame, layers=(PICTURE,))
    assert frame != replace(frame, title="B")
    assert frame.image is PIXELS
    assert first(frame.layers, OutlineLayer) is None


def test_a_place_is_free_without_picture_and_message():
    assert PaneFrame("a", IMAGE, "A").free
    assert not PaneFrame("a", IMAGE, "A", message="not yet").free


def test_rows_are_found_by_name():
    row = Row("any", (PaneFrame("a", "any", "A"),))
    display = Display((Row(IMAGE, (PaneFrame("a", IMAGE, "A"),)), row))
    assert display.row("any") is row.panes
    assert display.row("other") == ()
    assert display.pane("a", "any") is row.panes[0]
    assert display.pane("b") is None
