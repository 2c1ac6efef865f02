"""Rules against their definitions, at extreme scales; the record undoes what it did."""

import numpy as np
import pytest
import torch

from engine.core.errors import InputError, ShapeError, UnknownNameError
from engine.physics.coils import rss
from engine.physics.fourier import ifft2c
from engine.physics.scaling import RULES, Scale, find_scale, scale_of


@pytest.fixture
def kspace(rng):
    values = rng.normal(size=(3, 4, 9, 11)) + 1j * rng.normal(size=(3, 4, 9, 11))
    return torch.from_numpy(values.astype(np.complex64))


@pytest.fixture
def mask(rng):
    return torch.from_numpy(rng.random((3, 9, 1)) < 0.6)


def expected(kspace, mask, rule):
    measured = mask.unsqueeze(1).expand(kspace.shape)
    images = rss(ifft2c(kspace * measured)).numpy()
    samples = kspace.abs().numpy()[measured.numpy()]
    return {
        "none": 1.0,
        "kspace_max": samples.max(),
        "kspace_p99": np.percentile(samples, 99, method="inverted_cdf"),
        "kspace_p99_all": np.percentile((kspace * measured).abs().numpy(), 99, method="inverted_cdf"),
        "image_max": images.max(),
        "zero_filled_p99": np.percentile(images, 99, method="inverted_cdf"),
    }[rule]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_rule_is_what_its_name_says(kspace, mask, rule):
    assert scale_of(kspace, mask, rule) == pytest.approx(expected(kspace, mask, rule), rel=1e-5)
    assert scale_of(kspace, mask.unsqueeze(1), rule) == scale_of(kspace, mask, rule)
    everything = torch.ones(1, 9, 1, dtype=torch.bool)
    assert scale_of(kspace, None, rule) == pytest.approx(expected(kspace, everything, rule), rel=1e-5)


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"none"}))
@pytest.mark.parametrize("size", [1e-12, 1e-25, 1e8, 1e20])
def test_scale_follows_data_over_forty_decades(kspace, mask, rule, size):
    scaled = kspace * size
    assert scale_of(scaled, mask, rule) == pytest.approx(size * scale_of(kspace, mask, rule), rel=1e-4)
    scale = find_scale(scaled, mask, rule)
    normalised = scale.normalise(scaled)
    torch.testing.assert_close(normalised, kspace / scale_of(kspace, mask, rule), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(scale.restore(normalised), scaled, rtol=3e-7, atol=0)


def test_an_inverted_recovery_keeps_its_sign_and_ratios(kspace):
    scale = find_scale(kspace, None, "zero_filled_p99")
    frames = scale.normalise(torch.stack([kspace[0], -0.5 * kspace[0]]))
    torch.testing.assert_close(frames[1], -0.5 * frames[0])


def test_zeros_where_measured_are_refused(kspace):
    mask = torch.zeros(1, 9, 1, dtype=torch.bool)
    mask[:, 4] = True
    for rule in set(RULES) - {"none"}:
        with pytest.raises(InputError, match="nothing but zeros"):
            scale_of(torch.zeros_like(kspace), None, rule)
        with pytest.raises(InputError, match="nothing but zeros"):
            scale_of(kspace * ~mask, mask, rule)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(kspace, value):
    kspace[1, 2, 3, 4] = value
    with pytest.raises(InputError, match="not a finite number"):
        scale_of(kspace, None, "zero_filled_p99")


def test_unknown_rule_wrong_mask_and_impossible_factor(kspace):
    with pytest.raises(UnknownNameError, match="unknown scaling rule 'max'"):
        scale_of(kspace, None, "max")
    with pytest.raises(ShapeError, match="mask does not fit k-space"):
        scale_of(kspace, torch.ones(4, 9, 1), "kspace_max")
    for factor in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="positive and finite"):
            Scale("none", factor)
