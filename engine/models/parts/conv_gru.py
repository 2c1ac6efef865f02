"""The convolutional gated recurrent unit of the recurrent variational network, and what starts its hidden state.

Source: Yiasemis, Sonke, Sanchez, Teuwen, "Recurrent Variational Network", CVPR 2022, in the form of DIRECT (Apache-2.0): its
facts, not its code.

On a CPU features lie with the channel last in memory, where a 3 x 3 convolution takes three quarters of the time in float32 and
a fifth in bfloat16, and without gradients the gates are computed for a few thousand pixels at a time, which stay in the cache: a
third of the time (torch 2.13, one thread, 128 channels).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.models.parts import forms

# Pixels whose gates are computed at once: 2048 x (256 inputs + 256 gates + 128) x 4 bytes = 5 MiB.
GATE_PIXELS = 2048

Check = Callable[[], None]


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
        if x.device.type == "cpu" and not torch.is_grad_enabled():
            return self._by_pixels(x, h)
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

    def _by_pixels(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same, a few pixels at a time: what is between input and output never leaves the cache."""
        n = self.hidden
        xs, hs = _rows(x), _rows(h.to(x.dtype))
        (wide, wide_bias), (narrow, narrow_bias) = _matrix(self.gates, x), _matrix(self.candidate, x)
        renewed, active = torch.empty_like(xs), torch.empty_like(xs)
        step = min(GATE_PIXELS, len(xs))
        both, gates, candidate = (xs.new_empty(step, width) for width in (2 * n, 2 * n, n))
        for first in range(0, len(xs), step):
            part = slice(first, first + step)
            count = len(xs[part])
            b, g, c, h_part = both[:count], gates[:count], candidate[:count], hs[part]
            b[:, :n], b[:, n:] = xs[part], h_part
            torch.addmm(wide_bias, b, wide, out=g).sigmoid_()
            torch.mul(h_part, g[:, n:], out=b[:, n:])
            torch.addmm(narrow_bias, b, narrow, out=c).tanh_()
            torch.lerp(h_part, c, g[:, :n], out=renewed[part])
            torch.clamp_min(renewed[part], 0, out=active[part])
        return _image(renewed, x), _image(active, x)


def _rows(features: Tensor) -> Tensor:
    """View (batch, channel, y, x) as (batch * y * x, channel): no copy where the channel lies last."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def _image(rows: Tensor, like: Tensor) -> Tensor:
    """Undo :func:`_rows`."""
    batch, _, height, width = like.shape
    return rows.view(batch, height, width, -1).permute(0, 3, 1, 2)


def _matrix(layer: nn.Conv2d, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return a 1 x 1 convolution as ``(matrix, bias)`` for rows from the left, in the type of the features."""
    assert layer.bias is not None
    return layer.weight.flatten(1).t().contiguous().to(like.dtype), layer.bias.to(like.dtype)


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
            One (batch, hidden, y, x) for each layer; zeros when None.
        check
            Called before each convolution and each cell; raises to stop.
        """
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
