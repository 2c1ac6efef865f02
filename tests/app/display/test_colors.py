from __future__ import annotations

import numpy as np
import pytest

from app.display.colors import INVALID, MAP_FILES, NAMES, packed, table, to_rows, to_words
from engine.core.errors import UnknownNameError


@pytest.mark.parametrize("name", NAMES)
def test_tables(name):
    colors = table(name)
    assert colors.shape == (256, 3)
    reserved = (0, 0, 0) if name in MAP_FILES else INVALID
    assert tuple(colors[0]) == reserved
    assert not colors.flags.writeable
    assert not (colors[1:] == reserved).all(axis=1).any()
    words = packed(name)
    assert (words >> 24 == 255).all()
    np.testing.assert_array_equal(np.stack([words >> 16 & 255, words >> 8 & 255, words & 255], axis=1), colors)


def test_gray_is_linear_and_error_grows_brighter():
    np.testing.assert_allclose(table("gray")[1:, 0], np.linspace(0, 255, 255), atol=0.51)
    light = table("error")[1:].astype(float) @ [0.2126, 0.7152, 0.0722]
    assert light[0] == 0
    assert (np.diff(light) > -1.0).all()
    assert light[-1] > 180


@pytest.mark.parametrize("name", ["romaO"])
def test_phase_maps_are_cyclic(name):
    colors = table(name)[1:].astype(int)
    assert np.abs(colors[0] - colors[-1]).max() <= 6


def test_signed_map_is_dark_in_the_middle_and_two_hued():
    colors = table("berlin")[1:].astype(int)
    assert colors[127].sum() < 80
    assert colors[0, 2] > colors[0, 0]
    assert colors[-1, 0] > colors[-1, 2]


def test_rows_against_a_plain_formula(rng):
    image = rng.normal(0, 1, (50, 60)).astype(np.float32)
    expected = np.clip(np.floor((image.astype(float) + 1.0) / 2.5 * 254 + 0.5), 0, 254) + 1
    assert np.abs(to_rows(image, (-1.0, 1.5)).astype(float) - expected).max() <= 1  # ties may fall to either side
    assert (to_rows(image, (-1.0, 1.5)) == expected).mean() > 0.999


def test_not_a_number_has_its_own_row():
    image = np.array([[np.nan, np.inf, -np.inf, 0.0, 1.0]], np.float32)
    np.testing.assert_array_equal(to_rows(image, (0.0, 1.0)), [[0, 0, 0, 1, 255]])
    assert to_words(image, (0.0, 1.0), "gray")[0, 0] == packed("gray")[0]


@pytest.mark.parametrize("scale", [1e-36, 1e-9, 1.0, 1e9, 1e35])
def test_rows_do_not_depend_on_the_scale(scale):
    base = np.linspace(0, 1, 98, dtype=np.float32)[None]  # no value falls on a tie
    np.testing.assert_array_equal(to_rows((base * scale).astype(np.float32), (0.0, scale)), to_rows(base, (0.0, 1.0)))


def test_unknown_map():
    with pytest.raises(UnknownNameError, match="no colour map is called 'jet'"):
        table("jet")
