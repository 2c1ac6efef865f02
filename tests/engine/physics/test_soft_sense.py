"""Two sets of coil maps: adjoint and normal identities, exact solves, and a field of view folded by hand."""

import pytest
import torch

from engine.core.errors import ShapeError
from engine.physics.coil_maps import estimate, estimate_sets
from engine.physics.coils import expand, rss
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator
from engine.physics.soft_sense import SoftSenseOperator, combine_sets, merge_sets, sense_operator
from tests.engine.physics.test_operator import make_mask, random


def two_sets(coils=4, height=9, width=8, dtype=torch.complex128):
    """Return orthogonal maps (2, 1, coil, y, x), the second of which is there in a few rows only."""
    maps = torch.linalg.qr(random(height, width, coils, 2, dtype=dtype, seed=3))[0].permute(3, 2, 0, 1)[:, None].contiguous()
    maps[1, :, :, 2:6] = 0
    maps[1, :, :, 7, 1:3] *= 0.5
    return maps


def dot(a, b):
    return (a.conj() * b).sum()


@pytest.mark.parametrize("kind", ["static lines", "lines per frame", "static plane", "plane per frame"])
def test_adjoint_identity_and_normal_operator(kind):
    operator = SoftSenseOperator(make_mask(kind, 1, 5, 9, 8), two_sets())
    image, kspace = random(2, 5, 9, 8), random(1, 5, 4, 9, 8, seed=2)
    forward = operator.forward(image)
    torch.testing.assert_close(dot(kspace, forward), dot(operator.adjoint(kspace), image), rtol=0, atol=1e-12)
    torch.testing.assert_close(operator.normal_by_fft(image), operator.adjoint(forward), rtol=0, atol=1e-12)
    torch.testing.assert_close(operator.normal(image), operator.adjoint(forward), rtol=0, atol=1e-12)
    measured = kspace * operator.mask
    assert operator.misfit(image, measured) == pytest.approx(float((forward - measured).abs().square().sum()), rel=1e-12)


