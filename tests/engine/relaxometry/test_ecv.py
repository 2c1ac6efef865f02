"""ECV: hand-computed value, the standard deviation against random draws, what cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import InputError, ShapeError
from engine.core.types import Region
from engine.relaxometry.ecv import ecv
from tests.engine.relaxometry.test_compare import make

SIZE = (1, 8, 16)
BLOOD = Region(np.arange(16) < 8 + np.zeros(SIZE), "blood")
WALL = Region(~BLOOD.pixels, "myocardium")


def t1(blood, wall, sd=None, **changes):
    values = np.where(BLOOD.pixels, blood, wall)
    return make(values, sd=None if sd is None else np.full(SIZE, sd, np.float32), **changes)


def test_value_of_the_formula():
    made, summary = ecv(t1(1800, 1200), t1(400, 500), BLOOD, 0.42, WALL)
    expected = 100 * 0.58 * (1 / 500 - 1 / 1200) / (1 / 400 - 1 / 1800)
    assert expected == pytest.approx(34.8, abs=0.01)
    assert made.values[WALL.pixels] == pytest.approx(expected, rel=1e-6)
    assert made.values[BLOOD.pixels] == pytest.approx(58.0, rel=1e-6)  # plasma
    assert (summary.myocardium.ecv, summary.myocardium.ecv_mean) == pytest.approx((expected, expected), rel=1e-6)
    assert summary.myocardium.partition == pytest.approx(expected / 58, rel=1e-6)
    assert (made.unit, summary.myocardium.n, summary.blood.native_ms) == ("%", 64, 1800)
    assert "no standard deviation" in summary.notes[0]


def test_standard_deviations_are_those_of_random_draws(rng):
    hct, hct_sd, n = 0.4, 0.02, 20000
    spread_native, spread_post, sd = 30.0, 12.0, 15.0
    noise = rng.standard_normal((2, *SIZE))
    native = t1(1800 + spread_native * noise[0], 1200, sd)
    post = t1(400 + spread_post * noise[1], 500, sd)
    made, summary = ecv(native, post, BLOOD, hct, WALL, haematocrit_sd=hct_sd)
    pool = summary.blood
    draw = rng.standard_normal((5, n))
    blood = 1 / (pool.post_ms + pool.post_sd_ms / 8 * draw[0]) - 1 / (pool.native_ms + pool.native_sd_ms / 8 * draw[1])
    wall = 1 / (500 + sd * draw[2]) - 1 / (1200 + sd * draw[3])
    seen = 100 * (1 - hct - hct_sd * draw[4]) * wall / blood
    assert made.sd[WALL.pixels].mean() == pytest.approx(seen.std(), rel=0.03)
    mean_only = 100 * (1 - hct - hct_sd * draw[4]) * (1 / 500 - 1 / 1200) / blood
    assert summary.myocardium.ecv_sd == pytest.approx(mean_only.std(), rel=0.03)  # the wall's T1 does not spread here


def test_pixels_without_a_sensible_value_are_invalid_and_counted():
    post = np.where(BLOOD.pixels, 400.0, 500.0)
    post[0, 0, 8], post[0, 0, 9], post[0, 0, 10] = 1300.0, 60.0, 0.0
    valid = post > 0
    made, summary = ecv(t1(1800, 1200), make(post, valid), BLOOD, 0.42, WALL)
    assert made.valid[0, 0, 8:12].tolist() == [False, False, False, True]
    assert made.values[0, 0, 8:11].tolist() == [0.0, 0.0, 0.0]
    assert (summary.n_outside, summary.myocardium.n) == (2, 61)


def test_regions_may_lie_elsewhere_after_contrast():
    turned = make(np.where(BLOOD.pixels, 500.0, 400.0))
    _, summary = ecv(t1(1800, 1200), turned, BLOOD, 0.42, WALL, blood_post=WALL, myocardium_post=BLOOD)
    assert summary.myocardium.ecv == pytest.approx(34.8, abs=0.01)


def test_small_regions_are_told():
    spot = Region(BLOOD.pixels & (np.arange(16) < 2), "blood")
    _, summary = ecv(t1(1800, 1200, 5.0), t1(400, 500, 5.0), spot, 0.42)
    assert summary.notes == ("the blood region is small (16 pixels)",)


@pytest.mark.parametrize(
    ("haematocrit", "hint"), [(0.0, "0.42"), (1.0, "share"), (-0.1, "share"), (42.0, "0.42"), (np.nan, "share")]
)
def test_haematocrit_is_a_share(haematocrit, hint):
    with pytest.raises(InputError, match="haematocrit is no share") as caught:
        ecv(t1(1800, 1200), t1(400, 500), BLOOD, haematocrit)
    assert hint in caught.value.hint + caught.value.message


def test_what_cannot_be_used():
    native, post = t1(1800, 1200), t1(400, 500)
    with pytest.raises(InputError, match="standard deviation of the haematocrit"):
        ecv(native, post, BLOOD, 0.4, haematocrit_sd=-1.0)
    with pytest.raises(InputError, match="does not shorten"):
        ecv(post, native, BLOOD, 0.4)
    with pytest.raises(InputError, match="needs T1 maps"):
        ecv(native, make(np.ones(SIZE), name="t2_ms"), BLOOD, 0.4)
    with pytest.raises(ShapeError, match="other sizes"):
        ecv(native, make(np.ones((1, 8, 8))), BLOOD, 0.4)
    with pytest.raises(ShapeError, match="blood region does not fit the native"):
        ecv(native, post, Region(np.ones((1, 2, 2), bool), "blood"), 0.4)
    with pytest.raises(InputError, match="no valid pixel in the post-contrast"):
        ecv(native, make(post.main.values, ~BLOOD.pixels), BLOOD, 0.4)
