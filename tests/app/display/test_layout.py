from __future__ import annotations

import pytest

from app.display.frames import Form
from app.display.layout import GAP, SCORES, TITLE, arrange

ALL = (Form.WORDS, Form.PICTURE, Form.STRIP)


def boxes(layout, forms):
    for cell in layout.cells:
        for form, box in zip(forms, cell, strict=True):
            yield box.x, box.y, layout.across if form is Form.WORDS else box.width, box.height


@pytest.mark.parametrize("count", range(1, 10))
@pytest.mark.parametrize(
    "below", [(), ALL[1:2], ALL[2:], ALL[1:], (*ALL[1:], Form.STRIP), (Form.STRIP, Form.PICTURE, Form.PICTURE)]
)
@pytest.mark.parametrize("size", [(780, 690), (1500, 900), (500, 900)])
def test_nothing_overlaps_or_sticks_out(count, below, size):
    forms = (Form.WORDS, *below)
    layout = arrange(count, *size, forms)
    placed = list(boxes(layout, forms))
    assert len(placed) == count * len(forms)
    for x, y, width, height in placed:
        assert x >= 0
        assert y >= 0
        assert x + width <= size[0]
        assert y + height <= size[1]
        assert width > 0
        assert height > 0
    for i, (x, y, w, h) in enumerate(placed):
        for a, b, c, d in placed[:i]:
            assert x >= a + c or a >= x + w or y >= b + d or b >= y + h


def test_four_panes_on_a_laptop_stand_in_a_row_and_use_the_width():
    layout = arrange(4, 778, 690, ALL)
    assert layout.columns == 4
    assert layout.across == (778 - 3 * GAP) // 4
    assert layout.picture >= layout.across
    assert layout.cells[0][0].height == TITLE + layout.picture + SCORES


def test_nine_panes_make_full_rows():
    assert arrange(9, 778, 690, ALL).columns == 3
    assert arrange(9, 778, 690, ALL[:1]).columns == 3


def test_tall_narrow_area_stacks():
    assert arrange(3, 300, 1400, ALL[:1]).columns == 1


def test_no_panes():
    assert arrange(0, 100, 100, ALL).cells == ()
