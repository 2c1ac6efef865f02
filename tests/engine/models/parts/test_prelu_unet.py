"""The U-Net of MC-VarNet: any size, what nothing reads, its plain form. The golden vectors of MC-VarNet run through it."""

from __future__ import annotations

import pytest
import torch

from engine.models.parts.forms import plain_forms
from engine.models.parts.prelu_unet import UNREAD, UNet


def silent():
    """Check nothing."""


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (13, 10), (16, 9)])
def test_any_size_stays_and_both_forms_agree(size):
    torch.manual_seed(0)
    net = UNet(3).double()
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        found = net(x, silent)
        with plain_forms():
            plain = net(x, silent)
    assert found.shape == x.shape
    assert torch.allclose(found, plain, atol=1e-12)


def test_with_a_silent_output_the_input_comes_back():
    net = UNet(2)
    torch.nn.init.zeros_(net.output.weight)
    torch.nn.init.zeros_(net.output.bias)
    x = torch.randn(1, 2, 9, 8)
    assert torch.equal(net(x, silent), x)


def test_unread_parameters_are_those_without_gradient():
    net = UNet(2)
    net(torch.randn(1, 2, 12, 12), silent).square().sum().backward()
    assert {name for name, p in net.named_parameters() if p.grad is None} == {
        n for n, _ in net.named_parameters() if n.startswith(UNREAD)
    }


def test_the_check_is_called_at_every_block():
    calls = []
    UNet(2)(torch.randn(1, 2, 8, 8), lambda: calls.append(1))
    assert len(calls) == 6
