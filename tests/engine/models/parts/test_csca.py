"""Cross-sequence converging attention against its equation written out, and where it looks."""

from __future__ import annotations

import torch

from engine.models.parts.csca import CSCA


def test_the_attention_is_equation_21():
    torch.manual_seed(0)
    heads, c = 2, 6
    attention = CSCA(c, heads).double()
    with torch.no_grad():
        attention.temperature.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]).reshape(2, heads, 1, 1))
        Y, G = torch.randn(2, 1, c, 13, 9, dtype=torch.float64)
        (q1, k11, k12), (q2, k21, k22) = (
            [t[0].flatten(1).T for t in scale(f)] for scale, f in zip(attention.scales, (Y, G), strict=True)
        )
        assert q1.shape == (4 * 3, c), "a quarter of the resolution, pixels x channels as the paper writes"
        outputs = []
        for i, (k_first, k_second, source) in enumerate(((k11, k12, Y), (k21, k22, G))):
            v = attention.values[i](source)[0].flatten(1).T
            parts = []
            for h in range(heads):
                own = slice(h * c // heads, (h + 1) * c // heads)
                q_norm = (q1[:, own].square().sum(0) + q2[:, own].square().sum(0)).sqrt()
                k_norm = (k_first[:, own].square().sum(0) + k_second[:, own].square().sum(0)).sqrt()
                product = q1[:, own].T @ k_first[:, own] + q2[:, own].T @ k_second[:, own]  # self plus cross
                weights = torch.softmax(attention.temperature[i, h, 0, 0] * product / q_norm[:, None] / k_norm, dim=1)
                parts.append(v[:, own] @ weights.T)
            outputs.append(torch.cat(parts, dim=1))
        both = torch.cat(outputs, dim=1).T.reshape(1, 2 * c, 13, 9)
        assert torch.allclose(attention(Y, G), attention.output(both), atol=1e-12)


def test_every_size_gives_its_own_and_gradients_reach_all():
    for size in ((1, 1), (3, 8), (17, 5)):
        attention = CSCA(4, 2)
        Y, G = torch.randn(2, 3, 4, *size)
        result = attention(Y, G)
        assert result.shape == (3, 4, *size)
        result.square().sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in attention.parameters())
    assert all(p.grad.abs().max() > 0 for p in attention.parameters())


def test_a_permutation_of_images_permutes_the_result():
    torch.manual_seed(1)
    attention = CSCA(4, 2).double()
    Y, G = torch.randn(2, 3, 4, 9, 8, dtype=torch.float64)
    order = [2, 0, 1]
    assert torch.allclose(attention(Y, G)[order], attention(Y[order], G[order]), atol=1e-12)
