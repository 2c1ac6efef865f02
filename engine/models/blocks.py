"""Building blocks that networks share. The only place that splits complex numbers into two real channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import ShapeError
from engine.models.parts import forms, mixed3d

# Layers with at most this many channels on one side are slow as 3D convolutions on a CPU.
THIN = 4
# Multiply-accumulates of a 3D convolution between two looks at the cancel button: about 0.2 s of one CPU thread.
MACS_AT_ONCE = 6e9


def to_channels(image: Tensor) -> Tensor:
    """View complex (batch, frame, y, x) as real (batch, 2, frame, y, x): real part, imaginary part. No copy."""
    return _real_pairs(image).permute(0, 4, 1, 2, 3)


def to_complex(channels: Tensor) -> Tensor:
    """Turn real (batch, 2, frame, y, x) back into complex (batch, frame, y, x); free for what a :class:`Conv3d` returns."""
    if channels.shape[1] != 2:
        raise ShapeError(
            f"a complex image needs two channels (expected 2 / found {channels.shape[1]})",
            "End the network with a layer of two output channels.",
        )
    return torch.view_as_complex(_at_least_single(channels).permute(0, 2, 3, 4, 1).contiguous())


def frames_to_channels(image: Tensor) -> Tensor:
    """View complex (batch, frame, y, x) as real (batch * frame, 2, y, x): every frame an image of its own."""
    b, t, h, w = image.shape
    return _real_pairs(image).permute(0, 1, 4, 2, 3).reshape(b * t, 2, h, w)


def channels_to_frames(channels: Tensor, frames: int) -> Tensor:
    """Turn real (batch * frame, 2, y, x) back into complex (batch, frame, y, x) float32 or float64."""
    h, w = channels.shape[-2:]
    pairs = _at_least_single(channels).reshape(-1, frames, 2, h, w).permute(0, 1, 3, 4, 2)
    return torch.view_as_complex(pairs.contiguous())


def stack_frames(image: Tensor) -> Tensor:
    """View complex (batch, frame, y, x) as real (batch, 2 * frame, y, x): re and im of frame 0, of frame 1, ..."""
    b, t, h, w = image.shape
    return _real_pairs(image).permute(0, 1, 4, 2, 3).reshape(b, 2 * t, h, w)


def unstack_frames(channels: Tensor) -> Tensor:
    """Turn real (batch, 2 * frame, y, x) back into complex (batch, frame, y, x) float32 or float64."""
    b, c, h, w = channels.shape
    pairs = _at_least_single(channels).reshape(b, c // 2, 2, h, w).permute(0, 1, 3, 4, 2)
    return torch.view_as_complex(pairs.contiguous())


def pairs_to_complex(channels: Tensor) -> Tensor:
    """Turn real (batch, 2 * image, y, x), re and im of image 0, of image 1, ..., into complex (batch, image, y, x).

    Free where the channel lies last in memory.
    """
    last = _at_least_single(channels).permute(0, 2, 3, 1)
    pairs = last.reshape(*last.shape[:-1], last.shape[-1] // 2, 2)
    return torch.view_as_complex(pairs if pairs.stride(-1) == 1 else pairs.contiguous()).permute(0, 3, 1, 2)


def complex_to_pairs(image: Tensor) -> Tensor:
    """Turn complex (batch, image, y, x) into real (batch, 2 * image, y, x), the channel last in memory: re, im of image 0, ..."""
    return _real_pairs(image.permute(0, 2, 3, 1)).flatten(-2).permute(0, 3, 1, 2)


def _real_pairs(image: Tensor) -> Tensor:
    """View complex (...) as real (..., 2). A conjugate that was not carried out yet, as ``.mH`` leaves it, is."""
    return torch.view_as_real(image.contiguous().resolve_conj())


def _at_least_single(channels: Tensor) -> Tensor:
    """Return features in float32 when they are in half precision: images and physics never are."""
    return channels.float() if channels.dtype in (torch.float16, torch.bfloat16) else channels


def channels_last(features: Tensor) -> Tensor:
    """Return features (batch, channel, *space) with the channel last in memory on a CPU, unless in the plain form."""
    if forms.plain() or features.device.type != "cpu":
        return features.contiguous()
    return features.contiguous(memory_format=torch.channels_last if features.ndim == 4 else torch.channels_last_3d)


class Conv3d(nn.Conv3d):
    """3 x 3 x 3 convolution over (frame, y, x), stride 1, zero padding, same size.

    Input and output are (batch, channel, frame, y, x), the channel lying last in memory. On a CPU a layer with few input or
    output channels runs as a 2D convolution with the three temporal taps laid into its channels: the same sums in another
    order, 1.7 to 20 times faster there for 8 frames of 64 x 64 and more (torch 2.13, one thread). The plain form is the
    library's convolution of what came in, as it lies in memory.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = False) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, padding=1, bias=bias)

    def forward(self, input: Tensor, check: Callable[[], None] | None = None) -> Tensor:  # noqa: A002 (the base class's name)
        """Convolve; input and output (batch, channel, frame, y, x). ``check`` is called every few frames and raises to cancel."""
        if forms.plain():
            return mixed3d.conv3d(input.contiguous(), self.weight, self.bias, padding=(1, 1, 1))
        if input.device.type == "cpu" and self.in_channels <= THIN:
            return self._taps_in(input)
        if input.device.type == "cpu" and self.out_channels <= THIN:
            return self._taps_out(input)
        features = input.contiguous(memory_format=torch.channels_last_3d)
        kernel = self.weight.contiguous(memory_format=torch.channels_last_3d)
        single = input.dtype == torch.float32 and not torch.is_autocast_enabled(input.device.type)
        if single and input.device.type == "cpu" and torch.backends.mkldnn.is_available():
            # conv3d takes a naive loop, 15 times slower, for small batches on one thread.
            step = max(1, int(MACS_AT_ONCE / (self.weight.numel() * input[:, 0, 0].numel())))
            if check is not None and 2 * step < input.shape[2] and not torch.is_grad_enabled():
                return self._in_pieces(features, kernel, step, check)
            return torch.mkldnn_convolution(features, kernel, self.bias, (1, 1, 1), (1, 1, 1), (1, 1, 1), 1)
        return mixed3d.conv3d(features, kernel, self.bias, padding=(1, 1, 1))

    def _in_pieces(self, features: Tensor, kernel: Tensor, step: int, check: Callable[[], None]) -> Tensor:
        """Convolve some frames at a time, each with its neighbours."""
        b, _, frames, h, w = features.shape
        out = features.new_empty((b, frames, h, w, self.out_channels)).permute(0, 4, 1, 2, 3)
        for first in forms.pieces(frames, step):
            check()
            last = min(first + step, frames)
            part = features[:, :, max(0, first - 1) : last + 1]
            if first == 0 or last == frames:
                part = functional.pad(part, (0, 0, 0, 0, int(first == 0), int(last == frames)))
            part = part.contiguous(memory_format=torch.channels_last_3d)
            out[:, :, first:last] = torch.mkldnn_convolution(part, kernel, self.bias, (0, 1, 1), (1, 1, 1), (1, 1, 1), 1)
        return out

    def _taps_in(self, features: Tensor) -> Tensor:
        """Lay frames t-1, t, t+1 into the input channels of a 2D convolution."""
        b, c, t, h, w = features.shape
        padded = functional.pad(features.permute(0, 2, 3, 4, 1), (0, 0, 0, 0, 0, 0, 1, 1))  # (batch, frame + 2, y, x, channel)
        taps = torch.stack((padded[:, :-2], padded[:, 1:-1], padded[:, 2:]), dim=-2)  # (batch, frame, y, x, tap, channel)
        stacked = taps.reshape(b * t, h, w, 3 * c).permute(0, 3, 1, 2)
        kernel = self.weight.permute(0, 2, 1, 3, 4).reshape(self.out_channels, 3 * c, 3, 3)
        out = functional.conv2d(stacked, kernel.contiguous(memory_format=torch.channels_last), self.bias, padding=1)
        return out.permute(0, 2, 3, 1).reshape(b, t, h, w, -1).permute(0, 4, 1, 2, 3)

    def _taps_out(self, features: Tensor) -> Tensor:
        """Let a 2D convolution give each frame's share in frames t+1, t, t-1, and add up."""
        b, c, t, h, w = features.shape
        frames = features.permute(0, 2, 3, 4, 1).reshape(b * t, h, w, c).permute(0, 3, 1, 2)
        kernel = self.weight.permute(2, 0, 1, 3, 4).reshape(3 * self.out_channels, c, 3, 3)
        shares = functional.conv2d(frames, kernel.contiguous(memory_format=torch.channels_last), padding=1)
        shares = shares.permute(0, 2, 3, 1).reshape(b, t, h, w, 3, self.out_channels)
        later = functional.pad(shares[:, :-1, ..., 0, :], (0, 0, 0, 0, 0, 0, 1, 0))
        earlier = functional.pad(shares[:, 1:, ..., 2, :], (0, 0, 0, 0, 0, 0, 0, 1))
        out = shares[..., 1, :] + later + earlier  # (batch, frame, y, x, channel)
        if self.bias is not None:
            out = out + self.bias
        return out.permute(0, 4, 1, 2, 3)


