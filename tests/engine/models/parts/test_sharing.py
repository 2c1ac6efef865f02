"""Data sharing against loops over frames and samples."""

from __future__ import annotations

import pytest
import torch

from engine.models import ReconInput
from engine.models.parts.sharing import average_of_frames, share_images, share_kspace
from engine.physics.fourier import ifft2c
from engine.physics.operator import SenseOperator
from tests.engine.models.unrolled import problem


def combined(kspace, maps):
    return (maps.conj() * ifft2c(kspace)).sum(-3)


@pytest.mark.parametrize("distance", [0, 1, 2])
@pytest.mark.parametrize("case", [{}, {"readout": True}, {"static": True, "readout": True}, {"batch": 1, "coils": 1}])
def test_missing_samples_are_means_of_the_neighbours_that_have_them(case, distance):
    kspace, mask, maps = problem(**{"frames": 5, **case})
    data = ReconInput(kspace, SenseOperator(mask, maps))
    everywhere = mask.expand(1, 5, 1, *kspace.shape[-2:])[0, :, 0]
    expected = torch.zeros_like(kspace)
    for t in range(5):
        for y in range(kspace.shape[-2]):
            for x in range(kspace.shape[-1]):
                near = [t] if everywhere[t, y, x] else [(t + d) % 5 for d in range(-distance, distance + 1)]
                near = [n for n in near if everywhere[n, y, x]]
                if near:
                    expected[:, t, :, y, x] = torch.stack([kspace[:, n, :, y, x] for n in near]).mean(0)
    assert torch.allclose(share_kspace(data, distance), combined(expected, maps), rtol=0, atol=1e-12)


def test_images_are_averaged_around_the_circle():
    image = torch.arange(5, dtype=torch.float64)[None, :, None, None].to(torch.complex128).expand(1, 5, 2, 3)
    assert torch.allclose(share_images(image, 1)[0, :, 0, 0].real, torch.tensor([5 / 3, 1, 2, 3, 7 / 3], dtype=torch.float64))
    assert torch.equal(share_images(image, 0), image)


def test_the_average_takes_every_sample_that_was_measured():
    kspace, mask, maps = problem(frames=4)
    count = mask.expand(1, 4, 1, 9, 11).sum(1, keepdim=True)
    mean = kspace.sum(1, keepdim=True) / count.clamp(min=1)
    found = average_of_frames(ReconInput(kspace, SenseOperator(mask, maps)))
    assert found.shape == (2, 4, 9, 11)
    assert torch.allclose(found, combined(mean, maps).expand(2, 4, 9, 11), rtol=0, atol=1e-12)