def test_forward_is_the_sum_of_the_sets():
    maps, mask = two_sets(), make_mask("static lines", 1, 1, 9, 8)
    image = random(2, 3, 9, 8)
    parts = [SenseOperator(mask, maps[m : m + 1]).forward(image[m : m + 1]) for m in range(2)]
    torch.testing.assert_close(SoftSenseOperator(mask, maps).forward(image), parts[0] + parts[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["static lines", "static plane"])
def test_solve_is_the_inverse(kind):
    operator = SoftSenseOperator(make_mask(kind, 1, 1, 9, 8), two_sets())
    rhs = random(2, 6, 9, 8)
    solved = operator.solve(rhs, 0.05, iterations=400, tolerance=1e-14)
    torch.testing.assert_close(operator.normal_by_fft(solved) + 0.05 * solved, rhs, rtol=0, atol=1e-10)
    torch.testing.assert_close(
        operator.with_own_factors().solve(rhs, 0.05, iterations=400, tolerance=1e-14), solved, rtol=0, atol=1e-10
    )


def test_inverse_matrices_frames_and_readout_crop_keep_the_sets():
    operator = SoftSenseOperator(make_mask("static lines", 1, 1, 9, 8), two_sets())
    rhs = random(2, 6, 9, 8)
    solved = operator.solve(rhs, 0.05)
    gram = operator.gram
    gram.inverse(0.05)
    torch.testing.assert_close(gram.solve(rhs, 0.05), solved, rtol=0, atol=1e-12)
    torch.testing.assert_close(operator.crop_readout(2, 7).solve(rhs[..., 2:7], 0.05), solved[..., 2:7], rtol=0, atol=1e-12)
    assert gram.matrices.shape[-1] == 9 + 5  # rows that the second set does not use cost nothing


def test_frames_with_masks_of_their_own_share_matrices_by_groups():
    mask = make_mask("lines per frame", 1, 2, 9, 8)
    operator = SoftSenseOperator(mask.repeat(1, 3, 1, 1, 1), two_sets())
    assert operator.gram is not None
    assert operator.gram.groups == 2
    image = random(2, 6, 9, 8)
    torch.testing.assert_close(operator.normal(image), operator.normal_by_fft(image), rtol=0, atol=1e-12)
    chosen = operator.select_frames(1, 4)
    torch.testing.assert_close(chosen.normal(image[:, 1:4]), operator.normal(image)[:, 1:4], rtol=0, atol=1e-12)


def test_several_slices_are_refused():
    with pytest.raises(ShapeError, match="one slice"):
        SoftSenseOperator(torch.ones(2, 1, 1, 9, 1, dtype=torch.bool), two_sets())
    operator = SoftSenseOperator(make_mask("static lines", 1, 1, 9, 8), two_sets())
    with pytest.raises(ShapeError, match="one slice"):
        operator.adjoint(random(2, 1, 4, 9, 8))
    with pytest.raises(ShapeError, match="does not fit"):
        operator.forward(random(1, 1, 9, 8))


def test_one_set_is_the_operator_of_before():
    maps = two_sets()[:1]
    operator = sense_operator(make_mask("static lines", 1, 1, 9, 8), maps)
    assert type(operator) is SenseOperator
    image = random(1, 2, 9, 8)
    assert operator.merge(image) is image


# --- what is shown --------------------------------------------------------------------------------------------------------


def test_the_merged_image_is_the_root_sum_of_squares_and_x1_where_there_is_one_set():
    maps, images = two_sets(), random(2, 3, 9, 8)
    maps[1, :, :, 7] = 0
    merged = merge_sets(images, maps)
    coils = (images.unsqueeze(2) * maps).sum(0)
    torch.testing.assert_close(merged[0].abs(), rss(coils), rtol=0, atol=1e-12)
    torch.testing.assert_close(merged[:, :, 2:6], images[:1, :, 2:6], rtol=0, atol=0)
    torch.testing.assert_close(combine_sets(coils, maps), images * (maps.abs().amax(2) > 0), rtol=0, atol=1e-12)


def test_a_signal_that_changes_its_sign_keeps_it():
    maps = two_sets()
    signs = torch.tensor([-1.0, -0.4, 0.3, 1.0])[None, :, None, None]
    images = torch.cat([2.0 * random(1, 1, 9, 8, seed=5) * signs, 0.5 * random(1, 1, 9, 8, seed=6).expand(1, 4, 9, 8)])
    strong = images[0, -1].abs() > images[1, -1].abs() * 2
    product = merge_sets(images, maps)[0] * images[0, -1].conj()
    product = (product / product.abs()).real[:, strong]
    torch.testing.assert_close(product, torch.sign(signs[0, :, 0]).expand_as(product).double(), rtol=0, atol=1e-9)


# --- a field of view folded by hand ---------------------------------------------------------------------------------------


def folded_scan(keep=72, coils=8, height=96, width=80, noise=0.0005):
    """Return k-space (1, coil, keep, kx) of a body that is taller than the field of view, folded over its edge; and whole."""
    y, x = torch.meshgrid(
        (torch.arange(height) - height // 2).double() / height, (torch.arange(width) - width // 2).double() / width, indexing="ij"
    )
    angles = 2 * torch.pi * torch.arange(coils).double() / coils
    wires = torch.polar(torch.full_like(angles, 0.7), angles)[:, None, None]
    fields = 1 / (torch.complex(x, y) - wires)
    body = ((x / 0.4) ** 2 + (y / 0.46) ** 2 < 1) * (1 + 0.6 * ((x - 0.1) ** 2 + y**2 < 0.02))
    whole = fields * body
    whole = whole / whole.abs().max()
    over = (height - keep) // 2
    folded = whole[:, over : over + keep].clone()
    folded[:, -over:] += whole[:, :over]
    folded[:, :over] += whole[:, -over:]
    generator = torch.Generator().manual_seed(0)

    def seen(images):
        samples = fft2c(images[None])
        return (samples + noise * torch.randn(samples.shape, dtype=samples.dtype, generator=generator)).to(torch.complex64)

    return seen(folded), seen(whole)


def lines_of(height, step=3, acs=24):
    mask = torch.zeros(1, height, 1, dtype=torch.bool)
    mask[:, ::step], mask[:, height // 2 - acs // 2 : height // 2 + acs // 2] = True, True
    return mask


def test_the_calibration_data_tell_how_many_sets_are_needed_and_the_first_is_the_one_of_before():
    folded, whole = folded_scan()
    for kspace, sets in ((folded, 2), (whole, 1)):
        mask = lines_of(kspace.shape[-2])
        maps = estimate_sets(kspace * mask, mask)
        assert len(maps) == sets
        assert torch.equal(maps[0], estimate(kspace * mask, mask))
        assert len(estimate_sets(kspace * mask, mask, most=1)) == 1
    maps = estimate_sets(folded)
    assert float((maps[0].conj() * maps[1]).sum(1).abs().max()) < 1e-5
    assert float(maps[1].abs().square().sum(1).max()) < 1 + 1e-5
    assert not bool((maps[1][..., 30:42, :] != 0).any())  # the middle does not fold


def test_two_sets_explain_the_folded_coil_images_and_one_does_not():
    kspace = folded_scan()[0]
    coils = ifft2c(kspace)
    truth = rss(coils)
    maps = estimate_sets(kspace)
    two = merge_sets(combine_sets(coils, maps), maps)[0].abs()
    one = (coils * maps[0].conj()).sum(1).abs()
    far = [float((found - truth).norm() / truth.norm()) for found in (one, two)]
    assert far[1] < 0.2 * far[0]


@pytest.mark.parametrize("noise", [0.0005, 0.005])
def test_sense_of_a_folded_field_needs_two_sets(noise):
    kspace = folded_scan(noise=noise)[0]
    mask = lines_of(kspace.shape[-2])
    truth = rss(ifft2c(kspace))
    errors = []
    for most in (1, 2):
        maps = estimate_sets(kspace * mask, mask, most=most)
        operator = sense_operator(mask[:, None, None], maps)
        image = operator.merge(operator.solve(operator.adjoint((kspace * mask)[None]), 1e-3))[0]
        errors.append(float((image.abs() - truth).norm() / truth.norm()))
    assert errors[1] < 0.5 * errors[0]


def test_expand_of_the_sets_gives_the_measured_samples_back():
    kspace = folded_scan(noise=0.0)[0]
    maps = estimate_sets(kspace)
    images = combine_sets(ifft2c(kspace), maps)
    found = sum(fft2c(expand(images[m][None], maps[m])) for m in range(2))[0]
    alone = fft2c(expand(combine_sets(ifft2c(kspace), maps[:1])[0][None], maps[0]))[0]
    assert float((found - kspace).norm()) < 0.3 * float((alone - kspace).norm())
