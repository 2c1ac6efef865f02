"""Three-dimensional convolutions whose gradients are right in mixed precision on a CPU.

oneDNN, which PyTorch 2.13 calls, writes beyond its buffers when it computes the gradient of the kernels of a 3D convolution, plain
or transposed, in bfloat16 with the AMX instructions of newer processors: most shapes end the process ("double free or corruption"),
and what the others give cannot be trusted. Its 2D convolutions and the other gradients are sound (hundreds of shapes
were tried), so the gradient of a 3D kernel is computed here as those of its temporal taps, each a 2D kernel over all frames.
Everywhere else these are the library's own layers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

Triple = tuple[int, int, int]
ONES: Triple = (1, 1, 1)
ZEROS: Triple = (0, 0, 0)


def conv3d(
    features: Tensor,
    kernel: Tensor,
    bias: Tensor | None = None,
    stride: Triple = ONES,
    padding: Triple = ZEROS,
    dilation: Triple = ONES,
) -> Tensor:
    """Return the convolution (batch, out, frame', y', x') of (batch, in, frame, y, x) with (out, in, kt, ky, kx): the library's."""
    kind = _reduced(features)
    if kind is None:
        return functional.conv3d(features, kernel, bias, stride, padding, dilation)
    reduced = None if bias is None else bias.to(kind)
    result: Tensor = _Conv3d.apply(features.to(kind), kernel.to(kind), reduced, stride, padding, dilation)  # type: ignore[no-untyped-call]  # torch leaves apply untyped
    return result


def conv_transpose3d(features: Tensor, kernel: Tensor, bias: Tensor | None, stride: Triple) -> Tensor:
    """Return the transposed convolution of (batch, in, frame, y, x) with (in, out, kt, ky, kx), as the library's; no padding."""
    kind = _reduced(features)
    if kind is None:
        return functional.conv_transpose3d(features, kernel, bias, stride)
    reduced = None if bias is None else bias.to(kind)
    result: Tensor = _ConvTranspose3d.apply(features.to(kind), kernel.to(kind), reduced, stride)  # type: ignore[no-untyped-call]  # torch leaves apply untyped
    return result


class Conv3d(nn.Conv3d):
    """The library's layer, zero padding, with :func:`conv3d`."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the base class's name)
        """Convolve (batch, channel, frame, y, x)."""
        return conv3d(input, self.weight, self.bias, _triple(self.stride), _triple(self.padding), _triple(self.dilation))


class ConvTranspose3d(nn.ConvTranspose3d):
    """The library's layer without padding, with :func:`conv_transpose3d`."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002, ARG002 (the base class's)
        """Convolve (batch, channel, frame, y, x)."""
        return conv_transpose3d(input, self.weight, self.bias, _triple(self.stride))


def _triple(values: Any) -> Triple:
    a, b, c = values
    return a, b, c


def _reduced(features: Tensor) -> torch.dtype | None:
    """Return the type that gradients of kernels are taken in where the library's cannot be used, else None."""
    if features.device.type != "cpu" or not torch.is_grad_enabled():
        return None
    kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else features.dtype
    return kind if kind in (torch.bfloat16, torch.float16) else None


def _kernel_gradient(
    features: Tensor, gradient: Tensor, size: torch.Size, stride: Triple, padding: Triple, dilation: Triple
) -> Tensor:
    """Return the gradient (out, in, kt, ky, kx) of a kernel: each temporal tap as a 2D kernel over all frames."""
    if padding[0]:
        features = functional.pad(features, (0, 0, 0, 0, padding[0], padding[0]))
    seen = _frames_as_batch(gradient)
    span = (gradient.shape[2] - 1) * stride[0] + 1
    taps = []
    for tap in range(size[2]):
        first = tap * dilation[0]
        frames = _frames_as_batch(features[:, :, first : first + span : stride[0]])
        kernel = gradient.new_empty((size[0], size[1], size[3], size[4]))
        taps.append(
            torch.ops.aten.convolution_backward(
                seen, frames, kernel, None, stride[1:], padding[1:], dilation[1:], False, [0, 0], 1, [False, True, False]
            )[1]
        )
    return torch.stack(taps, dim=2)


def _frames_as_batch(features: Tensor) -> Tensor:
    """View (batch, channel, frame, y, x) as (batch * frame, channel, y, x)."""
    return features.transpose(1, 2).flatten(0, 1)


class _Conv3d(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features: Tensor, kernel: Tensor, bias: Tensor | None, stride: Triple, padding: Triple, dilation: Triple
    ) -> Tensor:
        ctx.save_for_backward(features, kernel)
        ctx.form = stride, padding, dilation
        return functional.conv3d(features, kernel, bias, stride, padding, dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, kernel = ctx.saved_tensors
        stride, padding, dilation = ctx.form
        of_features = of_kernel = of_bias = None
        if ctx.needs_input_grad[0]:
            of_features = torch.ops.aten.convolution_backward(
                gradient, features, kernel, None, stride, padding, dilation, False, ZEROS, 1, [True, False, False]
            )[0]
        if ctx.needs_input_grad[1]:
            of_kernel = _kernel_gradient(features, gradient, kernel.shape, stride, padding, dilation)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum((0, 2, 3, 4))
        return of_features, of_kernel, of_bias, None, None, None


class _ConvTranspose3d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, kernel: Tensor, bias: Tensor | None, stride: Triple) -> Tensor:
        ctx.save_for_backward(features, kernel)
        ctx.stride = stride
        return functional.conv_transpose3d(features, kernel, bias, stride)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, kernel = ctx.saved_tensors
        of_features = of_kernel = of_bias = None
        if ctx.needs_input_grad[0]:
            of_features = functional.conv3d(gradient, kernel, None, ctx.stride)
        if ctx.needs_input_grad[1]:
            # A transposed convolution is a convolution's gradient: the two sides change places.
            of_kernel = _kernel_gradient(gradient, features, kernel.shape, ctx.stride, ZEROS, ONES)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum((0, 2, 3, 4))
        return of_features, of_kernel, of_bias, None
