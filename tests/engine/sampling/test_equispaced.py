"""The rule of CMRxRecon, line by line."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from engine.core.requests import MaskRequest
from engine.sampling import make_mask


def lines(pattern="equispaced", acceleration=4.0, acs=0, frames=1, ky=51, per_frame=None, **options):
    return make_mask(MaskRequest(pattern, acceleration, acs, 0, per_frame, options), frames, ky, 16).lines[..., 0]


@pytest.mark.parametrize("ky", [50, 51, 204])
@pytest.mark.parametrize("acceleration", [1, 2, 3, 8, 24])
@pytest.mark.parametrize("offset", [0, 2, 30])
def test_index_is_offset_modulo_r(ky, acceleration, offset):
    found = np.flatnonzero(lines(acceleration=acceleration, ky=ky, offset=offset))
    assert np.array_equal(found, [i for i in range(ky) if (i - offset) % acceleration == 0])


def test_first_line_and_centre_as_in_the_challenge():
    # MATLAB: mask = zpad(ones(24), 204); mask(1:8:end) = 1.
    wanted = np.zeros(204, bool)
    wanted[::8] = True
    wanted[90:114] = True
    assert np.array_equal(lines(acceleration=8, acs=24, ky=204)[0], wanted)


def test_fractional_acceleration_takes_the_floor():
    assert np.flatnonzero(lines(acceleration=4.5, ky=20)).tolist() == [0, 4, 9, 13, 18]
    # 10 * 1.7 is 17 - 2e-15 or so in floating point on some paths.
    assert 17 in np.flatnonzero(lines(acceleration=1.7, ky=20))


@pytest.mark.parametrize("tenths", [11, 17, 23, 45])
def test_fractional_acceleration_with_an_offset_is_the_exact_rule(tenths):
    # 11 modulo 1.1 is 0, but 1.0999999999999994 in floating point.
    step = Fraction(tenths, 10)
    for offset in (0, 1, 11, 23, 33, 66):
        wanted = [int(offset % step + i * step) for i in range(40)]
        found = np.flatnonzero(lines(acceleration=tenths / 10, ky=40, offset=offset))
        assert found.tolist() == [line for line in wanted if line < 40]


@pytest.mark.parametrize("acceleration", [3.0, 8.0])
def test_kt_uniform_is_a_lattice_that_covers_k_space(acceleration):
    found = lines("kt_uniform", acceleration, frames=int(acceleration))
    for frame, row in enumerate(found):
        assert np.array_equal(np.flatnonzero(row) % acceleration, np.full(row.sum(), frame))
    assert (found.sum(axis=0) == 1).all()


def test_equispaced_per_frame_is_kt_uniform():
    assert np.array_equal(lines(frames=6, acs=8, per_frame=True), lines("kt_uniform", frames=6, acs=8))
    still = lines(frames=6, acs=8, per_frame=True, shift=0)
    assert (still == still[:1]).all()
