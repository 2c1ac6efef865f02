"""Convolutions over a sequence of frames: against their equations, and the fast form against the plain one."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.core.errors import Cancelled
from engine.core.jobs import CancelToken, Reporter
from engine.models.parts.forms import plain_forms
from engine.models.parts.recurrent import (
    CircularConv3d,
    Conv2Plus1d,
    ConvIterated,
    ConvRecurrent,
    Pointwise,
    frame_by_frame,
    to_frames,
)


def frames_of(count=4, channels=3, batch=2, seed=0, size=(7, 9)):
    g = torch.Generator().manual_seed(seed)
    return to_frames(torch.randn(count * batch, channels, *size, dtype=torch.float64, generator=g), batch)


def conv(features, layer):
    return functional.conv2d(features, layer.weight, layer.bias, padding=layer.padding, dilation=layer.dilation)


def largest(found, expected):
    return max(float((a - b).abs().max().detach()) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("with_memory", [False, True])
@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_the_recurrence_is_its_equation(direction, with_memory, dilation):
    torch.manual_seed(0)
    unit = ConvRecurrent(3, 5, dilation).double()
    frames, memory = frames_of(), frames_of(channels=5, seed=1)
    zero = torch.zeros_like(memory[0])

    def sweep(order):
        states = {}
        state = zero
        for t in order:
            last = memory[t] if with_memory else zero
            state = torch.relu(conv(frames[t], unit.input) + conv(state, unit.time) + conv(last, unit.iteration))
            states[t] = state
        return [states[t] for t in range(4)]

    ahead, back = sweep(range(4)), sweep(reversed(range(4)))
    expected = {"forward": ahead, "backward": back, "both": [a + b for a, b in zip(ahead, back, strict=True)]}[direction]
    given = memory if with_memory else None
    assert largest(unit(frames, given, direction), expected) < 1e-12
    with torch.inference_mode():
        assert largest(unit(frames, given, direction), expected) < 1e-12
    with plain_forms():
        assert largest(unit(frames, given, direction), expected) < 1e-12


@pytest.mark.parametrize("with_memory", [False, True])
def test_the_iterated_unit_is_its_equation(with_memory):
    torch.manual_seed(0)
    unit = ConvIterated(3).double()
    frames, memory = frames_of(), frames_of(seed=1)
    expected = [
        torch.relu(conv(x, unit.input) + conv(m if with_memory else torch.zeros_like(m), unit.iteration))
        for x, m in zip(frames, memory, strict=True)
    ]
    assert largest(unit(frames, memory if with_memory else None), expected) < 1e-12
    with plain_forms():
        assert largest(unit(frames, memory if with_memory else None), expected) < 1e-12


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("with_skip", [False, True])
def test_conv_2_plus_1_d_is_a_relu_between_two_convolutions_with_circular_time(count, with_skip):
    torch.manual_seed(0)
    layer = Conv2Plus1d(torch.nn.Conv2d(6 if with_skip else 3, 4, 3, padding=1)).double()
    frames, skip = frames_of(count), frames_of(count, seed=1) if with_skip else None
    inputs = [torch.cat((s, f), 1) for s, f in zip(skip, frames, strict=True)] if with_skip else frames
    maps = [torch.relu(conv(x, layer.spatial)) for x in inputs]
    w = layer.temporal.weight
    expected = [
        sum(torch.einsum("oi,bihw->bohw", w[:, :, k], maps[(t + k - 1) % count]) for k in range(3))
        + layer.temporal.bias[:, None, None]
        for t in range(count)
    ]
    assert largest(layer(frames, skip=skip), expected) < 1e-12
    with plain_forms():
        assert largest(layer(frames, skip=skip), expected) < 1e-12


@pytest.mark.parametrize("count", [1, 2, 5])
def test_conv3d_has_circular_time_and_dilation_in_space_only(count):
    torch.manual_seed(0)
    layer = CircularConv3d(3, 4, dilation=2).double()
    frames = frames_of(count)
    w = layer.conv.weight
    expected = [
        sum(functional.conv2d(frames[(t + k - 1) % count], w[:, :, k], padding=2, dilation=2) for k in range(3))
        + layer.conv.bias[:, None, None]
        for t in range(count)
    ]
    assert largest(layer(frames), expected) < 1e-12
    with plain_forms():
        assert largest(layer(frames), expected) < 1e-12


def test_pointwise_is_a_convolution():
    torch.manual_seed(0)
    layer = Pointwise(3, 5).double()
    frames = frames_of()
    expected = [functional.conv2d(x, layer.weight, layer.bias) for x in frames]
    assert largest([layer(x) for x in frames], expected) < 1e-13
    assert largest([layer(x.contiguous()) for x in frames], expected) < 1e-13
    with plain_forms():
        assert largest([layer(x) for x in frames], expected) < 1e-13


def test_each_takes_frames_one_by_one_but_for_training_and_the_plain_form():
    sizes = []

    def layer(x, y):
        sizes.append(x.shape[0])
        return x - y

    frames, others = frames_of(), frames_of(seed=1)
    expected = [x - y for x, y in zip(frames, others, strict=True)]
    with torch.no_grad():
        assert largest(frame_by_frame(layer, frames, others), expected) == 0
    assert sizes == [2, 2, 2, 2]
    assert largest(frame_by_frame(layer, frames, others), expected) == 0
    with plain_forms(), torch.no_grad():
        assert largest(frame_by_frame(layer, frames, others), expected) == 0
    assert sizes[4:] == [8, 8]


@pytest.mark.parametrize(
    "layer", [ConvRecurrent(3, 3), ConvIterated(3), Conv2Plus1d(torch.nn.Conv2d(3, 3, 1)), CircularConv3d(3, 3)]
)
@pytest.mark.parametrize("plain", [False, True])
def test_cancel_is_heard_inside_a_layer(layer, plain):
    token = CancelToken()
    token.cancel()
    report = Reporter(None, token)
    arguments = {"ConvRecurrent": (None, "both"), "ConvIterated": (None,)}.get(type(layer).__name__, ())
    frames = [frame.float() for frame in frames_of()]
    with plain_forms() if plain else torch.no_grad(), pytest.raises(Cancelled):
        layer(frames, *arguments, report.check)


def test_frames_lie_with_the_channel_last():
    assert all(frame.is_contiguous(memory_format=torch.channels_last) for frame in frames_of())
    with plain_forms():
        assert all(frame.is_contiguous() for frame in frames_of())
