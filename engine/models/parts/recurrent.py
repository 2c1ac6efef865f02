"""Convolutions over a sequence of frames: recurrent sweeps (CRNN-TI, BCRNN-TI), Conv(2+1)D, Conv3D.

Features are a list with one map (batch, channel, y, x) for each frame. On a CPU the fast forms work frame by frame in channels-last
memory, where one map stays in the cache, and share between the two directions of a sweep what both need; :func:`each` puts all
frames into one call on other devices and in training. In the plain form (:mod:`engine.models.parts.forms`) every layer computes as
it was published. Both give the same numbers.

Sources: Qin et al., IEEE TMI 2019, eqs. (7) and (8) (recurrent units); Lyu et al., CRUNet-MR, sections 2.2 and 2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.jobs import Check, no_check
from engine.models.parts import forms, mixed3d

Frames = list[Tensor]
Direction = Literal["forward", "backward", "both"]


def to_frames(images: Tensor, batch: int) -> Frames:
    """Split (frame * batch, channel, y, x), frame first, into a list of frames, channels last in memory."""
    layout = torch.contiguous_format if forms.plain() else torch.channels_last
    return [frame.contiguous(memory_format=layout) for frame in torch.split(images, batch)]


def frame_by_frame(layer: Callable[..., Tensor], frames: Frames, *others: Frames, check: Check = no_check) -> Frames:
    """Apply a layer to every frame (and to the same frame of ``others``).

    One after the other on a CPU, all in one call otherwise and in the plain form. Training takes all in one call too: the gradient
    keeps every map anyway, and one convolution of many frames costs half as much in bfloat16 as many of one.
    """
    if frames[0].device.type == "cpu" and not forms.plain() and not torch.is_grad_enabled():
        result = []
        for maps in zip(frames, *others, strict=True):
            check()
            result.append(layer(*maps))
        return result
    check()
    together = layer(*(torch.cat(maps) for maps in (frames, *others)))
    return list(torch.split(together, frames[0].shape[0]))


class Pointwise(nn.Conv2d):
    """1 x 1 convolution. On a CPU channels-last features are a matrix of pixels by channels, and this a product with it."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the base class's name)
        """Convolve (batch, channel, y, x)."""
        if forms.plain() or input.device.type != "cpu" or self.bias is None:
            return super().forward(input)
        dtype = input.dtype
        result = torch.addmm(self.bias.to(dtype), _pixels(input), self.weight.flatten(1).mT.to(dtype))
        return _from_pixels(result, input)


def _pixels(features: Tensor) -> Tensor:
    """View channels-last (batch, channel, y, x) as (pixel, channel)."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def _from_pixels(pixels: Tensor, like: Tensor) -> Tensor:
    """Undo :func:`_pixels` for features of the size of ``like``."""
    b, _, h, w = like.shape
    return pixels.reshape(b, h, w, -1).permute(0, 3, 1, 2)


class ConvRecurrent(nn.Module):
    """Convolutional recurrent unit that evolves over time and iterations.

    ``H_t = ReLU(W_i * F_t + W_h * H_(t -+ 1) + W_m * M_t + B)`` with 3 x 3 kernels: F the layer below, H the state of the frame
    before (or after), zero at the start, M the memory that the same layer left in the last iteration. In both directions the
    same kernels serve and the two states are added.

    Source: Qin et al., IEEE TMI 2019, eq. (8); Lyu et al., CRUNet-MR, section 2.2.

    The three convolutions keep a bias each, as published, although only their sum matters. The fast form leaves out what is
    multiplied by zero (the state of the first frame, the memory of the first iteration) and computes the terms of F and M once
    for both directions.
    """

    def __init__(self, in_channels: int, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.input = nn.Conv2d(in_channels, channels, 3, padding=dilation, dilation=dilation)
        self.time = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.iteration = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)

    def forward(self, frames: Frames, memory: Frames | None, direction: Direction, check: Check = no_check) -> Frames:
        """Return the state of every frame, each (batch, channels, y, x); ``memory`` None is zero."""
        if forms.plain():
            return self._as_published(frames, memory, direction, check)
        bias = _biases(self.input, self.time, self.iteration)

        def drive(frame: Tensor, last: Tensor | None = None) -> Tensor:
            """Return what a frame's input and memory add to its state, with all three biases."""
            term = _conv(self.input, frame, bias)
            return term if last is None else term.add_(_conv(self.iteration, last, None))

        maps = (frames,) if memory is None else (frames, memory)
        backward = direction == "backward"
        if direction != "both" and frames[0].device.type == "cpu":
            # One frame's term at a time need exist.
            ordered = (reversed(sequence) for sequence in maps) if backward else maps
            return self._sweep(map(drive, *ordered), check)[:: -1 if backward else 1]
        shared = frame_by_frame(drive, *maps, check=check)
        if direction != "both":
            return self._sweep(reversed(shared) if backward else shared, check)[:: -1 if backward else 1]
        ahead = self._sweep(shared, check)
        back = self._sweep(reversed(shared), check)
        add = torch.add if torch.is_grad_enabled() else Tensor.add_  # the backward pass needs the states as they are
        return [add(one, other) for one, other in zip(ahead, reversed(back), strict=True)]

    def _sweep(self, driven: Iterable[Tensor], check: Check) -> Frames:
        states: Frames = []
        for term in driven:
            check()
            if states:
                states.append(_conv(self.time, states[-1], None).add_(term).relu_())
            else:
                states.append(torch.relu(term))
        return states

    def _as_published(self, frames: Frames, memory: Frames | None, direction: Direction, check: Check) -> Frames:
        if direction == "both":
            ahead = self._as_published(frames, memory, "forward", check)
            back = self._as_published(frames, memory, "backward", check)
            return [one + other for one, other in zip(ahead, back, strict=True)]
        b, _, h, w = frames[0].shape
        zero = frames[0].new_zeros((b, self.time.in_channels, h, w))
        order = range(len(frames)) if direction == "forward" else range(len(frames) - 1, -1, -1)
        state, states = zero, [zero] * len(frames)
        for t in order:
            check()
            last = zero if memory is None else memory[t]
            state = torch.relu(self.input(frames[t]) + self.time(state) + self.iteration(last))
            states[t] = state
        return states


