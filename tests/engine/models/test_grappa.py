"""GRAPPA: kernels against least squares written out in k-space, every kind of gap, and clear refusals."""

import dataclasses

import pytest
import torch

from engine.core.errors import InputError
from engine.models import grappa
from engine.models.grappa import Grappa, GrappaConfig
from engine.models.grappa_kernels import calibrate, find_gaps, hybrid_kernels
from engine.physics.fourier import fft1c, fft2c, ifft1c
from engine.physics.operator import SenseOperator
from tests.engine.models.classical import error, maps_of, measured, scaled, truth_of


def run(data, **settings):
    with torch.inference_mode():
        return Grappa(GrappaConfig(**settings))(data)


def with_mask(lines, noise=0.0, frames=4, coils=6, width=40):
    """Return (ReconInput, truth) measured at ``lines``, bool (frame or 1, ky)."""
    mask = torch.as_tensor(lines)[None, :, None, :, None]
    height = mask.shape[-2]
    truth = truth_of(frames=frames, height=height, width=width)
    operator = SenseOperator(mask, maps_of(coils, height, width))
    g = torch.Generator().manual_seed(0)
    kspace = operator.forward(truth)
    return dataclasses.replace(
        measured()[0], kspace=kspace + noise * torch.randn(kspace.shape, generator=g) * mask, operator=operator
    ), truth


def pattern(height, *parts):
    lines = torch.zeros(1, height, dtype=torch.bool)
    for part in parts:
        lines[:, part] = True
    return lines


def test_gaps_are_grouped_by_geometry():
    measured_lines = pattern(16, slice(0, None, 4), slice(6, 10))[0].tolist()  # 0 4 6 7 8 9 12
    gaps = find_gaps(measured_lines, lines=2, acs=6)
    assert {(g.sources, g.targets): g.first for g in gaps} == {
        ((0, 4), (1, 2, 3)): (0,),
        ((0, 2), (1,)): (4,),
        ((0, 3), (1, 2)): (9,),
        ((0, 3), (4, 5)): (9,),
        ((0,), (3,)): (12,),  # line 15 is out of the reach of lines 9 and 12 in six ACS lines
    }


def test_a_kernel_may_have_more_lines_and_takes_fewer_where_they_do_not_fit():
    flags = pattern(41, slice(0, None, 4), slice(14, 27))[0].tolist()
    gaps = {g.sources for g in find_gaps(flags, 4, 13)}
    assert (0, 4, 8, 12) in gaps
    assert {len(g.sources) for g in find_gaps(flags, 4, 7)} >= {2}
    assert all(g.span <= 7 for g in find_gaps(flags, 4, 7))


