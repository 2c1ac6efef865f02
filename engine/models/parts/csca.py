"""Cross-sequence converging attention of IMA: self- and cross-attention between two sequences in one product.

Source: Zheng et al., "Breaking Information Isolation" (IMA), eqs. (20), (21), fig. 2.

The paper writes images as matrices of pixels x channels, so that ``Q^T K`` of eq. (21) is channels x channels: attention
between channels, whose cost grows with the pixels and not with their square. What it leaves open is chosen to cost what its table 2
says, 0.20 M parameters and 4.64 G multiply-accumulates for 12 stages of 32 channels at 256 x 256:

- features of several scales are depth-wise 3 x 3 convolutions of stride 2 in a row, mixed by 1 x 1 convolutions at half and quarter
  resolution and added up at quarter resolution, where a 1 x 1 convolution gives Q_i, K_i' and K_i'';
- V_i is a 1 x 1 convolution at full resolution, so that no detail passes through the coarse scales;
- Q_cat and K_i are normalised over their pixels and scaled by a learned number for each of the heads;
- the two results side by side give the output by a 1 x 1 convolution.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MultiScale(nn.Module):
    """Features of one sequence at half, quarter and eighth resolution, and from them Q, K' and K'' at quarter resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels) for _ in range(3))
        self.mix = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(2))
        self.project = nn.Conv2d(channels, 3 * channels, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return Q, K' and K'', each real (image, channel, y / 4, x / 4), of features (image, channel, y, x)."""
        half = self.mix[0](self.down[0](features))
        quarter = self.mix[1](self.down[1](torch.relu(half)))
        eighth = self.down[2](torch.relu(quarter))
        raised = functional.interpolate(eighth, size=quarter.shape[-2:], mode="nearest")
        merged = functional.avg_pool2d(half, 2, ceil_mode=True) + quarter + raised
        q, k_first, k_second = self.project(merged).chunk(3, dim=1)
        return q, k_first, k_second


class CSCA(nn.Module):
    """The attention; its input are the features of the reference sequence Y and of G.

    Parameters
    ----------
    channels
        Of Y, of G and of the result.
    heads
        Groups of channels that attend among themselves.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scales = nn.ModuleList(MultiScale(channels) for _ in range(2))
        self.values = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(2))
        self.temperature = nn.Parameter(torch.ones(2, heads, 1, 1))
        self.output = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, Y: Tensor, G: Tensor) -> Tensor:
        """Return the attention's result, real (image, channel, y, x) as Y and G are."""
        (q1, *k1), (q2, *k2) = self.scales[0](Y), self.scales[1](G)
        q_cat = self._tokens(q1, q2)
        results = []
        for i, (source, k) in enumerate(((Y, k1), (G, k2))):
            # Both halves of K_i meet their half of Q_cat: Q1^T K' + Q2^T K'', eq. (21).
            weights = torch.softmax(self.temperature[i] * (q_cat @ self._tokens(*k).mT), dim=-1)
            v = self.values[i](source)
            attended = weights.to(v.dtype) @ v.reshape(v.shape[0], self.heads, -1, v.shape[-2] * v.shape[-1])
            results.append(attended.reshape(v.shape))
        result: Tensor = self.output(torch.cat(results, dim=1))
        return result

    def _tokens(self, first: Tensor, second: Tensor) -> Tensor:
        """Lay two (image, channel, y, x) after each other as (image, head, channel, pixel) of norm 1 over the pixels."""
        both = torch.cat((first.flatten(2), second.flatten(2)), dim=-1)
        wide = both if both.dtype == torch.float64 else both.float()
        return functional.normalize(wide, dim=-1).reshape(both.shape[0], self.heads, -1, both.shape[-1])
