"""Wavelet compressed sensing: better than SENSE, the same by every way of solving, and what theory says of its parts."""

import dataclasses

import pytest
import torch

from engine.core.errors import Cancelled, InputError
from engine.core.jobs import CancelToken, Reporter
from engine.models.cg_sense import CGSense, CGSenseConfig
from engine.models.l1_wavelet import L1Wavelet, L1WaveletConfig, principal_components
from engine.physics.operator import SenseOperator
from tests.engine.models.classical import error, measured, scaled

DEFAULT = L1WaveletConfig()


def run(data, **settings):
    with torch.inference_mode():
        return L1Wavelet(dataclasses.replace(DEFAULT, **settings))(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "temporal"),
    [
        ("equispaced", "pca"),
        ("equispaced", "wavelet"),
        ("equispaced", "none"),
        ("gaussian", "none"),
        ("kt_uniform", "pca"),
        ("kt_uniform", "wavelet"),
        ("pseudo_radial", "pca"),
    ],
)
def test_it_is_better_than_sense(pattern, temporal):
    data, truth = measured(pattern, r=4.0, noise=0.02, frames=6, height=62, width=47)
    sense = min(error(CGSense(CGSenseConfig(weight=w))(data), truth) for w in (0.003, 0.02))
    assert error(run(data, temporal=temporal), truth) < 0.8 * sense


def test_the_threshold_is_neither_too_low_nor_too_high():
    data, truth = measured(noise=0.02, frames=6)
    off = [error(run(data, weight=f * DEFAULT.weight, noise_weight=f * DEFAULT.noise_weight), truth) for f in (0.2, 8.0)]
    assert error(run(data), truth) < 0.8 * min(off)


def test_more_noise_is_met_with_a_higher_threshold():
    data, truth = measured(noise=0.1, frames=6)
    assert error(run(data), truth) < 0.7 * error(run(data, noise_weight=0.0), truth)


def test_gram_matrices_and_ffts_give_the_same_image():
    data, truth = measured(frames=4)
    by_fft = SenseOperator(data.operator.mask, data.operator.maps, gram_limit_mib=0.0)
    assert data.operator.gram is not None
    assert by_fft.gram is None
    other = run(dataclasses.replace(data, operator=by_fft))
    assert error(other, run(data)) < 0.02  # the inner conjugate gradients stop early
    assert error(other, truth) < 1.02 * error(run(data), truth)


def test_full_sampling_without_noise_returns_the_truth():
    data, truth = measured("full", noise=0.0)
    assert error(run(data), truth) < 0.01


@pytest.mark.parametrize("coils", [1, 5])
def test_without_weights_full_sampling_is_exact(coils):
    data, truth = measured("full", noise=0.0, coils=coils, frames=3, height=33, width=29)
    assert error(run(data, weight=0.0, noise_weight=0.0), truth) < 1e-4


@pytest.mark.parametrize(("size", "settings"), [(33, {"levels": 0}), (20, {"order": 10}), (3, {})])
def test_an_image_that_no_wavelet_splits_is_left_to_the_data(size, settings):
    data, truth = measured("full", noise=0.0, frames=3, height=size, width=size)
    assert error(run(data, **settings), truth) < 1e-3


@pytest.mark.parametrize("factor", [1e-6, 3e5])
def test_image_follows_the_scale_of_the_data(factor):
    data, _ = measured(frames=4)
    assert error(run(scaled(data, factor)) / factor, run(data)) < 1e-4


def test_zeros_give_zeros():
    data, _ = measured(frames=2)
    assert not run(scaled(data, 0.0)).any()


def test_the_seed_decides():
    data, _ = measured(frames=3)
    assert torch.equal(run(data, seed=1), run(data, seed=1))
    assert error(run(data, seed=2), run(data, seed=1)) > 1e-5


def test_each_batch_element_is_a_problem_of_its_own():
    data, _ = measured(frames=3)
    two = dataclasses.replace(data, kspace=torch.cat([data.kspace, 7.0 * data.kspace]))
    pair, alone = run(two), run(data)
    assert error(pair[:1], alone) < 1e-4
    assert error(pair[1:] / 7.0, alone) < 1e-4


def test_stages_are_the_iterations():
    data, _ = measured(frames=3)
    images = {}
    result = run(dataclasses.replace(data, stages=lambda i, part, value: images.update({(i, part): value})), iterations=6)
    assert sorted(images) == [(i, "image") for i in range(6)]
    assert torch.equal(images[5, "image"], result)


def test_cancel_is_heard_between_shifts():
    token = CancelToken()
    data, _ = measured(frames=3)
    calls = []

    def stage(i, part, value):
        calls.append(i)
        token.cancel()

    with pytest.raises(Cancelled):
        run(dataclasses.replace(data, report=Reporter(None, token), stages=stage))
    assert calls == [0]


def test_principal_components_are_the_left_singular_vectors():
    columns = torch.randn(2, 6, 5, 4, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    basis = principal_components(columns)
    torch.testing.assert_close(basis.mH @ basis, torch.eye(4, dtype=torch.complex64).expand(2, 4, 4), rtol=0, atol=1e-5)
    modes = columns.flatten(1, 2) @ basis
    found = torch.linalg.vector_norm(modes, dim=1)
    torch.testing.assert_close(found, torch.linalg.svdvals(columns.flatten(1, 2)), rtol=1e-4, atol=0)
    products = modes.mH @ modes
    off = products - torch.diag_embed(products.diagonal(dim1=-2, dim2=-1))
    assert off.abs().max() < 1e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": -1.0}, "weights must be finite and not negative"),
        ({"temporal": "fourier"}, "temporal is 'fourier'"),
        ({"order": 0}, "the wavelet of order 0 with 4 levels does not exist"),
        ({"shifts": 0}, "shifts and iterations must be at least 1"),
        ({"seed": 2**63}, "the seed must be a whole number"),
        ({"penalty": 0.0}, "penalty must be positive"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        L1WaveletConfig(**settings)
