"""Agreement of maps: hand-computed numbers, pixels that one has no value for, slices in common."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from engine.core.errors import InputError, ShapeError
from engine.core.maps import MapSet
from engine.core.types import ParameterMap, Region
from engine.relaxometry.compare import compare_maps, disagreement


def make(values, valid=None, slices=(0,), name="t1_ms", sd=None, **changes):
    """Return maps of values (slice, y, x) without a fit."""
    values = np.asarray(values, np.float32)
    known = np.ones(values.shape, bool) if valid is None else np.asarray(valid)
    zeros = np.zeros(values.shape)
    main = ParameterMap(values, name[:2].upper(), "ms", known, sd=sd)
    images = np.zeros((values.shape[0], 4, *values.shape[1:]), np.float32)
    made = MapSet(
        maps={name: main}, model="molli3", title="a", times_ms=np.zeros((values.shape[0], 4), np.float32), r2=zeros, residual=zeros,
        polarity=zeros, reason=(~known).astype(np.uint8), images=images, slices=tuple(slices),
    )  # fmt: skip
    return replace(made, **changes)


def test_bias_and_limits_are_those_of_the_definition():
    truth = make([[[100.0, 200.0, 300.0, 400.0]]])
    found = compare_maps(make([[[101.0, 203.0, 299.0, 405.0]]]), truth)
    d = np.array([1.0, 3.0, -1.0, 5.0])
    sd = math.sqrt(((d - 2) ** 2).sum() / 3)
    assert (found.agreement.n, found.agreement.bias, found.agreement.median, found.agreement.mae) == (4, 2.0, 2.0, 2.5)
    assert found.agreement.sd == pytest.approx(sd)
    assert (found.agreement.lower, found.agreement.upper) == pytest.approx((2 - 1.96 * sd, 2 + 1.96 * sd))
    assert found.agreement.rmse == pytest.approx(3.0)
    assert found.agreement.bias_percent == pytest.approx(0.8)
    assert found.differences.tolist() == d.tolist()
    assert found.means.tolist() == [100.5, 201.5, 299.5, 402.5]
    assert found.difference.values[0, 0].tolist() == d.tolist()
    assert (found.quantity, found.unit, found.notes) == ("T1", "ms", ())


def test_only_pixels_that_both_have_count_and_the_others_are_counted():
    valid = np.array([[[True, False, False, True]]])
    known = np.array([[[True, True, False, True]]])
    region = Region(np.array([[[True, True, True, False]]]), "wall")
    found = compare_maps(make([[[5.0, 900.0, 7.0, 50.0]]], valid), make([[[4.0, 0.0, 0.0, 0.0]]], known), region)
    assert (found.agreement.n, found.agreement.bias, found.n_invalid, found.n_lost, found.region) == (1, 1.0, 2, 1, "wall")
    assert math.isnan(found.agreement.sd)
    assert found.difference.values[0, 0].tolist() == [1.0, 0.0, 0.0, 50.0]
    assert found.difference.valid[0, 0].tolist() == [True, False, False, True]


def test_slices_are_matched_by_their_numbers_in_the_series():
    truth = make(np.arange(3.0)[:, None, None] * np.ones((3, 2, 2)), slices=(2, 4, 6))
    found = compare_maps(make(np.full((2, 2, 2), 10.0), slices=(6, 2)), truth)
    assert found.slices == (6, 2)
    assert found.difference.values[:, 0, 0].tolist() == [8.0, 10.0]


def test_segments_get_rows_and_their_means_an_agreement():
    truth = make(np.full((1, 2, 4), 100.0), slices=(3,))
    maps = make([[[101.0, 103.0, 110.0, 110.0]] * 2], slices=(3,))
    left, right = np.zeros((2, 2, 4), bool)
    left[:, :2] = right[:, 2:] = True
    found = compare_maps(maps, truth, masks={3: {1: left, 2: right}, 5: {1: left}})
    assert [(r.slice, r.segment, r.name, r.agreement.bias, r.mean) for r in found.segments] == [
        (3, 1, "basal anterior", 2.0, 102.0),
        (3, 2, "basal anteroseptal", 10.0, 110.0),
    ]
    assert (found.segment_agreement.n, found.segment_agreement.bias) == (2, 6.0)
    assert found.segment_agreement.sd == pytest.approx(math.sqrt(32))
    with pytest.raises(ShapeError, match="segment does not fit"):
        compare_maps(maps, truth, masks={3: {1: left.T}})


def test_other_settings_of_the_fit_are_told():
    fits = [{"fit": {"model": "molli3", "efficiency": e, "motion": "none"}} for e in (1.0, 0.9653)]
    one, two = (make(np.ones((1, 1, 1)), provenance=p) for p in fits)
    assert compare_maps(one, two).notes == ("fitted with other settings: efficiency 1.0, reference 0.9653",)


def test_disagreement_is_the_standard_deviation_where_all_have_a_value():
    valid = np.array([[[True, True]]])
    found = disagreement([make([[[1.0, 5.0]]], valid), make([[[2.0, 5.0]]], valid), make([[[6.0, 0.0]]], [[[True, False]]])])
    assert found.values[0, 0].tolist() == [pytest.approx(math.sqrt(7.0)), 0.0]
    assert found.valid[0, 0].tolist() == [True, False]
    assert found.unit == "ms"


def test_maps_that_cannot_be_compared():
    one = make(np.ones((1, 2, 2)))
    with pytest.raises(InputError, match="show different things"):
        compare_maps(one, make(np.ones((1, 2, 2)), name="t2_ms"))
    with pytest.raises(ShapeError, match="other sizes"):
        compare_maps(one, make(np.ones((1, 2, 3))))
    with pytest.raises(InputError, match="no slice in common"):
        disagreement([one, make(np.ones((1, 2, 2)), slices=(1,))])
    with pytest.raises(InputError, match="one method cannot disagree"):
        disagreement([one])
    with pytest.raises(ShapeError, match="does not fit the maps"):
        compare_maps(one, one, Region(np.ones((2, 2, 2), bool), "wall"))
