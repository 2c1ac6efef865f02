"""Times at the door: what cannot be fitted is said with what to do."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import InputError, ShapeError
from engine.relaxometry.contract import MODELS
from engine.relaxometry.times import checked_times

MOLLI, T2 = MODELS.get("molli3"), MODELS.get("t2prep2")


def test_one_row_serves_all_slices_and_order_stays():
    times = checked_times(np.array([1700.0, 100.0, 180.0, 1000.0]), 2, 4, MOLLI)
    assert times.shape == (2, 4)
    assert times.dtype == np.float32
    assert list(times[1]) == [1700.0, 100.0, 180.0, 1000.0]


@pytest.mark.parametrize(
    ("times", "frames", "model", "error", "message", "hint"),
    [
        (None, 4, MOLLI, InputError, "inversion times are not known", "--times 100,180"),
        ([100, 180, 1000], 4, MOLLI, ShapeError, "expected slice 1, frame 4", "for each frame"),
        ([100, 180], 2, MOLLI, InputError, "at least 3 frames / found 2", "all frames"),
        ([10, 30], 2, MODELS.get("t2prep3"), InputError, "at least 3 frames / found 2", "fewer parameters"),
        ([-10, 180, 1000], 3, MOLLI, InputError, "not negative", "milliseconds"),
        ([np.nan, 180, 1000], 3, MOLLI, InputError, "finite", "milliseconds"),
        ([100, 180, 100, 180], 4, MOLLI, InputError, "at least 3 different ones / found 2 in 4 images", "say the same"),
        ([0.1, 1.1, 2.1, 3.1, 4.1], 5, MOLLI, InputError, "in seconds", "--times 100,1100,2100,3100,4100"),
        ([0, 0.035, 0.055], 3, T2, InputError, "in seconds", "--times 0,35,55"),
        ([100_000, 180_000, 1_000_000], 3, MOLLI, InputError, "in microseconds", "--times 100,180,1000"),
    ],
)
def test_bad_times_are_refused(times, frames, model, error, message, hint):
    with pytest.raises(error, match=message) as found:
        checked_times(None if times is None else np.array(times, float), 1, frames, model)
    assert hint in found.value.hint


def test_one_bad_slice_is_enough():
    with pytest.raises(InputError, match="do not differ enough"):
        checked_times(np.array([[100.0, 180.0, 1000.0], [100.0, 100.0, 1000.0]]), 2, 3, MOLLI)


def test_repeated_times_are_taken_as_they_are():
    assert list(checked_times(np.array([100.0, 180.0, 100.0, 900.0]), 1, 4, MOLLI)[0]) == [100.0, 180.0, 100.0, 900.0]


def test_short_echo_times_in_ms_are_taken():
    assert checked_times(np.array([0.9, 2.0, 3.1]), 1, 3, T2) is not None
