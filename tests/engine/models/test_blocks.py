"""The convolution's fast ways against PyTorch's own, and the one place where complex becomes two channels."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.core.errors import Cancelled, ShapeError
from engine.models import blocks
from engine.models.blocks import (
    Conv3d,
    ConvStack,
    complex_to_pairs,
    frames_to_channels,
    pairs_to_complex,
    stack_frames,
    to_channels,
    to_complex,
)
from engine.models.parts.forms import plain_forms


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("widths", [(2, 16), (16, 16), (16, 2), (2, 2), (1, 5), (5, 1)])
def test_convolution_and_its_gradients_equal_the_plain_one(widths, bias, frames):
    torch.manual_seed(3)
    layer = Conv3d(*widths, bias=bias).double()
    features = torch.randn(2, widths[0], frames, 7, 6, dtype=torch.float64, requires_grad=True)
    outer = torch.randn(2, widths[1], frames, 7, 6, dtype=torch.float64)
    wanted = (features, *layer.parameters())
    plain = functional.conv3d(features, layer.weight, layer.bias, padding=1)
    fast = layer(features)
    assert fast.shape == plain.shape
    assert torch.allclose(fast, plain, rtol=0, atol=1e-12)
    for ours, theirs in zip(torch.autograd.grad(fast, wanted, outer), torch.autograd.grad(plain, wanted, outer), strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-11)


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_a_stack_by_both_forms_is_its_layers_with_activations_between(slope):
    torch.manual_seed(0)
    stack = ConvStack((2, 5, 4, 2), slope=slope).double()
    features = torch.randn(1, 2, 3, 6, 5, dtype=torch.float64)
    expected = features
    for index, layer in enumerate(stack):
        if index:
            expected = torch.where(expected > 0, expected, slope * expected)
        expected = functional.conv3d(expected, layer.weight, padding=1)
    assert torch.allclose(stack(features), expected, rtol=0, atol=1e-12)
    with plain_forms():
        assert torch.allclose(stack(features), expected, rtol=0, atol=1e-12)


def test_what_a_stack_keeps_for_the_backward_pass():
    image = torch.zeros(1, 3, 6, 5, dtype=torch.complex64)
    assert ConvStack((2, 5, 4, 2)).kept_bytes(image) == 4 * 3 * 6 * 5 * (5 + 4 + 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_single_precision_takes_another_road_to_the_same_sums(threads):
    # One thread and a small batch is where PyTorch's own choice would be its naive loop.
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        layer = Conv3d(16, 16)
        features = torch.randn(1, 16, 3, 9, 7, generator=torch.Generator().manual_seed(1))
        plain = functional.conv3d(features.double(), layer.weight.double(), padding=1)
        assert (layer(features) - plain).abs().max() < 1e-6 * plain.abs().max()
        loss = layer(features).square().sum()
        (gradient,) = torch.autograd.grad(loss, layer.weight)
    finally:
        torch.set_num_threads(before)
    assert torch.isfinite(gradient).all()


def test_large_convolutions_are_computed_in_pieces_to_the_same_numbers(monkeypatch):
    layer, calls = Conv3d(6, 5, bias=True), []
    torch.nn.init.normal_(layer.bias)
    features = torch.randn(2, 6, 7, 9, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = layer(features)
        monkeypatch.setattr(blocks, "MACS_AT_ONCE", 3.2 * layer.weight.numel() * 2 * 9 * 8)  # three frames
        found = layer(features, lambda: calls.append(1))
    assert len(calls) == 3
    assert torch.allclose(found, whole, atol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last_3d)


def test_complex_and_channels_are_views_of_each_other():
    image = torch.randn(2, 3, 5, 4, dtype=torch.complex64)
    channels = to_channels(image)
    assert torch.equal(channels[:, 0], image.real)
    assert torch.equal(channels[:, 1], image.imag)
    assert channels.data_ptr() == image.data_ptr()
    assert torch.equal(to_complex(channels), image)


def test_another_number_of_channels_is_no_complex_image():
    with pytest.raises(ShapeError, match=r"expected 2 / found 3") as caught:
        to_complex(torch.zeros(1, 3, 2, 4, 4))
    assert caught.value.hint


def test_stack_puts_a_relu_between_layers_only_and_checks_before_each():
    stack = ConvStack((2, 4, 2)).double()
    features = torch.randn(1, 2, 3, 5, 5, dtype=torch.float64)
    plain = functional.conv3d(torch.relu(functional.conv3d(features, stack[0].weight, padding=1)), stack[1].weight, padding=1)
    calls = []
    assert torch.allclose(stack(features, lambda: calls.append(1)), plain, atol=1e-12)
    assert len(calls) == 2
    assert plain.min() < 0

    def cancel():
        raise Cancelled

    with pytest.raises(Cancelled):
        stack(features, cancel)


def test_stack_starts_glorot_uniform():
    layer = ConvStack((16, 16))[0]
    limit = (6 / (27 * 32)) ** 0.5
    assert 0.98 * limit < layer.weight.abs().max() <= limit
    assert abs(layer.weight.std() / (limit / 3**0.5) - 1) < 0.03


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pairs_of_channels_are_complex_images(layout):
    image = torch.view_as_complex(torch.randn(2, 3, 5, 4, 2))
    channels = complex_to_pairs(image)
    assert channels.shape == (2, 6, 5, 4)
    assert torch.equal(channels[:, 2], image[:, 1].real)
    assert torch.equal(channels[:, 3], image[:, 1].imag)
    assert torch.equal(pairs_to_complex(channels.contiguous(memory_format=layout)), image)
    assert pairs_to_complex(channels).data_ptr() == channels.data_ptr(), "free where the channel lies last"
    assert pairs_to_complex(channels.bfloat16()).dtype == torch.complex64


@pytest.mark.parametrize("view", [to_channels, frames_to_channels, stack_frames, complex_to_pairs])
def test_a_conjugate_that_was_not_carried_out_is(view):
    image = torch.randn(1, 2, 3, 4, dtype=torch.complex64)
    assert torch.equal(view(image.conj()), view(image.conj().resolve_conj()))
