"""The convolutional gated recurrent unit of the recurrent variational network, and what starts its hidden state.

Source: Yiasemis, Sonke, Sanchez, Teuwen, "Recurrent Variational Network", CVPR 2022, in the form of DIRECT (Apache-2.0): its
facts, not its code.

On a CPU features lie with the channel last in memory, where a 3 x 3 convolution takes three quarters of the time in float32 and
a fifth in bfloat16; without gradients a layer is computed for some rows of the image at a time, its gates for a few thousand
pixels, which stay in the cache. Measured against the plain form (torch 2.13, one thread, eight steps of four layers of 128
channels on 144 x 512): 2.1 times as fast in float32, equal to 3e-7, and 4.4 times in bfloat16, equal to 2e-4 with fresh weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.jobs import Check, no_check
from engine.models.parts import forms, stripes

# Pixels whose gates are computed at once: 1024 x (256 inputs + 256 gates + 128) x 4 bytes = 2.5 MiB, about a core's cache.
GATE_PIXELS = 1024


def memory_format(features: Tensor) -> torch.memory_format:
    """Return how features (batch, channel, y, x) shall lie: the channel last on a CPU and in half precision."""
    half = features.dtype in (torch.float16, torch.bfloat16) or torch.is_autocast_enabled(features.device.type)
    fast = not forms.plain() and (features.device.type == "cpu" or half)
    return torch.channels_last if fast else torch.contiguous_format


class EdgeConv(nn.Conv2d):
    """Convolution that keeps the size, the border repeated outwards."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, dilation: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel, dilation=dilation)
        self.reach = dilation * (kernel // 2)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the base class's name)
        """Convolve; input and output (batch, channel, y, x)."""
        return super().forward(functional.pad(input, (self.reach,) * 4, mode="replicate"))


class GatedCell(nn.Module):
    """One layer's gates, all with kernels of 1 x 1, on the features x and the hidden state h.

    ``z = sigmoid(W_z [x, h])`` (update), ``r = sigmoid(W_r [x, h])`` (reset), ``c = tanh(W_c [x, r h])`` (candidate),
    ``h' = (1 - z) h + z c``. ``gates`` holds W_z and below it W_r.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gates = nn.Conv2d(2 * hidden, 2 * hidden, 1)
        self.candidate = nn.Conv2d(2 * hidden, hidden, 1)
        with torch.no_grad():
            for weight in (self.gates.weight[:hidden], self.gates.weight[hidden:], self.candidate.weight):
                nn.init.orthogonal_(weight)
            for layer in (self.gates, self.candidate):
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
            assert self.gates.bias is not None
            self.gates.bias[hidden:] = -1.0  # at first little of the hidden state enters the candidate

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(h', relu(h'))``, real (batch, hidden, y, x), of x and h with these axes."""
        if forms.plain():
            return self._plain(x, h)
        z, r = torch.sigmoid(self.gates(torch.cat((x, h), dim=1))).chunk(2, dim=1)
        c = torch.tanh(self.candidate(torch.cat((x, r * h), dim=1)))
        renewed = torch.lerp(h.to(c.dtype), c, z)
        return renewed, torch.relu(renewed)

    def _plain(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same, gate by gate as published."""
        both = torch.cat((x, h), dim=1)
        weights, biases = self.gates.weight, self.gates.bias
        assert biases is not None
        n = self.hidden
        z = torch.sigmoid(functional.conv2d(both, weights[:n], biases[:n]))
        r = torch.sigmoid(functional.conv2d(both, weights[n:], biases[n:]))
        c = torch.tanh(self.candidate(torch.cat((x, r * h), dim=1)))
        renewed = h * (1 - z) + c * z
        return renewed, torch.relu(renewed)

    def by_pixels(self, dtype: torch.dtype) -> PixelGates:
        """Return the same as a function of rows of pixels, in place."""
        return PixelGates(self, dtype)


class PixelGates:
    """The gates of a cell for a few thousand pixels at a time: what is between input and output never leaves the cache."""

    def __init__(self, cell: GatedCell, dtype: torch.dtype) -> None:
        n = cell.hidden
        self._gates, self._candidate = (_matrix(layer, dtype) for layer in (cell.gates, cell.candidate))
        like = cell.gates.weight
        self._both, self._open, self._new = (like.new_empty((GATE_PIXELS, width), dtype=dtype) for width in (2 * n, 2 * n, n))

    def __call__(self, x: Tensor, h: Tensor) -> None:
        """Replace the hidden states h (pixel, channel) by h' and the features x (pixel, channel) by relu(h')."""
        n = h.shape[1]
        (wide, wide_bias), (narrow, narrow_bias) = self._gates, self._candidate
        for first in forms.pieces(len(h), GATE_PIXELS):
            xs, hs = x[first : first + GATE_PIXELS], h[first : first + GATE_PIXELS]
            count = len(hs)
            both, gates, new = self._both[:count], self._open[:count], self._new[:count]
            both[:, :n], both[:, n:] = xs, hs
            torch.addmm(wide_bias, both, wide, out=gates).sigmoid_()
            torch.mul(hs, gates[:, n:], out=both[:, n:])
            torch.addmm(narrow_bias, both, narrow, out=new).tanh_()
            torch.lerp(hs, new, gates[:, :n], out=hs)
            torch.clamp_min(hs, 0, out=xs)


def _matrix(layer: nn.Conv2d, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return a 1 x 1 convolution as ``(matrix, bias)`` for rows from the left."""
    assert layer.bias is not None
    return layer.weight.flatten(1).t().contiguous().to(dtype), layer.bias.to(dtype)


class ConvGRU(nn.Module):
    """Layers of convolution, ReLU and gated cell, and an output convolution.

    The first convolution has a kernel of 5 x 5, the others of 3 x 3, the second with dilation 2; borders are repeated outwards.

    Parameters
    ----------
    in_channels, out_channels
        Real channels of the image: two, or two for each frame.
    hidden
        Channels of features and hidden states.
    layers
        Number of layers with a hidden state.
    """

    def __init__(self, in_channels: int, out_channels: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.hidden = hidden
        widths = [in_channels, *[hidden] * layers, out_channels]
        self.convs = nn.ModuleList(
            EdgeConv(widths[i], widths[i + 1], kernel=5 if i == 0 else 3, dilation=2 if i == 1 else 1) for i in range(layers + 1)
        )
        self.cells = nn.ModuleList(GatedCell(hidden) for _ in range(layers))

    def forward(
        self, image: Tensor, state: Sequence[Tensor] | None = None, check: Check | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the output and the new hidden states.

        Parameters
        ----------
        image
            Real (batch, in channels, y, x).
        state
            One (batch, hidden, y, x) for each layer; zeros when None. Without gradients on a CPU they may be overwritten.
        check
            Called before each convolution and each cell; raises to stop.
        """
        if stripes.serve(image):
            return self._striped(image, state, check or no_check)
        features = image.contiguous(memory_format=memory_format(image))
        renewed = []
        for index, cell in enumerate(self.cells):
            _call(check)
            features = functional.relu_(self.convs[index](features))
            h = torch.zeros_like(features) if state is None else state[index]
            _call(check)
            h, features = cell(features, h)
            renewed.append(h)
        _call(check)
        return self.convs[-1](features), renewed

    def _striped(self, image: Tensor, state: Sequence[Tensor] | None, check: Check) -> tuple[Tensor, list[Tensor]]:
        """Return the same for a stripe of rows at a time; given states are overwritten by the new ones where they can be."""
        frames, _, height, width = image.shape
        dtype = stripes.kind(image)
        shape = (frames, height, width, self.hidden)
        states = [image.new_zeros(shape, dtype=dtype) for _ in self.cells] if state is None else [_last(h, dtype) for h in state]
        convs = [conv for conv in self.convs if isinstance(conv, EdgeConv)]
        final = convs[-1]
        features = stripes.Bordered.of(image, convs[0].reach, dtype)
        for index, (conv, cell) in enumerate(zip(convs[:-1], self.cells, strict=True)):
            assert isinstance(cell, GatedCell)
            kernel, gates = stripes.weights(conv, dtype), cell.by_pixels(dtype)
            following = stripes.Bordered(*shape, convs[index + 1].reach, image, dtype)
            for part in stripes.parts(frames, height, width):
                check()
                x = functional.relu_(features.convolve(conv, *kernel, part))
                gates(x.view(-1, self.hidden), states[index][part].view(-1, self.hidden))
                following.inside(part).copy_(x)
            following.finish()
            features = following
        output = image.new_empty((frames, height, width, final.out_channels), dtype=dtype)
        kernel = stripes.weights(final, dtype)
        for part in stripes.parts(frames, height, width):
            check()
            output[part] = features.convolve(final, *kernel, part)
        return output.permute(0, 3, 1, 2), [h.permute(0, 3, 1, 2) for h in states]


def _last(h: Tensor, dtype: torch.dtype) -> Tensor:
    """Return (batch, channel, y, x) as contiguous (batch, y, x, channel): the same memory where it lies so already."""
    return h.permute(0, 2, 3, 1).contiguous().to(dtype)


class StateInitialiser(nn.Module):
    """RSI, the recurrent state initialiser: hidden states from a first look at the data.

    Dilated 3 x 3 convolutions with ReLU one after another; the outputs of the last ``multiscale`` of them side by side give each
    layer's state by a 1 x 1 convolution and a ReLU.

    Parameters
    ----------
    in_channels
        Real channels of the input.
    hidden, layers
        Of the :class:`ConvGRU`.
    channels, dilations
        One for each convolution.
    multiscale
        How many outputs are used, the last one included.
    """

    def __init__(
        self, in_channels: int, hidden: int, layers: int, channels: Sequence[int], dilations: Sequence[int], multiscale: int
    ) -> None:
        super().__init__()
        self.multiscale = multiscale
        inputs = [in_channels, *channels[:-1]]
        self.convs = nn.ModuleList(EdgeConv(a, b, dilation=d) for a, b, d in zip(inputs, channels, dilations, strict=True))
        self.outputs = nn.ModuleList(nn.Conv2d(sum(channels[-multiscale:]), hidden, 1) for _ in range(layers))

    def forward(self, features: Tensor, check: Check | None = None) -> list[Tensor]:
        """Return the states (batch, hidden, y, x) of all layers, from real (batch, in channels, y, x)."""
        features = features.contiguous(memory_format=memory_format(features))
        scales = []
        for conv in self.convs:
            _call(check)
            features = functional.relu_(conv(features))
            scales.append(features)
        together = torch.cat(scales[-self.multiscale :], dim=1) if self.multiscale > 1 else features
        states = []
        for output in self.outputs:
            _call(check)
            states.append(functional.relu_(output(together)))
        return states


def _call(check: Check | None) -> None:
    if check is not None:
        check()
