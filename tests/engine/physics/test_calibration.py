"""Which samples calibrate, and how frames are combined."""

import pytest
import torch

from engine.physics.calibration import calibration_block
from tests.engine.tensors import random


def test_the_asked_lines_are_used_and_limited_to_the_size():
    kspace = random(1, 2, 40, 36)
    mask = torch.zeros(1, 40, 1, dtype=torch.bool)
    mask[:, 8:34] = True
    block, centre, found = calibration_block(kspace, mask, (14, 26), 24)
    torch.testing.assert_close(block, kspace[:, :, 14:26, 6:30])
    assert centre == (6, 12)
    assert found
    assert calibration_block(kspace, mask, (8, 34), 20)[0].shape == (1, 2, 20, 20)
    assert calibration_block(kspace, None, None, 60)[0].shape == (1, 2, 40, 36)


def test_a_claimed_centre_that_was_not_measured_is_searched_for():
    kspace = random(1, 2, 40, 36)
    mask = torch.zeros(1, 40, 1, dtype=torch.bool)
    mask[:, 17:25] = True
    for claimed in (None, (10, 30)):
        block, centre, found = calibration_block(kspace, mask, claimed, 24)
        torch.testing.assert_close(block, kspace[:, :, 17:25, 6:30])
        assert (centre, found) == ((3, 12), True)


def test_a_disc_gives_the_square_inside():
    y, x = torch.meshgrid(torch.arange(31) - 15, torch.arange(33) - 16, indexing="ij")
    disc = (y**2 + x**2 < 50).unsqueeze(0)
    block, centre, found = calibration_block(random(1, 2, 31, 33), disc, None, 24)
    assert found
    assert min(block.shape[-2:]) >= 8
    rows, columns = slice(15 - centre[0], 15 - centre[0] + block.shape[-2]), slice(16 - centre[1], 16 - centre[1] + block.shape[-1])
    assert disc[0, rows, columns].all()


def test_without_a_centre_what_was_measured_near_it_is_returned():
    mask = torch.ones(1, 16, 1, dtype=torch.bool)
    mask[:, 8] = False
    kspace = random(1, 2, 16, 12) * mask
    block, centre, found = calibration_block(kspace, mask, None, 8)
    assert not found
    assert centre == (4, 4)
    torch.testing.assert_close(block, kspace[:, :, 4:12, 2:10])


def test_frames_that_measured_other_lines_are_averaged_by_count():
    one = random(1, 2, 12, 10)
    mask = torch.zeros(4, 12, 1, dtype=torch.bool)
    mask[0, ::2] = mask[1, 1::2] = mask[2, ::3] = mask[3, :] = True
    block, _, found = calibration_block(one * mask.unsqueeze(1), mask, None, 12)
    assert found
    torch.testing.assert_close(block, one[..., 0:12, 0:10])


def test_frames_combine_to_their_mean_direction_and_do_not_cancel():
    tissue, other = random(1, 2, 12, 10), random(1, 2, 12, 10, seed=1)
    cine = tissue + 1e-3 * random(6, 2, 12, 10, seed=2)
    (only,), _, _ = calibration_block(cine, None, None, 12)
    mean = cine.mean(0)
    cosine = torch.vdot(only.flatten(), mean.flatten()).abs() / (torch.linalg.vector_norm(only) * torch.linalg.vector_norm(mean))
    assert cosine > 1 - 1e-6
    weights = torch.tensor([-1.0, -0.4, 0.3, 0.6, 0.5, 0.0]).reshape(-1, 1, 1, 1)
    assert weights.sum() == pytest.approx(0, abs=1e-6)
    recovery = weights * tissue + 0.3 * weights.roll(2, 0) * other
    block, _, _ = calibration_block(recovery, None, None, 12)
    assert torch.linalg.vector_norm(block[0]) > torch.linalg.vector_norm(tissue)
    span = torch.linalg.qr(block.reshape(len(block), -1).T)[0]
    for part in (tissue.flatten(), other.flatten()):
        assert torch.linalg.vector_norm(part - span @ (span.mH @ part)) < 1e-9 * torch.linalg.vector_norm(part)
