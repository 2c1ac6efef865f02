"""Thresholding steps against the library's decompositions and their formulas."""

from __future__ import annotations

import pytest
import torch

from engine.models.parts.forms import plain_forms
from engine.models.parts.thresholds import lower_casorati, lower_frames, positive, shrink, soft_threshold


def series(dtype=torch.complex128):
    return torch.randn(2, 4, 6, 9, dtype=dtype, generator=torch.Generator().manual_seed(0))


def by_svd(matrices, fraction):
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    return (u * torch.relu(s - fraction * s[..., :1]).unsqueeze(-2)) @ v


@pytest.mark.parametrize("fraction", [0.01, 0.3])
def test_frames_and_casorati_matrices_by_both_forms(fraction):
    x, f = series(), torch.tensor(fraction, dtype=torch.float64)
    frames, casorati = by_svd(x, f), by_svd(x.flatten(2), f).reshape(x.shape)
    assert torch.allclose(lower_frames(x, f, lambda: None), frames, rtol=0, atol=1e-12)
    assert torch.allclose(lower_casorati(x, f, lambda: None), casorati, rtol=0, atol=1e-12)
    assert not torch.allclose(frames, casorati, rtol=0, atol=1e-3)
    with plain_forms():
        assert torch.allclose(lower_frames(x, f, lambda: None), frames, rtol=0, atol=1e-12)
        assert torch.allclose(lower_casorati(x, f, lambda: None), casorati, rtol=0, atol=1e-12)


def test_both_forms_have_the_same_gradient():
    f = torch.tensor(0.2, dtype=torch.float64)
    for lower in (lower_frames, lower_casorati):
        gradients = []
        for plain in (False, True):
            x, fraction = series().requires_grad_(), f.clone().requires_grad_()
            if plain:
                with plain_forms():
                    y = lower(x, fraction, lambda: None)
            else:
                y = lower(x, fraction, lambda: None)
            (y * series().conj() ** 2).sum().abs().backward()
            gradients.append((x.grad, fraction.grad))
        assert torch.allclose(gradients[0][0], gradients[1][0], rtol=0, atol=1e-10)
        assert torch.allclose(gradients[0][1], gradients[1][1], rtol=1e-9, atol=0)


def test_a_casorati_matrix_of_rank_one_keeps_its_direction():
    background = torch.randn(1, 1, 6, 9, dtype=torch.complex128, generator=torch.Generator().manual_seed(1))
    x = background * torch.tensor([1.0, -2.0, 0.5j], dtype=torch.complex128)[None, :, None, None]
    assert torch.allclose(lower_casorati(x, torch.tensor(0.25, dtype=torch.float64), lambda: None), 0.75 * x, atol=1e-12)


def test_soft_threshold():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0])
    for form in (soft_threshold, shrink):
        assert form(x, torch.tensor(1.0)).tolist() == [-1.0, 0.0, 0.0, 0.0, 1.0]
    assert soft_threshold(x, torch.tensor(-1.0)).tolist() == [-3.0, -1.5, 0.0, 1.5, 3.0]


@pytest.mark.parametrize(("value", "expected"), [(0.3, 0.3), (0.0, 0.0), (-0.7, 0.0), (1e-9, 1e-9)])
def test_positive_has_the_value_of_a_relu_and_the_gradient_of_the_identity(value, expected):
    scalar = torch.tensor(value, dtype=torch.float32, requires_grad=True)
    found = positive(scalar)
    assert found.item() == torch.tensor(expected, dtype=torch.float32).item()
    found.backward()
    assert scalar.grad == 1
