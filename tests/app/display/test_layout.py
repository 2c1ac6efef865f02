from __future__ import annotations

import pytest

from app.display.layout import GAP, SCORES, TITLE, arrange


def boxes(layout):
    for cell in layout.cells:
        yield cell.image.x, cell.image.y, layout.across, cell.image.height
        for box in (cell.error, cell.profile):
            if box is not None:
                yield box.x, box.y, box.width, box.height


@pytest.mark.parametrize("count", range(1, 10))
@pytest.mark.parametrize(("errors", "profiles"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("size", [(780, 690), (1500, 900), (500, 900)])
def test_nothing_overlaps_or_sticks_out(count, errors, profiles, size):
    layout = arrange(count, *size, errors=errors, profiles=profiles)
    placed = list(boxes(layout))
    assert len(placed) == count * (1 + errors + profiles)
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
    layout = arrange(4, 778, 690)
    assert layout.columns == 4
    assert layout.across == (778 - 3 * GAP) // 4
    assert layout.picture >= layout.across
    assert layout.cells[0].image.height == TITLE + layout.picture + SCORES


def test_nine_panes_make_full_rows():
    assert arrange(9, 778, 690).columns == 3
    assert arrange(9, 778, 690, errors=False, profiles=False).columns == 3


def test_tall_narrow_area_stacks():
    assert arrange(3, 300, 1400, errors=False, profiles=False).columns == 1


def test_no_panes():
    assert arrange(0, 100, 100).cells == ()