class ConvStack(nn.ModuleList):
    """3D convolutions with a ReLU between two of them and none at the end.

    ``channels`` are the widths, input first: ``(2, 16, 16, 2)`` is three layers. ``slope`` makes the ReLU leaky. Kernels start
    Glorot-uniform, biases at zero.
    """

    def __init__(self, channels: Sequence[int], bias: bool = False, slope: float = 0.0) -> None:
        super().__init__(Conv3d(a, b, bias) for a, b in pairwise(channels))
        self.slope = slope
        self.widths = tuple(channels[1:])
        for layer in self:
            glorot(layer)

    def forward(self, features: Tensor, check: Callable[[], None] | None = None) -> Tensor:
        """Convolve (batch, channel, frame, y, x); ``check`` is called before each layer, in large ones more often, to cancel."""
        for index, layer in enumerate(self):
            if check is not None:
                check()
            features = layer(self.activate(features) if index else features, check)
        return features

    def kept_bytes(self, image: Tensor) -> float:
        """Return how many bytes a backward pass keeps of the layers' outputs, for an image (batch, frame, y, x)."""
        return float(image.real.element_size() * image.numel() * sum(self.widths))

    def activate(self, features: Tensor) -> Tensor:
        """Apply the activation in place."""
        return functional.leaky_relu_(features, self.slope) if self.slope else functional.relu_(features)


def glorot(layer: nn.Module) -> None:
    """Start a layer's weight Glorot-uniform and its bias at zero (the Keras defaults that TensorFlow papers rely on)."""
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor)
    nn.init.xavier_uniform_(weight)
    if isinstance(bias, Tensor):
        nn.init.zeros_(bias)
