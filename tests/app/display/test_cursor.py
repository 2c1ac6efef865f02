from __future__ import annotations

import numpy as np
import pytest

from app.display.cursor import values_at
from app.display.state import ViewState
from app.review.resolve import resolve
from tests.app.display.build import snapshot


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_values_are_those_of_the_data_pixel(turns, flipped):
    data = snapshot(2)
    display = resolve(data, ViewState(slice_index=1, frame=2, quarter_turns=turns, flipped=flipped))
    truth = np.abs(data.reference[1, 2])
    for y, x in np.ndindex(truth.shape):
        reference, first, _ = values_at(display, x, y)
        assert reference.value == truth[y, x]
        assert reference.error is None
        assert first.value == pytest.approx(1.1 * truth[y, x], rel=1e-5)
        assert first.error == pytest.approx(0.1 * truth[y, x], rel=1e-3)


def test_outside_there_is_nothing():
    display = resolve(snapshot(1), ViewState())
    assert values_at(display, -1, 0) == ()
    assert values_at(display, 9, 0) == ()
