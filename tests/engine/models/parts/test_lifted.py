"""Features that are images: repeating and averaging, the operator on every channel, hard data consistency."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from engine.models.parts.forms import plain_forms
from engine.models.parts.lifted import Lifted, one_mask, per_channel, serves_any_frame, with_masks
from engine.physics.fourier import fft2c
from engine.physics.operator import SenseOperator
from tests.engine.models.test_mc_varnet import random_input


def lifted_of(data, channels=6, complex_images=True):
    groups = channels // 2 if complex_images else channels
    return Lifted(data, channels, complex_images, per_channel(data.operator, groups))


def noise(*shape, seed=3):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("complex_images", [True, False])
def test_the_mean_of_the_channels_undoes_the_repetition(complex_images):
    data = random_input()
    lifted = lifted_of(data, complex_images=complex_images)
    image = data.reference if complex_images else data.reference.real + 0j
    features = lifted.lift(data.reference)
    assert features.shape == (2, 6, 20, 17)
    assert torch.allclose(lifted.lower(features), image, atol=1e-14)
    assert torch.allclose(lifted.to_features(lifted.to_complex(features)), features)


@pytest.mark.parametrize("per_frame", [False, True])
def test_the_operator_acts_on_every_channel_of_every_frame(per_frame):
    data = random_input(per_frame=per_frame)
    lifted = lifted_of(data)
    images = torch.view_as_complex(noise(2, 3, 20, 17, 2))
    found = lifted.normal(images)
    for channel in range(3):
        assert torch.allclose(found[:, channel], data.operator.normal_by_fft(images[None, :, channel])[0], atol=1e-12)
    with plain_forms():
        assert torch.allclose(lifted.normal(images), found, atol=1e-12)
    energy = data.operator.maps.abs().square().sum(2)[0]
    assert torch.allclose(lifted.energy.expand(2, 1, -1, -1)[:, 0], energy.expand(2, -1, -1))


@pytest.mark.parametrize("complex_images", [True, False])
def test_the_normal_operator_is_self_adjoint_on_features(complex_images):
    lifted = lifted_of(random_input(), complex_images=complex_images)
    x, y = noise(2, 6, 20, 17, seed=1), noise(2, 6, 20, 17, seed=2)

    def normal(features):
        return lifted.to_features(lifted.normal(lifted.to_complex(features)))

    gap = (normal(x) * y).sum() - (x * normal(y)).sum()
    assert abs(gap) < 1e-12 * x.norm() * y.norm()


def test_data_consistency_replaces_the_samples_of_every_channel():
    data = random_input(coils=1)
    ones = torch.ones_like(data.operator.maps)
    data = dataclasses.replace(data, operator=SenseOperator(data.operator.mask, ones))
    lifted = Lifted(data, 6, True, per_channel(data.operator, 3))
    features = torch.randn(2, 6, 20, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    spectra = fft2c(lifted.to_complex(lifted.consistent(features)))
    mask = data.operator.mask[0, 0, 0].expand(20, 17)
    measured = data.kspace[0, :, 0]
    for channel in range(3):
        assert torch.allclose(spectra[:, channel][:, mask], measured[:, mask], atol=1e-12)
        before = fft2c(lifted.to_complex(features))[:, channel]
        assert torch.allclose(spectra[:, channel][:, ~mask], before[:, ~mask], atol=1e-12)


def test_equal_masks_share_an_operator():
    data = random_input()
    check = data.report.check
    other = ~data.operator.mask
    made = with_masks(data.operator, [data.operator.mask, other, other, data.operator.mask], 3, check)
    assert made[0] is made[3] is data.operator
    assert made[1] is made[2] is not made[0]
    assert torch.equal(made[1].mask, other)


def test_frames_that_are_alike_are_seen_as_one():
    data = random_input()
    operator = data.operator
    assert one_mask(operator) is operator
    repeated = SenseOperator(operator.mask.expand(-1, 2, -1, -1, -1), operator.maps)
    assert not serves_any_frame(repeated)
    assert serves_any_frame(one_mask(repeated))
    moving = random_input(per_frame=True).operator
    assert one_mask(moving) is moving