class ConvIterated(nn.Module):
    """CRNN-I, a convolutional unit that evolves over iterations: ``H_t = ReLU(W_i * F_t + W_m * M_t + B)``.

    Source: Qin et al., IEEE TMI 2019, eq. (7).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Conv2d(channels, channels, 3, padding=1)
        self.iteration = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, frames: Frames, memory: Frames | None, check: Check = no_check) -> Frames:
        """Return the state of every frame, each (batch, channels, y, x); ``memory`` None is zero."""
        if forms.plain():
            check()
            features = torch.cat(frames)
            last = torch.zeros_like(features) if memory is None else torch.cat(memory)
            states = torch.relu(self.input(features) + self.iteration(last))
            return list(torch.split(states, frames[0].shape[0]))
        bias = _biases(self.input, self.iteration)
        if memory is None:
            return frame_by_frame(lambda x: _conv(self.input, x, bias).relu_(), frames, check=check)
        return frame_by_frame(
            lambda x, m: _conv(self.input, x, bias).add_(_conv(self.iteration, m, None)).relu_(), frames, memory, check=check
        )


def _biases(*layers: nn.Conv2d) -> Tensor:
    """Return the sum of the layers' biases; all have one."""
    total: Tensor | None = None
    for layer in layers:
        assert layer.bias is not None
        total = layer.bias if total is None else total + layer.bias
    assert total is not None
    return total


def _conv(layer: nn.Conv2d, features: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve with a layer's kernel and another bias."""
    return functional.conv2d(features, layer.weight, bias, layer.stride, layer.padding, layer.dilation)


def _neighbours(frames: Sequence[Tensor]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return (frame before, frame, frame after) of every frame of a circle."""
    count = len(frames)
    return [(frames[t - 1], frames[t], frames[(t + 1) % count]) for t in range(count)]


class Conv2Plus1d(nn.Module):
    """Conv(2+1)D: a 2D layer, a ReLU, then a convolution of three taps over the frames, which form a circle.

    Source: Lyu et al., CRUNet-MR, section 2.3 (temporal circular padding).
    """

    def __init__(self, spatial: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.spatial = spatial
        self.temporal = nn.Conv1d(spatial.out_channels, spatial.out_channels, 3)

    def forward(self, frames: Frames, check: Check = no_check, skip: Frames | None = None) -> Frames:
        """Convolve every frame, each (batch, channel, y, x); the channels of ``skip`` come before those of ``frames``."""
        if skip is None:
            maps = frame_by_frame(lambda x: torch.relu_(self.spatial(x)), frames, check=check)
        else:
            maps = frame_by_frame(lambda x, other: torch.relu_(self.spatial(torch.cat((other, x), 1))), frames, skip, check=check)
        if forms.plain():
            return self._temporal_as_published(maps)
        dtype = maps[0].dtype
        taps = [tap.to(dtype) for tap in self.temporal.weight.permute(2, 1, 0).unbind()]
        assert self.temporal.bias is not None
        bias = self.temporal.bias.to(dtype)
        result = []
        for before, here, after in _neighbours([_pixels(m) for m in maps]):
            check()
            mixed = torch.addmm(bias, before, taps[0]).addmm_(here, taps[1]).addmm_(after, taps[2])
            result.append(_from_pixels(mixed, maps[0]))
        return result

    def _temporal_as_published(self, maps: Frames) -> Frames:
        b, c, h, w = maps[0].shape
        lines = torch.stack(maps).permute(1, 3, 4, 2, 0).reshape(b * h * w, c, len(maps))
        mixed = self.temporal(torch.cat((lines[..., -1:], lines, lines[..., :1]), dim=-1))
        return list(mixed.reshape(b, h, w, -1, len(maps)).permute(4, 0, 3, 1, 2).contiguous().unbind())


class CircularConv3d(nn.Module):
    """3 x 3 x 3 convolution over (frame, y, x): zero padding in space, frames in a circle, dilation in space only."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = mixed3d.Conv3d(in_channels, out_channels, 3, padding=(0, dilation, dilation), dilation=(1, dilation, dilation))

    def forward(self, frames: Frames, check: Check = no_check) -> Frames:
        """Convolve every frame, each (batch, channel, y, x)."""
        conv = self.conv
        if forms.plain():
            check()
            volume = torch.stack([frames[-1], *frames, frames[0]], dim=2)
            return list(conv(volume).unbind(2))
        # The three taps laid into the channels of a 2D convolution.
        kernel = conv.weight.permute(0, 2, 1, 3, 4).flatten(1, 2)
        result = []
        for triple in _neighbours(frames):
            check()
            result.append(functional.conv2d(torch.cat(triple, 1), kernel, conv.bias, 1, conv.padding[1:], conv.dilation[1:]))
        return result
