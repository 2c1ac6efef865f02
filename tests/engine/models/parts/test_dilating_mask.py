"""The dilation-contraction mask of IMA: how it grows, when it stops, that it comes back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from engine.models.parts.dilating_mask import KERNELS, dilate, dilating_masks


def lines(*sampled, ky=32, kx=1):
    mask = torch.zeros(1, 1, 1, ky, kx, dtype=torch.bool)
    mask[..., list(sampled), :] = True
    return mask


def sampled(mask):
    return torch.nonzero(mask[0, 0, 0, :, 0]).flatten().tolist()


def test_a_line_grows_by_one_on_either_side_in_each_stage():
    masks = dilating_masks(lines(16), 12)
    for t in range(7):
        assert sampled(masks[t]) == list(range(16 - t, 17 + t))


@pytest.mark.parametrize("stages", [1, 2, 7, 12])
def test_contraction_mirrors_dilation_and_ends_where_it_began(stages):
    masks = dilating_masks(lines(3, 16), stages)
    assert len(masks) == stages + 1
    for t in range(stages + 1):
        assert masks[stages - t] is masks[t]
    assert masks[0] is masks[stages]
    assert torch.equal(masks[0], lines(3, 16))


def test_the_mask_is_held_once_the_next_one_would_exceed_the_ratio():
    # Every fourth of 32 lines: 8, then 24 (0.75), then all 32 (above 0.9): held at 24 until T / 2, and back.
    masks = dilating_masks(lines(*range(1, 32, 4)), 12, ratio=0.9)
    assert [int(m.sum()) for m in masks] == [8, *[24] * 11, 8]
    assert all(m is masks[1] for m in masks[1:12]), "equal masks are one object, so that they share an operator"
    assert [int(m.sum()) for m in dilating_masks(lines(*range(1, 32, 4)), 12, ratio=0.7)] == [8] * 13
    assert [int(m.sum()) for m in dilating_masks(lines(*range(1, 32, 4)), 12, ratio=1.0)][2:11] == [32] * 9


def test_dilation_ends_at_half_of_the_stages():
    sizes = [int(m.sum()) for m in dilating_masks(lines(50, ky=101), 10)]
    assert sizes == [1, 3, 5, 7, 9, 11, 9, 7, 5, 3, 1]


def test_frames_grow_each_by_their_own_mask():
    both = torch.cat((lines(4), lines(20, 21)), dim=1)
    masks = dilating_masks(both, 6)
    for frame, alone in enumerate((lines(4), lines(20, 21))):
        for ours, own in zip(masks, dilating_masks(alone, 6), strict=True):
            assert torch.equal(ours[:, frame : frame + 1], own)
    # One frame stops, the other goes on.
    dense = torch.cat((lines(*range(0, 32, 2)), lines(20)), dim=1)
    assert [m.sum((2, 3, 4)).tolist() for m in dilating_masks(dense, 4)[:3]] == [[[16, 1]], [[16, 3]], [[16, 5]]]


def test_a_mask_of_lines_stays_one_and_is_that_of_the_full_plane():
    narrow, wide = lines(0, 7, 31), lines(0, 7, 31, kx=9)
    for kernel in KERNELS:
        for one, full in zip(dilating_masks(narrow, 6, kernel), dilating_masks(wide, 6, kernel), strict=True):
            assert torch.equal(one.expand(-1, -1, -1, -1, 9), full)


@pytest.mark.parametrize("kernel", list(KERNELS))
@pytest.mark.parametrize("delta", [1.0, 3.0, 4.0])
def test_one_step_is_equation_16(kernel, delta, rng):
    mask = torch.from_numpy(rng.random((2, 3, 1, 23, 18)) < 0.2)
    found = dilate(mask, kernel, delta)
    for index in np.ndindex(2, 3):
        plane = mask[index][0].numpy()
        spread = ndimage.correlate(plane.astype(float), np.array(KERNELS[kernel], float), mode="nearest")
        assert np.array_equal(found[index][0].numpy(), (spread >= delta) | plane)


def test_kernels_differ_in_speed_and_shape():
    growth = {kernel: int(dilate(lines(16), kernel, 3.0).sum()) for kernel in KERNELS}
    assert growth == {1: 3, 2: 5, 3: 3}
    point = torch.zeros(1, 1, 1, 9, 9, dtype=torch.bool)
    point[..., 4, 4] = True
    assert {kernel: int(dilate(point, kernel, 3.0).sum()) for kernel in KERNELS} == {1: 1, 2: 1, 3: 5}
    assert int(dilate(lines(16), 1, 4.0).sum()) == 1, "a threshold above 3 stops kernel 1"


def test_weights_count_where_they_are_above_zero():
    assert torch.equal(dilating_masks(0.5 * lines(16), 4)[1], dilating_masks(lines(16), 4)[1])
