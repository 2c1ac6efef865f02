"""L + S: the iterates of the published form, and what its two parts hold."""

import dataclasses

import pytest
import torch

from engine.core.errors import InputError
from engine.models.low_rank_sparse import LowRankSparse, LowRankSparseConfig
from engine.physics.fourier import fft2c, ifft2c
from tests.engine.models.classical import error, measured, scaled


def run(data, **settings):
    with torch.inference_mode():
        return LowRankSparse(LowRankSparseConfig(**settings))(data)


def published(data, low_rank, sparse, iterations):
    """Return L + S by algorithm 1 of the paper, in double precision.

    ``L_k = SVT(M_(k-1) - S_(k-1))``, ``S_k = T^-1 soft(T (M_(k-1) - L_(k-1)))``, ``M_k = L_k + S_k - E^* (E (L_k + S_k) - d)``,
    from ``M_0 = L_0 = E^* d`` and ``S_0 = 0``.
    """
    maps, mask = data.operator.maps[0].to(torch.complex128), data.operator.mask[0].double()

    def adjoint(kspace):
        return (ifft2c(kspace * mask) * maps.conj()).sum(-3)

    start = adjoint(data.kspace[0].to(torch.complex128))
    m = before = start
    s = torch.zeros_like(start)
    for _ in range(iterations):
        u, values, v = torch.linalg.svd((m - s).flatten(1), full_matrices=False)
        low = ((u * (values - low_rank * values[0]).clamp(min=0)) @ v).reshape(m.shape)
        frequencies = torch.fft.fft(m - before, dim=0, norm="ortho")
        keep = (1 - sparse * start.abs().max() / frequencies.abs().clamp(min=1e-300)).clamp(min=0)
        s = torch.fft.ifft(frequencies * keep, dim=0, norm="ortho")
        image, before = low + s, low
        m = image - adjoint(fft2c(image.unsqueeze(-3) * maps)) + start
    return image.to(torch.complex64)[None]


@pytest.mark.parametrize("pattern", ["equispaced", "kt_gaussian", "pseudo_radial"])
def test_iterates_are_those_of_the_published_form(pattern):
    data, _ = measured(pattern, height=33, width=28)
    found = run(data, low_rank=0.02, sparse=0.01, iterations=10, tolerance=0.0)
    assert error(found, published(data, 0.02, 0.01, 10)) < 1e-5


def test_it_recovers_what_a_mask_that_moves_leaves_out():
    data, truth = measured("kt_uniform", r=4.0)
    folded = data.operator.adjoint(data.kspace)
    assert error(run(data), truth) < 0.6 * error(folded, truth)


def test_background_is_low_rank_and_the_rest_is_sparse_in_frequency():
    data, _ = measured("kt_uniform")
    parts = {}

    def keep(index, part, value):
        parts[part] = value

    image = run(dataclasses.replace(data, stages=keep), low_rank=0.1)
    assert error(parts["low_rank"] + parts["sparse"], image) < 1e-6
    values = torch.linalg.svdvals(parts["low_rank"][0].flatten(1))
    assert values[4:].max() < 1e-3 * values[0]
    frequencies = torch.fft.fft(parts["sparse"][0], dim=0)
    assert (frequencies.abs() < 1e-6 * frequencies.abs().max()).float().mean() > 0.5


def test_iterations_stop_when_nothing_moves():
    data, _ = measured("full", noise=0.0)
    seen = []

    def count(index, part, value):
        seen.append(index)

    run(dataclasses.replace(data, stages=count), tolerance=0.01)
    assert max(seen) < 10


@pytest.mark.parametrize("factor", [1e-6, 3e5])
def test_image_follows_the_scale_of_the_data(factor):
    data, _ = measured(frames=4)
    assert error(run(scaled(data, factor)) / factor, run(data)) < 1e-4


@pytest.mark.parametrize("shape", [{"frames": 1}, {"coils": 1}, {"height": 31, "width": 33}])
def test_any_size_is_finite_and_zeros_stay_zero(shape):
    data, _ = measured(**shape)
    assert torch.isfinite(run(data, iterations=4).abs()).all()
    assert not run(scaled(data, 0.0), iterations=4).any()


def test_impossible_settings_are_refused():
    with pytest.raises(InputError, match="lambda_L and lambda_S must be from 0 to 1"):
        LowRankSparseConfig(low_rank=1.0)
    with pytest.raises(InputError, match="at least 1 iteration"):
        LowRankSparseConfig(iterations=0)
