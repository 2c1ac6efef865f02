"""The three-dimensional convolution against the library's."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.core.errors import Cancelled
from engine.models.parts import conv3d
from engine.models.parts.conv3d import convolve3d
from engine.models.parts.forms import plain_forms


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3), (3, 1, 1), (1, 1, 1)])
def test_it_is_the_librarys(kernel, dtype, dilation):
    g = torch.Generator().manual_seed(0)
    x = torch.randn((2, 3, 7, 9, 8), generator=g, dtype=dtype, requires_grad=True)
    weight = torch.randn((5, 3, *kernel), generator=g, dtype=dtype, requires_grad=True)
    bias = torch.randn(5, generator=g, dtype=dtype, requires_grad=True)
    found = convolve3d(x, weight, bias, dilation)
    expected = functional.conv3d(x, weight, bias, dilation=dilation)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert (found - expected).abs().max() < tolerance * expected.abs().max()
    towards = torch.randn(found.shape, generator=g, dtype=dtype)
    for a, b in zip(*(torch.autograd.grad(y, (x, weight, bias), towards) for y in (found, expected)), strict=True):
        assert (a - b).abs().max() < tolerance * b.abs().max()
    with plain_forms():
        assert torch.equal(convolve3d(x, weight, bias, dilation), expected)


def test_mixed_precision_reaches_it():
    x, weight = torch.randn(1, 4, 4, 8, 8), torch.randn(4, 4, 3, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert convolve3d(x, weight).dtype == torch.bfloat16


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3)])
def test_in_pieces_it_is_the_same_and_may_be_cancelled_between_them(monkeypatch, kernel):
    g = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(shape, generator=g) for shape in ((2, 3, 7, 9, 8), (5, 3, *kernel), (5,)))
    order, calls = torch.tensor([0, 0, 1, 2, 3, 4, 5, 6, 6]), []

    def pad(part):
        return functional.pad(part, (1, 1, 1, 1, 0, 0))

    expected = functional.conv3d(pad(x[:, :, order]), weight, bias)
    with torch.no_grad():
        assert torch.allclose(convolve3d(x, weight, bias, pad=pad, order=order), expected, atol=1e-5)
        monkeypatch.setattr(conv3d, "MACS_AT_ONCE", 2.5 * weight.numel() * 2 * 11 * 10)  # two frames of both examples
        found = convolve3d(x, weight, bias, check=lambda: calls.append(1), pad=pad, order=order)
        assert len(calls) == -(-expected.shape[2] // 2)
        assert torch.allclose(found, expected, atol=1e-5)
        with plain_forms():
            assert torch.equal(convolve3d(x, weight, bias, pad=pad, order=order), expected)

        def cancel():
            raise Cancelled

        with pytest.raises(Cancelled):
            convolve3d(x, weight, bias, check=cancel, pad=pad, order=order)
