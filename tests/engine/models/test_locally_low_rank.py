"""Locally low rank: its proximal step against an SVD of each block, and what it recovers."""

import pytest
import torch

from engine.core.errors import InputError
from engine.models.locally_low_rank import LocallyLowRank, LocallyLowRankConfig, _Blocks
from tests.engine.models.classical import error, measured, scaled


def run(data, **settings):
    with torch.inference_mode():
        return LocallyLowRank(LocallyLowRankConfig(**settings))(data)


@pytest.mark.parametrize(("width", "height"), [(16, 8), (13, 10), (5, 3)])
def test_the_proximal_step_lowers_the_singular_values_of_each_block(width, height):
    columns = torch.randn(2, width, height, 6, dtype=torch.complex128, generator=torch.Generator().manual_seed(1))
    threshold = torch.tensor([1.5, 4.0], dtype=torch.float64).reshape(2, 1, 1, 1)
    found = _Blocks(4, seed=3)(columns, threshold, 0)
    shift = torch.randint(0, 4, (2,), generator=torch.Generator().manual_seed(3)).tolist()
    wanted = torch.empty_like(columns)
    for b in range(2):
        for x in range(-shift[0], width, 4):
            for y in range(-shift[1], height, 4):
                place = (b, slice(max(x, 0), x + 4), slice(max(y, 0), y + 4))
                if columns[place].numel() == 0:
                    continue
                block = columns[place]
                u, s, v = torch.linalg.svd(block.flatten(0, 1), full_matrices=False)
                wanted[place] = ((u * (s - threshold[b].item()).clamp(min=0)) @ v).reshape(block.shape)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-9)


@pytest.mark.parametrize("pattern", ["kt_gaussian", "kt_uniform", "pseudo_radial"])
def test_it_recovers_what_a_mask_that_moves_leaves_out(pattern):
    data, truth = measured(pattern, r=4.0)
    assert error(run(data), truth) < 0.4 * error(data.operator.adjoint(data.kspace), truth)


def test_full_sampling_without_weight_is_the_data():
    data, truth = measured("full", noise=0.0)
    assert error(run(data, weight=0.0, noise_weight=0.0), truth) < 1e-4


def test_the_same_seed_gives_the_same_image_and_the_scale_does_not_matter():
    data, _ = measured("kt_gaussian")
    assert torch.equal(run(data), run(data))
    assert error(run(scaled(data, 64.0)) / 64.0, run(data)) < 1e-4


def test_one_frame_is_served():
    data, truth = measured("equispaced", frames=1)
    assert error(run(data), truth) < error(data.operator.adjoint(data.kspace), truth)


@pytest.mark.parametrize("settings", [{"weight": -1.0}, {"iterations": 0}, {"block": 1}, {"seed": -1}])
def test_settings_that_cannot_be_used(settings):
    with pytest.raises(InputError):
        LocallyLowRankConfig(**settings)
