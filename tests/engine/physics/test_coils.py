"""Expansion, combination, root sum of squares."""

import torch

from engine.physics.coils import combine, expand, rss


def test_combine_is_the_adjoint_of_expand_and_inverts_it_for_unit_maps():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 1, 4, 5, 7, dtype=torch.complex128, generator=generator)
    image = torch.randn(2, 3, 5, 7, dtype=torch.complex128, generator=generator)
    coils = torch.randn(2, 3, 4, 5, 7, dtype=torch.complex128, generator=generator)
    left = torch.vdot(expand(image, maps).flatten(), coils.flatten())
    right = torch.vdot(image.flatten(), combine(coils, maps).flatten())
    assert abs(left - right) <= 1e-12 * abs(left)
    unit = maps / rss(maps).unsqueeze(-3)
    torch.testing.assert_close(combine(expand(image, unit), unit), image, rtol=0, atol=1e-12)


def test_rss_of_known_values():
    coils = torch.tensor([3.0, 4j]).reshape(1, 1, 2, 1, 1)
    assert rss(coils).item() == 5.0
    assert not rss(coils).is_complex()


def test_rss_is_the_norm_with_and_without_gradient():
    coils = torch.randn(2, 3, 4, 5, 7, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    expected = coils.abs().square().sum(-3).sqrt()
    torch.testing.assert_close(rss(coils), expected)
    torch.testing.assert_close(rss(coils[0, 0].conj()), expected[0, 0])
    coils[..., 0, 0] = 0
    coils.requires_grad_()
    rss(coils).sum().backward()
    assert torch.isfinite(torch.view_as_real(coils.grad)).all()