def test_every_missing_line_is_filled_once():
    for r, acs in [(2, 8), (3, 9), (4, 11), (5, 12), (7, 16)]:
        flags = pattern(61, slice(1, None, r), slice(30 - acs // 2, 30 - acs // 2 + acs))[0].tolist()
        filled = sorted(f + t for g in find_gaps(flags, 2, acs) for f in g.first for t in g.targets)
        assert filled == [i for i, here in enumerate(flags) if not here]


def test_a_gap_wider_than_the_acs_is_refused():
    with pytest.raises(InputError, match="cannot fill 7 missing lines in a row from 6 ACS lines"):
        find_gaps(pattern(32, slice(0, None, 8), slice(13, 19))[0].tolist(), 2, 6)


@pytest.mark.parametrize("width", [24, 25])
def test_kernels_solve_the_regularised_least_squares_problem_of_k_space(width):
    g = torch.Generator().manual_seed(1)
    block = torch.randn(2, 3, 7, width, dtype=torch.complex128, generator=g)  # (frame, coil, ky, kx)
    (gap,) = find_gaps([True, False, False, True], 2, 7)
    found = calibrate(ifft1c(block, -1).permute(3, 1, 0, 2).contiguous(), gap, 3, 0.05)
    rows, targets = [], []
    for frame in range(2):
        for y in range(4):
            for x in range(width):
                near = [(x + d) % width for d in (-1, 0, 1)]
                rows.append(torch.stack([block[frame, :, y + s][:, near] for s in (0, 3)]).flatten())
                targets.append(torch.stack([block[frame, :, y + t, x] for t in (1, 2)]).flatten())
    a, b = torch.stack(rows), torch.stack(targets)
    normal = a.mH @ a
    weight = 0.05 * torch.linalg.matrix_norm(normal) / normal.shape[0]
    expected = torch.linalg.solve(normal + weight * torch.eye(normal.shape[0]), a.mH @ b).T
    torch.testing.assert_close(found.reshape(6, -1), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("width", [16, 17])
def test_kernels_multiply_in_hybrid_space_as_they_convolve_in_k_space(width):
    g = torch.Generator().manual_seed(2)
    line = torch.randn(4, width, dtype=torch.complex128, generator=g)
    kernels = torch.randn(2, 4, 5, dtype=torch.complex128, generator=g)
    convolved = sum(kernels[:, :, k] @ line.roll(2 - k, 1) for k in range(5))
    products = hybrid_kernels(kernels, width) @ ifft1c(line, -1).T.unsqueeze(-1)  # (x, target, 1)
    torch.testing.assert_close(fft1c(products[..., 0].T, -1), convolved, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "lines",
    [
        pattern(64, slice(0, None, 3), slice(22, 42)),
        pattern(63, slice(2, None, 4), slice(20, 41)),
        pattern(64, [0, 3, 5, 8, 12, 13, 17, 20], slice(22, 42), [45, 47, 50, 54, 58, 61]),
    ],
    ids=["R 3", "R 4, odd", "irregular"],
)
def test_it_fills_regular_and_irregular_patterns(lines):
    data, truth = with_mask(lines)
    folded = data.operator.adjoint(data.kspace)
    assert error(run(data, weight=1e-3), truth) < 0.35 * error(folded, truth)


def test_measured_lines_are_kept():
    data, _ = measured(r=3.0)
    image = run(data)
    # A root sum of squares hides the coils; with one coil of unit sensitivity the image is the k-space.
    single, _ = measured(r=2.0, coils=1)
    again = fft2c(run(single).unsqueeze(-3)) * single.operator.mask
    assert error(again, single.kspace) < 1e-5
    assert torch.isfinite(image.abs()).all()


def test_frames_with_patterns_of_their_own_use_the_common_acs():
    data, truth = measured("kt_uniform", r=3.0, acs=16, noise=0.001)
    assert not data.operator.static_mask
    assert error(run(data, weight=1e-3), truth) < 0.5 * error(data.operator.adjoint(data.kspace), truth)


@pytest.mark.parametrize("kind", ["equispaced", "kt_uniform"])
def test_frames_filled_a_few_at_a_time_are_the_same_and_can_be_cancelled_between(kind, monkeypatch):
    data, _ = measured(kind, r=3.0, acs=16)
    whole = run(data)
    seen = []
    fill = Grappa._fill
    monkeypatch.setattr(Grappa, "_fill", lambda self, kspace, *rest: seen.append(kspace.shape[0]) or fill(self, kspace, *rest))
    monkeypatch.setattr(grappa, "CHUNK_SAMPLES", 2 * data.kspace[0, 0].numel())
    assert error(run(data), whole) < 1e-6
    assert max(seen) == 2 if kind == "equispaced" else max(seen) <= 2
    assert sum(seen) == data.kspace.shape[1]


def test_without_common_acs_the_average_over_frames_calibrates():
    lines = torch.zeros(6, 48, dtype=torch.bool)
    for frame in range(6):
        lines[frame, frame % 3 :: 3] = True
    data, truth = with_mask(lines, frames=6)
    assert error(run(data, weight=1e-3), truth) < 0.4 * error(data.operator.adjoint(data.kspace), truth)


def test_full_sampling_returns_the_truth():
    data, truth = measured("full", noise=0.0, height=33)
    assert error(run(data), truth) < 1e-5
    assert error(run(data, combine="rss"), truth.abs()) < 1e-4


@pytest.mark.parametrize("shape", [{"frames": 1}, {"coils": 1}, {"height": 31, "width": 33}, {"batch": 2, "frames": 2}])
def test_any_size_is_finite(shape):
    data, truth = measured(r=3.0, **shape)
    image = run(data)
    assert image.shape == truth.shape
    assert image.dtype == torch.complex64
    assert torch.isfinite(image.abs()).all()


@pytest.mark.parametrize("factor", [1e-5, 1e4])
def test_image_follows_the_scale_of_the_data(factor):
    data, _ = measured(frames=4)
    assert error(run(scaled(data, factor)) / factor, run(data)) < 1e-4


def test_masks_it_cannot_use_are_refused():
    with pytest.raises(InputError, match="needs a mask of whole lines") as refusal:
        run(measured("pseudo_radial")[0])
    assert "cg_sense" in refusal.value.hint
    lines = pattern(32, slice(0, None, 4))
    with pytest.raises(InputError, match="cannot fill 3 missing lines in a row from 1 ACS lines"):
        run(with_mask(lines)[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel_kx": 4}, "kernel of 2 x 4 cannot be used"),
        ({"weight": 0.0}, "weight must be positive"),
        ({"combine": "sum"}, "combine is 'sum'"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        GrappaConfig(**settings)
