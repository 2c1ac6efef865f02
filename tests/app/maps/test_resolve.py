"""Maps to frames: values, scales, differences, words; the same arrays come back unchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.display.frames import ERROR, REFERENCE
from app.display.layers import MarksLayer
from app.display.map_state import Drawing, FitOutput, FitSettings, MapTool, MapView
from app.display.marks import Mark, MarkKind
from app.display.shapes import Shape
from app.display.state import ViewState
from app.display.words import ms
from app.maps.layers import auto_range, difference_scale, round_up, scale_of, values_of
from app.maps.resolve import drawn, resolve_maps
from app.maps.snapshot import MapEntry, MapSnapshot
from app.maps.words import counts, invalid_text, median_text, reasons_text
from engine.core.maps import MapSet, Reason
from engine.core.types import ParameterMap


def maps(offset=0.0, shape=(2, 5, 7), slices=(0, 1), quantity="T1", star=True, sd=True):
    """Return maps whose value tells slice and pixel: 1000 s + 10 y + x (+ offset); pixel (0, 0) background, (1, 2) at a bound."""
    s, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    values = (1000.0 * (s + 1) + 10.0 * y + x + offset).astype(np.float32)
    reason = np.zeros(shape, np.uint8)
    reason[:, 0, 0], reason[:, 1, 2] = Reason.BACKGROUND, Reason.BOUND
    valid = reason == 0
    values[~valid] = 0
    made = {"t1_ms": ParameterMap(values, quantity, "ms", valid, sd=values / 100 if sd else None)}
    if star:
        made["t1_star_ms"] = ParameterMap(values * np.float32(0.8), "T1*", "ms", valid)
    ones = np.ones(shape, np.float32)
    times = np.tile(np.array([100.0, 500.0, 2000.0], np.float32), (shape[0], 1))
    images = np.ones((shape[0], 3, *shape[1:]), np.float32)
    return MapSet(made, "molli3", "m", times, ones * 0.9, ones * 2, reason * 0, reason, images, slices=slices, seconds=0.5)


def snapshot(*entries, **more):
    return MapSnapshot(entries or (MapEntry(REFERENCE, "Reference", maps()), MapEntry("r1", "CG", maps(25.0))), slices=2, **more)


def test_values_are_nan_where_the_fit_does_not_hold():
    shown = resolve_maps(snapshot(), MapView(), ViewState(slice_index=1))
    image = shown.display.panes[1].image
    assert image[3, 4] == 2000 + 34 + 25
    assert np.isnan(image[0, 0])
    assert np.isnan(image[1, 2])
    assert shown.display.panes[1].picture.invalid == 2
    assert shown.scale.colormap == "lipari"
    assert shown.scale.unit == "ms"
    assert not image.flags.writeable


@pytest.mark.parametrize("layer", [FitOutput.VALUE, FitOutput.SD])
def test_colours_stay_while_other_maps_stand_in_their_place(layer):
    usual, other = snapshot(), snapshot(MapEntry(REFERENCE, "Reference", maps(9000.0)), MapEntry("r1", "CG", maps(9900.0)))
    view = MapView(layer=layer, difference=True)
    kept, moved = resolve_maps(usual, view, ViewState()), resolve_maps(other, view, ViewState())
    flipped = resolve_maps(other, view, ViewState(), usual.entries)
    assert flipped.scale == kept.scale != moved.scale
    assert flipped.lower == kept.lower
    assert flipped.display.panes[0].image[3, 4] == moved.display.panes[0].image[3, 4]


def test_unchanged_pictures_are_the_same_objects():
    held = snapshot()
    one, other = (resolve_maps(held, MapView(), ViewState()) for _ in range(2))
    assert [a.image is b.image for a, b in zip(one.display.panes, other.display.panes, strict=True)] == [True, True]


@pytest.mark.parametrize(("layer", "expected"), [
    (FitOutput.VALUE, 1034.0), (FitOutput.SD, 10.34), (FitOutput.R2, 0.9), (FitOutput.RESIDUAL, 2.0),
    (FitOutput.APPARENT, 1034 * 0.8),
])  # fmt: skip
def test_layers(layer, expected):
    assert values_of(maps(), layer, 0)[3, 4] == pytest.approx(expected, rel=1e-6)


def test_what_a_model_does_not_tell_is_said():
    held = snapshot(MapEntry(REFERENCE, "Reference", maps(star=False, sd=False)))
    for layer, words in ((FitOutput.APPARENT, "no T1*"), (FitOutput.SD, "standard deviation")):
        pane = resolve_maps(held, MapView(layer=layer), ViewState()).display.panes[0]
        assert pane.image is None
        assert words in pane.message.replace("\n", " ")


def test_t2_takes_navia_and_its_own_range():
    held = snapshot(MapEntry(REFERENCE, "Reference", maps(quantity="T2")))
    scale = scale_of(held.entries, MapView(ranges={"T2": (0.0, 80.0), "T1": (0.0, 2000.0)}))
    assert (scale.colormap, scale.levels, scale.automatic) == ("navia", (0.0, 80.0), False)


def test_automatic_ranges_are_round_and_the_same_for_all_slices():
    found = auto_range(maps(), FitOutput.VALUE)
    assert found == (0.0, 2500.0)
    assert scale_of(snapshot().entries, MapView()).levels == found
    low, high = auto_range(maps(), FitOutput.R2)
    assert low == pytest.approx(0.9)
    assert high == 1.0


@pytest.mark.parametrize(
    ("value", "up"), [(1.0, 1.0), (1.01, 1.5), (1999.0, 2000.0), (2001.0, 2500.0), (87.0, 100.0), (0.031, 0.04)]
)
def test_round_up(value, up):
    assert round_up(value) == up


def test_differences_are_taken_from_the_reference_on_a_symmetrical_scale():
    shown = resolve_maps(snapshot(), MapView(difference=True), ViewState())
    reference, lower = shown.display.row(ERROR)
    assert reference.image is None
    assert lower.image[3, 4] == 25.0
    assert np.isnan(lower.image[0, 0])
    assert shown.lower.levels == (-25.0, 25.0)
    assert shown.lower.colormap == "vik"
    assert shown.lower.label == "ΔT1 from the reference"


def test_there_are_no_differences_without_a_reference_or_of_other_layers():
    alone = snapshot(MapEntry("r1", "CG", maps()), MapEntry("r2", "Net", maps(5.0)))
    assert resolve_maps(alone, MapView(difference=True), ViewState()).display.row(ERROR) == ()
    assert resolve_maps(snapshot(), MapView(difference=True, layer=FitOutput.SD), ViewState()).display.row(ERROR) == ()
    assert difference_scale(snapshot().entries[:1], MapView()) is None


def test_a_slice_that_was_not_fitted_and_other_sizes_are_said():
    one = maps(shape=(1, 5, 7), slices=(1,))
    held = snapshot(MapEntry(REFERENCE, "Reference", maps()), MapEntry("r1", "CG", one), MapEntry("r2", "N", maps(shape=(2, 6, 7))))
    first = resolve_maps(held, MapView(difference=True), ViewState(slice_index=0)).display
    assert "Slice 1" in first.panes[1].message
    assert "6 × 7" in first.panes[2].message
    assert "Slice 1" in first.row(ERROR)[1].message
    second = resolve_maps(held, MapView(), ViewState(slice_index=1)).display
    assert second.panes[1].image[3, 4] == 1034.0


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flipped", [False, True])
def test_orientation(turns, flipped):
    shown = resolve_maps(snapshot(), MapView(), ViewState(quarter_turns=turns, flipped=flipped)).display
    for y, x in ((3, 4), (4, 0), (0, 6)):
        column, row = shown.orientation.to_display(x, y)
        assert shown.panes[0].image[int(row), int(column)] == 1000 + 10 * y + x


def test_words():
    found = maps()
    assert counts(found, 0) == {Reason.VALID: 33, Reason.BACKGROUND: 1, Reason.BOUND: 1}
    assert invalid_text(found, 0) == "2.9 % invalid (1 of 34)"
    assert "1 pixels: at a bound of the fit" in reasons_text(found, 0)
    assert median_text(found, 0).startswith("median T1 1024 ms (")
    assert (ms(1234.4), ms(34.56), ms(3.456), ms(float("nan"))) == ("1234", "34.6", "3.46", "–")
    empty = replace(found, reason=np.ones_like(found.reason))
    assert invalid_text(empty, 0) == "nothing was fitted: all background"


def test_marks():
    drawing = Drawing(endo=((1, 1), (2, 1), (2, 2)), insertion=(4.0, 2.0))
    shown = resolve_maps(snapshot(drawing=drawing), MapView(pixel=(3, 4)), ViewState())
    picture, endo, insertion, pixel = shown.display.panes[0].layers
    assert picture is shown.display.panes[0].picture
    assert (endo.shape, endo.points, endo.dashed, endo.label) == (Shape.CONTOUR, drawing.endo, True, "")
    assert (insertion.shape, insertion.points, insertion.label) == (Shape.POINT, ((4.0, 2.0),), "RV")
    assert pixel == MarksLayer((Mark(MarkKind.PIXEL, ((3.0, 4.0),), "#ffffff"),))
    assert shown.display.panes[1].layers[1] is endo, "one object for all panes"
    assert drawn(snapshot(drawing=drawing), MapView(tool=MapTool.ENDO))[0].label == "endo"
    assert drawn(snapshot(drawing=drawing), MapView(marks=False)) == ()


def test_settings_are_compared_with_their_times():
    one = FitSettings("molli3", times_ms=np.array([[1.0, 2.0]], np.float32))
    assert one.alike(replace(one, times_ms=one.times_ms.copy()))
    assert not one.alike(replace(one, times_ms=one.times_ms + 1))
    assert not one.alike(replace(one, times_ms=None))
    assert one.alike(replace(one, skipped=frozenset({"x"})))
    assert not one.same(replace(one, skipped=frozenset({"x"})))
    assert one.request(one.times_ms).model == "molli3"
