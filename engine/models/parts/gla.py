"""The gated linear attention unit: a memory of C x C, written and read in a time linear in the number of pixels.

Source: C. Liu, "Accelerated Cardiac MRI T1 Mapping Reconstruction Using Gated Linear Attention Network", section 2.2, eqs. (5) to
(8). What the paper leaves open and how it is read here stands in :mod:`engine.models.gla_varnet`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.jobs import Check
from engine.models.parts import forms, stripes
from engine.models.parts.conv_gru import EdgeConv, memory_format

RANK_FLOOR = 0.01  # of the largest singular value: smaller ones do not count in the rank that stages report


class GLAUnit(nn.Module):
    """GLARecurrentUnit of eq. (2): features of the image, memory update, retrieval, image residual.

    Eqs. (5) to (8) are linear in the features f once the gates are known, and need of them only the mean and ``f f^T``. So, with
    ``G = f f^T / HW`` and ``m`` the mean of f, the unit computes ``K V^T / HW = W_K G W_V^T + (W_K m) b_V^T + b_K (W_V m + b_V)^T``
    and one matrix from C to the image's channels for all that follows: the six projections of every pixel are gone, and their
    features need not be kept. Under :func:`engine.models.parts.forms.plain_forms` it computes as written.

    Measured: 3.5 to 3.7 microseconds of one CPU thread for each pixel, at 128 channels, from 64 x 64 to 256 x 512.

    Parameters
    ----------
    channels
        C of features and memory.
    image_channels
        Real channels of the image: two, or two for each frame.
    """

    def __init__(self, channels: int, image_channels: int = 2) -> None:
        super().__init__()
        self.embedding = EdgeConv(image_channels, channels, kernel=5)
        self.convs = nn.ModuleList(EdgeConv(channels, channels) for _ in range(2))
        self.query, self.key, self.value = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.alpha, self.beta, self.projection = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.output = nn.Conv2d(channels, image_channels, 1)
        nn.init.normal_(self.output.weight, std=1e-3)  # the iteration begins near the zero-filled image
        assert self.output.bias is not None
        nn.init.zeros_(self.output.bias)

    def forward(self, image: Tensor, memory: Tensor, check: Check) -> tuple[Tensor, Tensor]:
        """Return ``(r_t, M_t)`` of ``(x_t, M_{t-1})``: real (n, image channels, y, x) and (n, C, C)."""
        if stripes.serve(image):
            return self._striped(image, memory, check)
        features = image.contiguous(memory_format=memory_format(image))
        for conv in (self.embedding, *self.convs):
            check()
            features = functional.relu_(conv(features))
        check()
        # Sums over all pixels, and products of a C x C memory: bfloat16 would keep two digits of them.
        with torch.autocast(image.device.type, enabled=False):
            wide = features.float() if features.dtype in (torch.float16, torch.bfloat16) else features
            return self._as_written(wide, memory) if forms.plain() else self._by_covariance(wide, memory)

    def _as_written(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Eqs. (5) to (8), and the convolution to the image."""
        q, k, v = (layer(x).flatten(2) for layer in (self.query, self.key, self.value))  # (n, C, HW), eq. (5)
        alpha, beta = (torch.sigmoid(layer(x).mean((2, 3))).unsqueeze(-1) for layer in (self.alpha, self.beta))  # (n, C, 1)
        knowledge = (beta * k) @ v.mT / k.shape[-1]  # (6)
        memory = alpha * memory + knowledge  # (7)
        retrieved = (memory.mT @ q).reshape(x.shape)
        return self.output(self.projection(retrieved) + x), memory  # (8)

    def _by_covariance(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same from mean and covariance of the features."""
        n, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(n, height * width, channels)  # no copy where the channel lies last
        matrix, bias, memory = self._recall(rows.mean(1), rows.mT @ rows / rows.shape[1], memory)
        residual = matrix @ rows.mT + bias.unsqueeze(2)  # (n, image channels, HW)
        return residual.reshape(n, -1, height, width), memory

    def _recall(self, mean: Tensor, covariance: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return matrix (n, image channels, C) and bias from features to the residual, and the new memory."""
        (w_q, b_q), (w_k, b_k), (w_v, b_v) = map(_affine, (self.query, self.key, self.value))
        (w_a, b_a), (w_b, b_b), (w_p, b_p), (w_o, b_o) = map(_affine, (self.alpha, self.beta, self.projection, self.output))
        alpha, beta = torch.sigmoid(mean @ w_a.mT + b_a), torch.sigmoid(mean @ w_b.mT + b_b)
        mean_k, mean_v = mean @ w_k.mT, mean @ w_v.mT + b_v
        product = w_k @ covariance @ w_v.mT + mean_k.unsqueeze(2) * b_v + b_k.unsqueeze(1) * mean_v.unsqueeze(1)
        memory = alpha.unsqueeze(2) * memory + beta.unsqueeze(2) * product  # (6), (7)
        through = w_o @ w_p @ memory.mT  # from the query to the image
        return through @ w_q + w_o, through @ b_q + w_o @ b_p + b_o, memory

    def _striped(self, image: Tensor, memory: Tensor, check: Check) -> tuple[Tensor, Tensor]:
        """Return the same for a stripe of rows at a time."""
        frames, _, height, width = image.shape
        dtype, channels = stripes.kind(image), self.query.in_channels
        wide = torch.promote_types(dtype, torch.float32)
        features = stripes.Bordered.of(image, self.embedding.reach, dtype)
        layers = (self.embedding, *self.convs)
        total, squares = memory.new_zeros((frames, channels)), torch.zeros_like(memory)
        for layer, reach in zip(layers, (*(conv.reach for conv in layers[1:]), 0), strict=True):
            kernel = stripes.weights(layer, dtype)
            following = stripes.Bordered(frames, height, width, channels, reach, image, dtype)
            for part in stripes.parts(frames, height, width):
                check()
                x = functional.relu_(features.convolve(layer, *kernel, part))
                following.inside(part).copy_(x)
                if layer is layers[-1]:
                    rows = x.flatten(1, 2).to(wide)  # (n, HW, C)
                    total[part[0]] += rows.sum(1)
                    with torch.autocast(image.device.type, enabled=False):
                        squares[part[0]].baddbmm_(rows.mT, rows)
            following.finish()
            features = following
        pixels = height * width
        with torch.autocast(image.device.type, enabled=False):
            matrix, bias, memory = self._recall(total / pixels, squares / pixels, memory)
            residual = image.new_empty((frames, height, width, self.output.out_channels), dtype=wide)
            for part in stripes.parts(frames, height, width):
                x = features.inside(part).to(wide)
                recalled = torch.baddbmm(bias[part[0]].unsqueeze(1), x.flatten(1, 2), matrix[part[0]].mT)
                residual[part] = recalled.reshape(*x.shape[:3], -1)
        return residual.permute(0, 3, 1, 2), memory


def _affine(layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Return matrix and bias of a 1 x 1 convolution."""
    assert layer.bias is not None
    return layer.weight.flatten(1), layer.bias


def describe(memory: Tensor) -> dict[str, Tensor]:
    """Return Frobenius norm and numerical rank of memories (n, C, C), real (n)."""
    values = torch.linalg.svdvals(memory.detach())
    rank = ((values > RANK_FLOOR * values[:, :1]) & (values > 0)).sum(1)
    return {"norm": torch.linalg.vector_norm(values, dim=1), "rank": rank.to(values.dtype)}
