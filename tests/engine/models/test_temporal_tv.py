"""Temporal total variation: its proximal step against its optimality conditions, and what it recovers."""

import dataclasses

import pytest
import torch

from engine.core.errors import InputError
from engine.models.temporal_tv import TemporalTV, TemporalTVConfig, _Variation
from tests.engine.models.classical import error, measured, scaled


def run(data, **settings):
    with torch.inference_mode():
        return TemporalTV(TemporalTVConfig(**settings))(data)


def test_the_proximal_step_is_the_minimum():
    """``x = z - D^H p`` with |p| <= t, and p = t Dx / |Dx| where x varies: the conditions of the convex problem, met."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(1, 3, 4, 9, dtype=torch.complex128, generator=generator)
    threshold = torch.tensor(0.4, dtype=torch.float64).reshape(1, 1, 1, 1)
    step = _Variation()
    for iteration in range(3000):
        x = step(z, threshold, iteration)
    dual = (x - z).cumsum(-1)[..., :-1]  # of x - z = -D^H p: p_f is the sum up to f
    assert float(dual.abs().max()) <= 0.4 + 1e-9
    steps = x[..., 1:] - x[..., :-1]
    moving = steps.abs() > 1e-3
    assert bool(moving.any())
    assert bool((~moving).any())
    torch.testing.assert_close(dual[moving], (0.4 * steps / steps.abs())[moving], rtol=0, atol=1e-4)


@pytest.mark.parametrize("pattern", ["kt_gaussian", "kt_uniform", "pseudo_radial"])
def test_it_recovers_what_a_mask_that_moves_leaves_out(pattern):
    data, truth = measured(pattern, r=4.0)
    assert error(run(data), truth) < 0.4 * error(data.operator.adjoint(data.kspace), truth)


def test_full_sampling_without_weight_is_the_data():
    data, truth = measured("full", noise=0.0)
    assert error(run(data, weight=0.0, noise_weight=0.0), truth) < 1e-4


def test_a_large_weight_leaves_one_image_for_all_frames():
    data, _ = measured("kt_gaussian")
    still, moving = (error(x, x.mean(1, keepdim=True).expand_as(x)) for x in (run(data, weight=10.0, iterations=60), run(data)))
    assert still < 0.06
    assert still < 0.4 * moving


def test_the_scale_of_the_data_does_not_matter():
    data, _ = measured("kt_gaussian")
    assert error(run(scaled(data, 64.0)) / 64.0, run(data)) < 1e-4


def test_one_frame_is_served():
    data, truth = measured("equispaced", frames=1)
    assert error(run(data), truth) < error(data.operator.adjoint(data.kspace), truth)


def test_every_iteration_leaves_its_image():
    data, _ = measured("kt_uniform")
    seen = {}

    def keep(index, part, value):
        seen[index] = value

    image = run(dataclasses.replace(data, stages=keep), iterations=5)
    assert sorted(seen) == [0, 1, 2, 3, 4]
    torch.testing.assert_close(seen[4], image, rtol=0, atol=0)


@pytest.mark.parametrize("settings", [{"weight": -1.0}, {"noise_weight": float("nan")}, {"iterations": 0}])
def test_settings_that_cannot_be_used(settings):
    with pytest.raises(InputError):
        TemporalTVConfig(**settings)
