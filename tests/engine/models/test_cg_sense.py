"""SENSE against normal equations written out as one matrix, direct and iterative ways alike."""

import dataclasses

import pytest
import torch

from engine.core.errors import InputError
from engine.core.jobs import Reporter
from engine.models.cg_sense import CGSense, CGSenseConfig
from engine.models.zero_filled import ZeroFilled, ZeroFilledConfig
from engine.physics.fourier import fft2c
from tests.engine.models.classical import error, measured, scaled


def solved_by_matrix(data, weight, frame):
    """Return (A^H A + w I)^-1 A^H k of one frame from the full encoding matrix in double precision."""
    maps = data.operator.maps[0, 0].to(torch.complex128)
    height, width = maps.shape[-2:]
    mask = data.operator.mask
    chosen = mask[0, frame if mask.shape[1] > 1 else 0, 0].expand(height, width)
    basis = torch.eye(height * width, dtype=torch.complex128).reshape(-1, 1, height, width)
    encode = (fft2c(basis * maps) * chosen).reshape(height * width, -1).T
    samples = data.kspace[0, frame].to(torch.complex128).reshape(-1)
    left = encode.mH @ encode + weight * torch.eye(height * width)
    return torch.linalg.solve(left, encode.mH @ samples).reshape(height, width)


@pytest.mark.parametrize("pattern", ["equispaced", "kt_uniform", "pseudo_radial"])
def test_image_solves_the_normal_equations(pattern):
    data, _ = measured(pattern, r=2.0, acs=4, coils=3, frames=4, height=16, width=13)
    config = CGSenseConfig(weight=0.05, iterations=200, tolerance=1e-7)
    image = CGSense(config)(data)
    for frame in (0, 3):
        assert error(image[0, frame] / 1.05, solved_by_matrix(data, 0.05, frame).to(torch.complex64)) < 1e-4


@pytest.mark.parametrize("coils", [1, 5])
def test_full_sampling_returns_the_truth(coils):
    data, truth = measured("full", noise=0.0, coils=coils, height=33, width=40)
    assert error(CGSense(CGSenseConfig())(data), truth) < 1e-4


def test_it_unfolds_what_zero_filling_leaves_folded():
    data, truth = measured(r=3.0, noise=0.001)
    folded, unfolded = ZeroFilled(ZeroFilledConfig())(data), CGSense(CGSenseConfig())(data)
    assert error(unfolded, truth) < 0.5 * error(folded, truth)


def test_image_follows_the_scale_of_the_data():
    data, _ = measured()
    first = CGSense(CGSenseConfig())(data)
    assert error(CGSense(CGSenseConfig())(scaled(data, 1e-5)) * 1e5, first) < 1e-4


@pytest.mark.parametrize("pattern", ["equispaced", "kt_gaussian"])
def test_progress_never_passes_its_end(pattern):
    class Steps(Reporter):
        def step(self, done, total, _):
            seen.append(done / total)

    seen = []
    data, _ = measured(pattern, frames=2, coils=2, width=200)
    CGSense(CGSenseConfig(iterations=1, tolerance=0.0))(dataclasses.replace(data, report=Steps()))
    assert seen == sorted(seen)
    assert seen[-1] <= 1


def test_zeros_give_zeros():
    data, _ = measured()
    assert not CGSense(CGSenseConfig())(scaled(data, 0.0)).any()


def test_impossible_settings_are_refused():
    with pytest.raises(InputError, match="weight must be positive"):
        CGSenseConfig(weight=0.0)
    with pytest.raises(InputError, match="at least 1 iteration"):
        CGSenseConfig(iterations=0)
