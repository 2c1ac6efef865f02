"""The drawing: where things are, how much blood is pumped, and that the matrix does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from engine.phantom.anatomy import Chest, automatic_voxel
from engine.phantom.motion import SYSTOLE
from engine.phantom.tissues import Structure

VOXEL = (2.5, 2.5)
SHAPE = (116, 126)
SEEDS = range(4)


def area(shares, *structures):
    return sum(float(shares[s].sum()) for s in structures) * VOXEL[0] * VOXEL[1]


def centre(share):
    y, x = np.indices(share.shape)
    return (y * share).sum() / share.sum(), (x * share).sum() / share.sum()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_ejection_fraction_is_normal(seed):
    """Of the whole stack, blood with and without the papillary muscles; and of the volumes themselves."""
    chest = Chest(seed)
    blood, with_papillary, myocardium = np.zeros(2), np.zeros(2), np.zeros(2)
    for z in np.arange(73.0, -9.0, -6.0):
        plane = chest.plane(SHAPE, VOXEL, float(z))
        for k, phase in enumerate((0.0, SYSTOLE)):
            shares = plane.at(phase)
            blood[k] += area(shares, Structure.LV_BLOOD) * 6e-3
            with_papillary[k] += area(shares, Structure.LV_BLOOD, Structure.PAPILLARY) * 6e-3
            myocardium[k] += area(shares, Structure.LV_MYOCARDIUM) * 6e-3
    for volumes in (blood, with_papillary):
        assert 0.55 < 1.0 - volumes[1] / volumes[0] < 0.68
    assert 80 < with_papillary[0] < 160
    assert 30 < with_papillary[1] < 65
    # muscle is not squeezed away: the base comes down and brings some more of it into the stack
    assert 0.95 < myocardium[1] / myocardium[0] < 1.25


@pytest.mark.parametrize("seed", SEEDS)
def test_organs_are_where_they_belong(seed):
    shares = Chest(seed).plane(SHAPE, VOXEL, 45.0).at(0.0)
    lv, rv = centre(shares[Structure.LV_BLOOD]), centre(shares[Structure.RV_BLOOD])
    assert rv[1] < lv[1] - 8  # the right ventricle is on the left of the picture
    assert rv[0] < lv[0]  # and nearer to the chest wall
    liver = centre(shares[Structure.LIVER])
    assert liver[0] > lv[0]
    assert liver[1] < lv[1]
    spine = centre(shares[Structure.CSF])
    assert spine[0] > lv[0] + 25
    for structure in Structure:
        assert shares[structure].max() > 0.5, structure


@pytest.mark.parametrize("seed", SEEDS)
def test_the_left_ventricle_is_closed(seed):
    """Blood of the LV touches nothing but myocardium and papillary muscles, at any phase."""
    plane = Chest(seed).plane(SHAPE, VOXEL, 45.0)
    for phase in (0.0, 0.2, SYSTOLE, 0.6):
        labels = np.argmax(plane.at(phase), axis=0)
        inside = labels == Structure.LV_BLOOD
        near = np.zeros_like(inside)
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            near |= np.roll(inside, (dy, dx), axis=(0, 1))
        assert set(np.unique(labels[near & ~inside])) <= {Structure.LV_MYOCARDIUM, Structure.PAPILLARY}


def test_the_right_ventricle_pumps_too():
    plane = Chest(0).plane(SHAPE, VOXEL, 55.0)
    assert 0.35 < 1 - area(plane.at(SYSTOLE), Structure.RV_BLOOD) / area(plane.at(0.0), Structure.RV_BLOOD) < 0.7


def test_shares_sum_to_one():
    shares = Chest(1).plane((61, 75), (5.0, 4.5), 30.0).at(0.3, (1.5, -0.7))
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, atol=1e-4)
    assert shares.min() >= 0.0
    assert shares.dtype == np.float32


@pytest.mark.parametrize(
    ("structure", "tolerance"),
    [(Structure.LV_BLOOD, 0.005), (Structure.LV_MYOCARDIUM, 0.01), (Structure.RV_BLOOD, 0.01), (Structure.LIVER, 0.03)],
)
def test_areas_do_not_depend_on_the_matrix(structure, tolerance):
    """Partial volume at work: areas at 5 mm pixels are those at 1 mm (the liver has a rim of 1.5 mm, and vessels)."""
    found = []
    for n in (64, 97, 320):
        voxel = (320.0 / n, 320.0 / n)
        found.append(Chest(2).plane((n, n), voxel, 45.0).at(0.1)[structure].sum() * voxel[0] * voxel[1])
    assert found[:2] == pytest.approx([found[2], found[2]], rel=tolerance)


def test_the_same_person_at_any_matrix():
    centres = []
    for n in (80, 161):
        voxel = automatic_voxel((n, n))
        y, x = centre(Chest(3).plane((n, n), voxel, 45.0).at(0.0)[Structure.LV_BLOOD])
        centres.append(((y - n // 2) * voxel[0], (x - n // 2) * voxel[1]))
    np.testing.assert_allclose(centres[0], centres[1], atol=0.2)


def test_seeds_are_different_people():
    one, other = (Chest(seed).plane(SHAPE, VOXEL, 45.0).at(0.0) for seed in (0, 1))
    assert np.abs(one - other).max() > 0.9


@pytest.mark.parametrize("matrix", [(192, 160), (17, 33), (33, 17), (128, 128), (205, 97)])
@pytest.mark.parametrize("seed", [0, 5, 11])
def test_the_chest_fits_into_the_automatic_field_of_view(matrix, seed):
    voxel = automatic_voxel(matrix)
    assert voxel[0] == voxel[1]
    shares = Chest(seed).plane(matrix, voxel, 45.0).at(0.0)
    air = shares[Structure.BACKGROUND]
    assert min(air[0].min(), air[-1].min(), air[:, 0].min(), air[:, -1].min()) > 0.99


def test_drift_moves_the_heart_but_not_the_chest_wall():
    plane = Chest(0).plane(SHAPE, VOXEL, 45.0)
    still, moved = plane.at(0.0), plane.at(0.0, (5.0, 2.5))
    for structure in (Structure.LV_BLOOD, Structure.RV_BLOOD):
        step = np.subtract(centre(moved[structure]), centre(still[structure])) * VOXEL
        np.testing.assert_allclose(step, (5.0, 2.5), atol=0.15)
    np.testing.assert_array_equal(still[Structure.BACKGROUND], moved[Structure.BACKGROUND])


def test_liver_and_stomach_breathe_and_the_spine_does_not():
    plane = Chest(0).plane(SHAPE, VOXEL, 45.0)
    still, moved = plane.at(0.0), plane.at(0.0, (5.0, 0.0))
    for structure in (Structure.LIVER, Structure.SPLEEN):
        assert centre(moved[structure])[0] - centre(still[structure])[0] > 0.5
    np.testing.assert_allclose(centre(moved[Structure.CSF]), centre(still[Structure.CSF]), atol=0.01)


@pytest.mark.parametrize(("z", "way"), [(30.0, 1.0), (60.0, -1.0)])
def test_the_ventricle_twists(z, way):
    """The papillary muscles turn about the middle of the cavity: towards +y near the apex, the other way near the base."""
    plane = Chest(2).plane(SHAPE, VOXEL, z)
    directions = []
    for phase in (0.0, SYSTOLE):
        shares = plane.at(phase)
        y, x = np.indices(SHAPE)
        middle = centre(shares[Structure.LV_BLOOD] + shares[Structure.PAPILLARY])
        angle = np.arctan2(y - middle[0], x - middle[1])
        weight = shares[Structure.PAPILLARY] * (np.abs(angle) < 1.0)  # the one towards +x
        directions.append((angle * weight).sum() / weight.sum())
    assert np.deg2rad(1.0) < way * (directions[1] - directions[0]) < np.deg2rad(10.0)


def test_below_the_apex_there_is_no_heart():
    shares = Chest(0).plane(SHAPE, VOXEL, -15.0).at(0.0)
    for structure in (Structure.LV_BLOOD, Structure.LV_MYOCARDIUM, Structure.RV_BLOOD, Structure.PAPILLARY):
        assert shares[structure].max() == 0.0
