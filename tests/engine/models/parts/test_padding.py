"""Padding against NumPy's, and its undoing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.models.parts.padding import extend, pad_to, pad_to_multiple

NUMPY = {"zero": "constant", "replicate": "edge", "circular": "wrap", "reflect": "reflect"}


@pytest.mark.parametrize("mode", NUMPY)
@pytest.mark.parametrize(("before", "after"), [(0, 0), (2, 0), (0, 3), (4, 1), (9, 13)])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_extend_is_what_numpy_pads(mode, before, after, size):
    x = torch.arange(1.0, 3 * size * 2 + 1).reshape(3, size, 2)
    expected = np.pad(x.numpy(), ((0, 0), (before, after), (0, 0)), mode=NUMPY[mode])
    assert np.array_equal(extend(x, 1, before, after, mode), expected)


@pytest.mark.parametrize("mode", NUMPY)
def test_sizes_grow_to_multiples_and_come_back(mode):
    x = torch.randn(2, 3, 13, 11, 7, generator=torch.Generator().manual_seed(0))
    padded, undo = pad_to_multiple(x, 4, (-3, -1), mode)
    assert padded.shape == (2, 3, 16, 11, 8)
    assert torch.equal(undo(padded), x)
    # The smaller half lies in front: one of three, none of one.
    assert torch.equal(padded[:, :, 1:14, :, 0:7], x)


def test_the_undoing_serves_other_leading_axes():
    padded, undo = pad_to_multiple(torch.ones(5, 6), 4)
    assert padded.shape == (8, 8)
    other = torch.arange(3 * 64).reshape(3, 8, 8)
    assert torch.equal(undo(other), other[:, 1:6, 1:7])


def test_only_what_is_too_short_grows():
    x = torch.ones(1, 3, 9)
    padded, undo = pad_to(x, (4, 4), (-2, -1))
    assert padded.shape == (1, 4, 9)
    assert torch.equal(undo(padded), x)
    assert padded[:, 3].abs().max() == 0


@pytest.mark.parametrize("mode", NUMPY)
def test_the_gradient_is_the_adjoint(mode):
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: extend(v, 1, 2, 3, mode), (x,))
