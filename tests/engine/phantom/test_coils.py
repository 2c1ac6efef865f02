"""Receive fields against closed forms; maps as reconstructions need them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.special import ellipe, ellipk

from engine.core.errors import InputError
from engine.phantom import coils
from engine.phantom.coils import CoilArray, coil_maps, spline_matrix


def loop_field(radius, axial, radial):
    """Return (axial, radial) field of a circular loop by elliptic integrals (Smythe, Static and Dynamic Electricity, 7.10)."""
    m = 4 * radius * radial / ((radius + radial) ** 2 + axial**2)
    k, e = ellipk(m), ellipe(m)
    root, near = np.sqrt((radius + radial) ** 2 + axial**2), (radius - radial) ** 2 + axial**2
    along = 2 / root * (k + (radius**2 - radial**2 - axial**2) / near * e)
    across = 2 * axial / (radial * root) * (-k + (radius**2 + radial**2 + axial**2) / near * e)
    return along, across


def test_receive_field_is_that_of_a_loop(monkeypatch):
    """One loop at the right, normal along x: field at points inside the body by elliptic integrals, in both components."""
    monkeypatch.setattr(coils, "WIRE_MM", 0.0)
    array = CoilArray(1, (150.0, 170.0), turn=-np.pi / 2)
    ((angle, z, radius),) = array.loops()
    assert (np.cos(angle), z) == pytest.approx((1.0, 0.0))
    y, x = np.array([-60.0, -10.0, 35.0]), np.array([-50.0, 0.0, 60.0])
    field = coils._receive_field(array, y, x, 0.0)[0]
    along, across = loop_field(radius, (x - 170.0)[None, :], np.abs(y)[:, None])
    expected = along - 1j * across * np.sign(y)[:, None]
    ratio = field / expected
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)
    assert abs(ratio[0, 0].imag) < 1e-8 * abs(ratio[0, 0])


@pytest.mark.parametrize("count", [2, 4, 10, 32])
@pytest.mark.parametrize("shape", [(48, 40), (37, 51)])
def test_maps_are_normalised_everywhere(count, shape):
    maps = coil_maps(CoilArray(count), shape, (6.0, 7.0))
    assert maps.shape == (count, *shape)
    assert maps.dtype == np.complex64
    np.testing.assert_allclose(np.sum(np.abs(maps) ** 2, axis=0), 1.0, atol=1e-5)


@pytest.mark.parametrize("count", [4, 10, 32])
def test_coils_see_different_parts(count):
    """The coil images of an object are linearly independent enough for parallel imaging along both axes."""
    maps = coil_maps(CoilArray(count), (64, 64), (4.5, 4.5)).reshape(count, -1).astype(np.complex128)
    values = np.linalg.svd(maps @ maps.conj().T, compute_uv=False)
    assert np.count_nonzero(values > 0.01 * values[0]) >= min(count, 6)


def test_maps_are_smooth():
    """Between neighbouring pixels of 2 mm a map changes by less than a tenth inside the chest."""
    y, x = np.mgrid[-64:64, -72:72] * 2.0
    body = (y / 133) ** 2 + (x / 146) ** 2 < 1
    maps = coil_maps(CoilArray(10), body.shape, (2.0, 2.0))
    assert np.abs(np.diff(maps, axis=-1))[:, body[:, 1:] & body[:, :-1]].max() < 0.1
    assert np.abs(np.diff(maps, axis=-2))[:, body[1:] & body[:-1]].max() < 0.1


def test_the_coarse_grid_and_the_segments_are_fine_enough(monkeypatch):
    y, x = np.mgrid[-20:20, -22:22] * 6.5
    body = (y / 133) ** 2 + (x / 146) ** 2 < 1
    usual = coil_maps(CoilArray(6), body.shape, (6.5, 6.5))
    monkeypatch.setattr(coils, "GRID_MM", 2.5)
    monkeypatch.setattr(coils, "SEGMENTS", 128)
    fine = coil_maps(CoilArray(6), body.shape, (6.5, 6.5))
    assert np.abs(usual - fine)[:, body].max() < 2e-4


def test_spline_is_the_natural_cubic_spline(rng):
    values, at = rng.normal(size=13), np.linspace(0.0, 12.0, 101)
    expected = CubicSpline(np.arange(13), values, bc_type="natural")(at)
    np.testing.assert_allclose(spline_matrix(13, at) @ values, expected, atol=1e-12)


def test_half_a_turn_of_the_array_turns_the_maps():
    here = coil_maps(CoilArray(6), (33, 33), (8.0, 8.0))
    there = coil_maps(CoilArray(6, turn=np.pi), (33, 33), (8.0, 8.0))
    np.testing.assert_allclose(np.abs(there), np.abs(here[:, ::-1, ::-1]), atol=1e-5)


def test_one_coil_is_uniform():
    np.testing.assert_array_equal(coil_maps(CoilArray(1), (20, 30), (5.0, 5.0)), 1.0)


@pytest.mark.parametrize(("count", "overlap"), [(4, False), (8, True), (10, False), (16, True)])
def test_eight_loops_in_a_row_overlap_by_a_fifth(count, overlap):
    loops = CoilArray(count, (160.0, 160.0)).loops()
    row = [loop for loop in loops if loop[1] == loops[0][1]]
    step = 160.0 * 2 * np.pi / len(row)  # along the girth
    width = 2 * row[0][2]
    assert width == pytest.approx(1.2 * step if overlap else 190.0)
    assert (width > step) == overlap


def test_planes_along_the_bore_differ():
    assert (
        np.abs(coil_maps(CoilArray(16), (24, 24), (12.0, 12.0), 40.0) - coil_maps(CoilArray(16), (24, 24), (12.0, 12.0))).max()
        > 0.02
    )


@pytest.mark.parametrize("count", [0, -1, 65])
def test_impossible_numbers_of_coils_are_refused(count):
    with pytest.raises(InputError, match=rf"number of coils cannot be used \(expected 1 to 64 / found {count}\)"):
        CoilArray(count)


def test_a_cylinder_without_size_is_refused():
    with pytest.raises(InputError, match="coil cylinder has no size"):
        CoilArray(4, (0.0, 100.0))
