"""Random and Poisson-disc samples of the plane."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.requests import MaskRequest
from engine.sampling import draw, make_mask
from engine.sampling.acs import centre_lines
from engine.sampling.poisson import _throw
from engine.sampling.random2d import radius


def test_radius_is_one_on_the_inscribed_ellipse():
    r = radius(64, 48)
    assert r[32, 24] == 0
    assert r[0, 24] == 1
    assert r[32, 0] == 1
    assert r[0, 0] == pytest.approx(np.sqrt(2))


def test_random2d_follows_its_density():
    mask = make_mask(MaskRequest("random2d", 5, 0, 1, True, {"power": 1.0, "floor": 0.2}), 600, 24, 20).lines
    density = np.maximum(1 - radius(24, 20), 0) + 0.2
    assert np.abs(mask.mean(axis=0) - 96 * density / density.sum()).max() < 0.1
    assert (mask.sum(axis=(1, 2)) == 96).all()


@pytest.mark.parametrize(("ky", "kx", "acceleration"), [(64, 48, 6), (75, 51, 10), (96, 96, 3)])
def test_poisson_samples_keep_their_distance(ky, kx, acceleration):
    acs = 6
    mask = make_mask(MaskRequest("poisson", acceleration, acs, 1, options={"growth": 2.0}), 1, ky, kx).lines[0].copy()
    assert not mask[radius(ky, kx) > 1].any()
    mask[centre_lines(ky, acs), centre_lines(kx, acs)] = False
    y, x = np.nonzero(mask)
    apart = np.hypot(y[:, None] - y, x[:, None] - x)
    np.fill_diagonal(apart, np.inf)
    # r0 is not told: the least of the distances over their own rule must be far from what chance gives.
    relative = apart.min(axis=1) / (1 + 2.0 * radius(ky, kx)[y, x])
    rng = np.random.default_rng(0)
    inside = np.argwhere(radius(ky, kx) <= 1)
    chance = inside[rng.choice(len(inside), y.size, replace=False)]
    random = np.hypot(chance[:, None, 0] - chance[:, 0], chance[:, None, 1] - chance[:, 1])
    np.fill_diagonal(random, np.inf)
    random_relative = random.min(axis=1) / (1 + 2.0 * radius(ky, kx)[chance[:, 0], chance[:, 1]])
    assert np.percentile(relative, 5) > 1.3 * np.percentile(random_relative, 5)
    assert relative.min() > 0.4 * np.median(relative)


@pytest.mark.parametrize("sixteenths", [0, 15, 16, 50, 200])
def test_no_thrown_sample_lies_in_a_disc_before_it_and_no_place_is_left(sixteenths):
    ky, kx = 31, 24
    order = draw.order(np.random.Generator(np.random.PCG64(3)), ky * kx)
    growing = sixteenths * (1 + np.arange(ky * kx).reshape(ky, kx) // 200)
    blocked = np.zeros((ky, kx), bool)
    blocked[10:14, 5:9] = True
    taken = _throw(order, growing, blocked)
    y, x = np.divmod(taken, kx)
    squared = 16 * ((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2)
    # Row: the one that excludes, taken earlier than the column's.
    assert (squared > growing[y, x][:, None])[np.triu_indices(len(taken), 1)].all()
    assert not blocked[y, x].any()
    rows, columns = np.indices((ky, kx))
    near = 16 * ((rows - y[:, None, None]) ** 2 + (columns - x[:, None, None]) ** 2) <= growing[y, x][:, None, None]
    assert (near.any(axis=0) | blocked).all()


def test_poisson_is_denser_in_the_centre():
    mask = make_mask(MaskRequest("poisson", 8, 0, 1), 1, 128, 128).lines[0]
    r = radius(128, 128)
    assert mask[r < 0.25].mean() > 3 * mask[(r > 0.75) & (r < 1)].mean()
    assert mask[r > 1].sum() == 0


def test_poisson_of_uniform_distance_fills_the_corners_when_asked():
    mask = make_mask(MaskRequest("poisson", 8, 0, 1, options={"growth": 0.0, "corners": True}), 1, 96, 96).lines[0]
    assert mask.reshape(4, 24, 4, 24).sum(axis=(1, 3)).min() > 50
