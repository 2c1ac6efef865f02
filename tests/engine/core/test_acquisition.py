"""What was measured: masks for each slice, the acquired window, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.acquisition import NOT_LOOKED_AT, WHOLE, Acquisition, Evidence, SamplingMask, Window
from engine.core.errors import InputError, ShapeError

SHAPE = (3, 4, 2, 12, 8)


def mask(every=2, ky=12, frames=1, nominal=None):
    lines = np.zeros((frames, ky, 1), bool)
    lines[:, ::every] = True
    return SamplingMask(lines, "acquired", nominal)


def test_nobody_looked_is_not_the_same_as_all_there():
    assert (NOT_LOOKED_AT.fully_sampled, NOT_LOOKED_AT.certain) == (True, False)
    assert (WHOLE.fully_sampled, WHOLE.certain) == (True, True)
    assert not Acquisition(evidence=Evidence.PART).certain
    assert WHOLE.mask() is None
    assert WHOLE.effective_acceleration == 1.0


def test_one_mask_serves_all_slices():
    made = Acquisition((mask(3, nominal=4.0),), Evidence.TOLD)
    made.check_fits(SHAPE)
    assert not made.fully_sampled
    assert not made.varies_by_slice
    assert made.mask() is made.mask((2,)) is made.masks[0]
    assert (made.effective_acceleration, made.nominal_acceleration) == (pytest.approx(3.0), 4.0)


def test_a_mask_for_each_slice():
    made = Acquisition((mask(2, nominal=2.0), mask(3, frames=4, nominal=3.0), mask(2, nominal=2.0)), Evidence.WHOLE)
    made.check_fits(SHAPE)
    assert made.varies_by_slice
    assert made.mask((1,)).effective_acceleration == 3.0
    assert made.mask((0, 2)).effective_acceleration == 2.0  # alike, though two objects
    with pytest.raises(InputError, match="different masks") as caught:
        made.mask()
    assert "--slices" in caught.value.hint
    assert made.effective_acceleration == pytest.approx(3 / (1 / 2 + 1 / 3 + 1 / 2))
    assert made.nominal_acceleration is None
    assert not Acquisition((mask(2), mask(2), mask(2))).varies_by_slice


def test_acceleration_counts_inside_the_window():
    """Lines 4 to 11 of 12 were acquired, every second of them measured: R is 2, not 3."""
    lines = np.zeros((1, 12, 1), bool)
    lines[:, 4::2] = True
    made = Acquisition((SamplingMask(lines, "acquired"),), window=Window((4, 12), (0, 8)))
    assert SamplingMask(lines, "acquired").effective_acceleration == 3.0
    assert made.effective_acceleration == 2.0
    square = np.zeros((1, 12, 8), bool)
    square[:, 4:, 2:6] = True
    inside = Acquisition((SamplingMask(square, "acquired"),), window=Window((4, 12), (2, 6)))
    assert inside.effective_acceleration == 1.0
    assert not inside.window.covers(12, 8)
    assert Window((0, 12), (0, 8)).covers(12, 8)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Acquisition((mask(), mask())), "one for each of 3 slices / found 2"),
        (Acquisition((mask(ky=10),)), "mask does not fit"),
        (Acquisition(window=Window((0, 13), (0, 8))), "acquired window does not fit"),
        (Acquisition(window=Window((0, 12), (0, 9))), "acquired window does not fit"),
        (Acquisition(noise=np.eye(3)), "expected 2 coils / found 3"),
    ],
)
def test_what_does_not_fit_the_series(made, words):
    with pytest.raises(ShapeError, match=words) as caught:
        made.check_fits(SHAPE)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Window((3, 3), (0, 1)), InputError, r"window of ky cannot be 3\.\.3"),
        (lambda: Window((0, 3), (-1, 1)), InputError, "window of kx"),
        (lambda: Acquisition(noise=np.eye(2)[:1]), ShapeError, "expected coil, coil"),
        (lambda: Acquisition(noise=np.array([[1, 1j], [1j, 1]])), InputError, "not Hermitian"),
        (lambda: Acquisition(noise=np.full((2, 2), np.nan)), InputError, "not Hermitian and finite"),
        (lambda: Acquisition(oversampling=(1.0, 0.0)), InputError, "oversampling cannot be"),
    ],
)
def test_what_cannot_be_is_refused(make, error, words):
    with pytest.raises(error, match=words) as caught:
        make()
    assert caught.value.hint
