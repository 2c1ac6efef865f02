"""The logarithmic rule of relaxation maps: against an independent implementation, and what follows from its words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from app.display import painting
from app.display.colors import read_table
from app.display.relaxation_colors import RELAXATION, check_range, clipped, packed, table_rows, to_entries, to_words
from engine.core.errors import InputError
from tests.app.display.relaxation_vectors import VECTORS

RANGES = [(0, 2500), (400, 2000), (900, 1500), (0, 120), (20, 80), (-100, 1000)]


def rgb(words):
    return np.stack([words >> 16 & 255, words >> 8 & 255, words & 255], axis=-1)


@pytest.mark.shared
def test_every_row_of_the_golden_ranges(shared):
    golden = json.loads((shared / "colormaps" / "golden_logremap.json").read_text(encoding="utf-8"))
    assert len(golden) == 8
    for name, record in golden.items():
        low, up = record["lo"], record["up"]
        np.testing.assert_array_equal(table_rows(low, up), record["source_index"], err_msg=name)
        for value, shown in record["samples"].items():
            assert clipped(np.array([float(value)]), low, up)[0] == np.float32(shown), (name, value)
        middle = rgb(packed(record["table"], float(low), float(up)))[128]
        np.testing.assert_allclose(middle / 255, record["rgb_at_mid"], atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_small_vectors(name):
    _, low, up, rows, samples = VECTORS[name]
    made = table_rows(low, up)
    assert {entry: int(made[entry]) for entry in rows} == rows
    for value, shown in samples.items():
        assert clipped(np.array([value]), low, up)[0] == np.float32(shown)


@pytest.mark.parametrize(("low", "up"), RANGES)
def test_entries_are_those_of_the_clipped_values(low, up):
    """One step does what two do: clip, then scale linearly to 256 entries as a display would."""
    values = np.linspace(low - 300, up + 300, 4001).astype(np.float32)
    step = (up - low) / 256
    scaled = np.clip(np.floor((clipped(values, low, up).astype(np.float64) - low) / step), 0, 255).astype(np.uint8)
    made = to_entries(values, (low, up))
    edge = np.abs((values - low) / step - np.rint((values - low) / step)) < 1e-3
    np.testing.assert_array_equal(made[~edge], scaled[~edge])
    assert (np.abs(made[edge].astype(int) - scaled[edge]) <= 1).all()


def test_no_value_is_black_and_too_low_is_not():
    values = np.array([[np.nan, np.inf, -np.inf, 0.0, -5.0, 1.0, 50.0, 399.0, 400.0, 2000.0, 9000.0]], np.float32)
    colors = rgb(to_words(values, (400, 2000), "lipari"))[0]
    black = [not color.any() for color in colors]
    assert black == [True, False, True, True, True, True, False, False, False, False, False]
    darkest = read_table("lipari")[table_rows(400, 2000)[1]]
    for index in (6, 7, 8):
        np.testing.assert_array_equal(colors[index], darkest)
    for index in (1, 9, 10):
        np.testing.assert_array_equal(colors[index], read_table("lipari")[255])


def test_half_the_table_lies_below_the_knee_when_the_range_begins_at_zero():
    rows = table_rows(0, 2500)
    knee = int(256 / np.e)
    assert abs(int(rows[knee]) - 128) <= 2
    assert (np.diff(rows.astype(int)) >= 0).all()


def test_another_range_has_another_table_and_rates_run_backwards():
    assert (packed("lipari", 400.0, 2500.0) != packed("lipari", 400.0, 2000.0)).any()
    # From zero on only the ratio to the upper end counts.
    np.testing.assert_array_equal(packed("lipari", 0.0, 2500.0), packed("lipari", 0.0, 2000.0))
    for name in ("lipari", "navia"):
        forward, backward = packed(name, 0.0, 100.0), packed(f"{name}_rate", 0.0, 100.0)
        assert forward[0] == backward[0] == 0xFF000000
        np.testing.assert_array_equal(rgb(backward)[255], read_table(name)[0])
        np.testing.assert_array_equal(rgb(forward)[255], read_table(name)[255])


def test_the_colour_bar_has_the_colour_of_the_map_at_every_value():
    levels = (100.0, 1800.0)
    bar = painting.ramp(levels, "lipari", 512)
    values = levels[0] + (np.arange(512, dtype=np.float32) + 0.5) / 512 * (levels[1] - levels[0])
    np.testing.assert_array_equal(bar, to_words(values, levels, "lipari"))
    assert (rgb(bar).any(axis=-1)).all(), "nothing on the bar is black"


@pytest.mark.parametrize("ends", [(100, 100), (500, 100), (-10, 0), (0, np.nan), (-np.inf, 5)])
def test_ranges_that_cannot_be_shown(ends):
    with pytest.raises(InputError, match="range of the map cannot be shown"):
        check_range(*ends)


def test_an_unknown_map():
    with pytest.raises(InputError, match="no relaxation map is called 'viridis_x'"):
        packed("viridis_x", 0.0, 1.0)
    assert RELAXATION == ("lipari", "navia", "lipari_rate", "navia_rate")


def test_navia_and_lipari_grow_brighter():
    weights = np.array([0.2126, 0.7152, 0.0722])
    for name in ("lipari", "navia"):
        light = ((read_table(name) / 255.0) ** 2.2) @ weights
        assert (np.diff(light[::8]) > 0).all()
