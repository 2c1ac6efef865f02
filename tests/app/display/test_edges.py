from __future__ import annotations

import numpy as np

from app.display.edges import calmed, segments


def test_square_has_four_sides():
    region = np.zeros((6, 7), bool)
    region[1:4, 2:6] = True
    found = {tuple(row) for row in segments(region).tolist()}
    assert found == {(2, 1, 6, 1), (2, 4, 6, 4), (2, 1, 2, 4), (6, 1, 6, 4)}


def test_border_of_the_image_counts():
    assert {tuple(row) for row in segments(np.ones((2, 3), bool)).tolist()} == {
        (0, 0, 3, 0),
        (0, 2, 3, 2),
        (0, 0, 0, 2),
        (3, 0, 3, 2),
    }
    assert segments(np.zeros((2, 3), bool)).shape == (0, 4)


def test_length_is_that_of_all_pixel_edges(rng):
    region = rng.random((20, 23)) > 0.5
    lines = segments(region)
    length = np.abs(lines[:, 2] - lines[:, 0]).sum() + np.abs(lines[:, 3] - lines[:, 1]).sum()
    padded = np.pad(region, 1)
    assert length == (padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum()


def test_calmed_drops_specks_and_keeps_the_heart():
    region = np.zeros((30, 30), bool)
    region[10:20, 10:20] = True
    spotted = region.copy()
    spotted[3, 3] = spotted[25, 5] = True
    spotted[14, 14] = False
    calm = calmed(spotted)
    assert not calm[3, 3]
    assert not calm[25, 5]
    assert calm[14, 14]
    assert (calm != region).sum() <= 12  # corners are rounded
