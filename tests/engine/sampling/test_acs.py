"""Centre lines that all frames sample."""

from __future__ import annotations

import numpy as np
import pytest

from engine.sampling.acs import centre_lines, sampled_centre


@pytest.mark.parametrize("size", [32, 33])
@pytest.mark.parametrize("count", [4, 7, 12])
def test_a_centre_of_any_size_is_found(size, count):
    lines = np.zeros((2, size, 1), dtype=bool)
    lines[:, centre_lines(size, count)] = True
    assert sampled_centre(lines, size) == count
    assert sampled_centre(lines, count - 1) == (count - 1 if count > 4 else None)


def test_every_frame_and_the_whole_line_must_be_sampled():
    lines = np.zeros((2, 32, 8), dtype=bool)
    lines[:, centre_lines(32, 12)] = True
    lines[1, centre_lines(32, 12).start] = False
    assert sampled_centre(lines, 32) == 11, "the block of 11 begins one line later"
    lines[0, 16, 3] = False
    assert sampled_centre(lines, 32) is None


def test_fewer_than_four_lines_are_none():
    lines = np.zeros((1, 32, 1), dtype=bool)
    lines[:, centre_lines(32, 3)] = True
    assert sampled_centre(lines, 32) is None
    assert sampled_centre(np.ones((1, 32, 1), dtype=bool), 32) == 32
