"""Every term: known values, gradients in double precision, what it needs."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import InputError, ShapeError
from engine.losses import LOSSES
from engine.losses.relaxometry import MS, in_tissue, mapping_scale, tissue
from engine.metrics.psnr import psnr
from engine.models.parts.mapping import MappingConfig, MappingNetwork
from engine.physics.fourier import fft2c
from tests.engine.losses.given import loss_input, noise

TIMES = torch.tensor([[100.0, 900.0, 1700.0, 2500.0, 3300.0, 4100.0, 4900.0]], dtype=torch.float64)


def mapping(quantity="T1"):
    torch.manual_seed(0)
    network = MappingNetwork(MappingConfig(quantity=quantity, samples=7, filters=3, pools=1)).double()
    return network.requires_grad_(False)


def whole(image, target):
    """Return input in which every term finds what it needs."""
    stages = {"symmetry": [(image - target).abs() * 0.3], "mapping": [0.5 * target, 0.9 * target]}
    return loss_input(image, target, coils=2, stages=stages, times_ms=TIMES, mapping=mapping())


@pytest.mark.parametrize("name", LOSSES.names())
def test_gradient_is_that_of_differences(name):
    target = noise(1, 7, 9, 8) + 2
    image = (target + 0.3 * noise(1, 7, 9, 8, seed=1)).requires_grad_()
    loss = LOSSES.get(name)
    assert torch.autograd.gradcheck(lambda x: loss.compute(whole(x, target)), (image,), fast_mode=True, atol=1e-6)


@pytest.mark.parametrize(
    "name", [name for name in LOSSES.names() if LOSSES.get(name).needs_target and name not in ("l1_tissue", "psnr")]
)
def test_the_truth_is_a_minimum_and_has_a_gradient(name):
    target = noise(1, 7, 9, 8) + 2
    loss = LOSSES.get(name)
    at_truth = target.clone().requires_grad_()
    least = loss.compute(whole(at_truth, target))
    least.backward()
    assert torch.isfinite(torch.view_as_real(at_truth.grad)).all()
    assert float(least.detach()) == pytest.approx(0.0, abs=2e-6)
    assert float(loss.compute(whole(target + 0.1 * noise(1, 7, 9, 8, seed=2), target)).detach()) > 1e-4


def test_decibels_are_minus_the_metric_and_no_scale_changes_them():
    target = noise(1, 7, 9, 8).abs() + 2
    image = target + 0.3 * noise(1, 7, 9, 8, seed=1).abs()  # real, so that the error has no phase
    value = float(LOSSES.get("psnr").compute(whole(image + 0j, target + 0j)))
    assert value == pytest.approx(-psnr(image[0].numpy(), target[0].numpy(), None, float(target.max())), abs=1e-6)
    assert float(LOSSES.get("psnr").compute(whole(50 * image + 0j, 50 * target + 0j))) == pytest.approx(value, abs=1e-9)


def test_decibels_at_the_truth_are_finite_and_so_is_their_gradient():
    target = noise(1, 7, 9, 8) + 2
    image = target.clone().requires_grad_()
    value = LOSSES.get("psnr").compute(whole(image, target))
    value.backward()
    assert float(value.detach()) < -200
    assert torch.isfinite(torch.view_as_real(image.grad)).all()


@pytest.mark.parametrize(
    "name", [name for name in LOSSES.names() if not LOSSES.get(name).needs_phase and LOSSES.get(name).of_image]
)
def test_terms_that_need_no_phase_do_not_see_it(name):
    target = noise(1, 7, 9, 8) + 2
    image = target + 0.3 * noise(1, 7, 9, 8, seed=1)
    turned = image * torch.polar(torch.ones(7, 1, 1).double(), torch.arange(7.0).double()[:, None, None])
    loss = LOSSES.get(name)
    assert float(loss.compute(whole(turned, target))) == pytest.approx(float(loss.compute(whole(image, target))), rel=1e-9)


def test_the_loss_of_crunet_mr_by_hand():
    target, image = noise(1, 2, 7, 7), noise(1, 2, 7, 7, seed=1)
    parts = torch.view_as_real(image - target)
    kspace = torch.view_as_real(fft2c(image) - fft2c(target))
    expected = 0.25 * kspace.square().mean() + 0.5 * (parts.square().mean() + parts.abs().mean())
    # One 7 x 7 window for each frame: SSIM from its textbook form.
    for pick in (torch.real, torch.imag):
        a, b = (pick(x) / pick(x).max() for x in (image, target))
        for frame in range(2):
            e, r = a[0, frame].flatten(), b[0, frame].flatten()
            covariance = ((e - e.mean()) * (r - r.mean())).sum() / 48
            top = (2 * e.mean() * r.mean() + 1e-4) * (2 * covariance + 9e-4)
            bottom = (e.mean() ** 2 + r.mean() ** 2 + 1e-4) * (e.var() + r.var() + 9e-4)
            expected = expected + 0.5 * (1 - top / bottom) / 2
    assert float(LOSSES.get("crunet_mr").compute(loss_input(image, target))) == pytest.approx(float(expected), rel=1e-9)


def test_the_mapping_term_compares_with_the_last_stage():
    image = torch.full((1, 2, 3, 4), 3 + 4j)
    data = loss_input(image, image, stages={"mapping": [image, torch.zeros_like(image)]})
    assert float(LOSSES.get("mapping").compute(data)) == pytest.approx(5.0)
    with pytest.raises(InputError, match=r"losses\.mapping needs the mapping that only model\.network = ima reports"):
        LOSSES.get("mapping").compute(loss_input(image, image))


def test_self_supervised_term_looks_at_the_held_samples_only():
    target = noise(1, 2, 6, 5)
    held = torch.zeros(1, 1, 1, 6, 1, dtype=torch.bool)
    held[..., 2, :] = True
    full = loss_input(target).full
    wrong = full.clone()
    wrong[..., 3, :] += 7
    for name in ("kspace_l1_l2", "kspace_nmae"):
        assert float(LOSSES.get(name).compute(loss_input(target, full=wrong, measured=held))) == pytest.approx(0.0, abs=1e-5)
        assert float(LOSSES.get(name).compute(loss_input(target, full=wrong))) > 0.1


@pytest.mark.parametrize("quantity", ["T1", "T2"])
def test_relaxometry_terms_by_hand(quantity):
    """On the curves of the mapping network's own maps, eq. (10) is what is left after one more mapping; air does not count."""
    network = mapping(quantity)
    target, image = noise(1, 7, 9, 8) + 2, noise(1, 7, 9, 8, seed=1) + 2
    target[..., :3] = 1e-3
    image[..., :3] = 5
    scale = mapping_scale(target.abs())
    x = image.abs() / scale
    with torch.no_grad():
        maps, expected = network(TIMES / MS, x), network(TIMES / MS, target.abs() / scale)
        curves = network.signal(maps, TIMES / MS)
    data = loss_input(image, target, times_ms=TIMES, mapping=network)
    signal, difference = (curves - x)[..., 3:].abs().mean(), (maps - expected)[..., 3:].abs().mean()
    assert float(LOSSES.get("relax_signal").compute(data)) == pytest.approx(float(signal), rel=1e-6)
    assert float(LOSSES.get("relax_maps").compute(data)) == pytest.approx(float(difference), rel=1e-6)
    assert float(LOSSES.get("l1_tissue").compute(data)) == pytest.approx(
        float((image.abs() - target.abs())[..., 3:].abs().mean()), rel=1e-6
    )


def test_tissue_is_what_shines_once():
    magnitudes = torch.zeros(1, 3, 2, 2)
    magnitudes[0, 1, 0, 0], magnitudes[0, 2, 1, 1], magnitudes[0, 0, 0, 1] = 1.0, 0.05, 0.049
    assert tissue(magnitudes).tolist() == [[[[1.0, 0.0], [0.0, 1.0]]]]
    assert float(in_tissue(torch.ones(1, 3, 2, 2), tissue(magnitudes))) == pytest.approx(1.0)


def test_relaxometry_terms_say_what_is_missing():
    image = noise(1, 7, 9, 8)
    with pytest.raises(InputError, match=r"need model\.mapping \(expected weights of the mapping network"):
        LOSSES.get("relax_signal").compute(loss_input(image, image, times_ms=TIMES))
    with pytest.raises(InputError, match="need the inversion or echo times"):
        LOSSES.get("relax_maps").compute(loss_input(image, image, mapping=mapping()))


def test_a_crop_that_is_too_narrow_for_the_window():
    image = noise(1, 7, 9, 6)
    with pytest.raises(ShapeError, match=r"SSIM window does not fit into the image \(expected 7 .* found 9 x 6\)"):
        LOSSES.get("ssim").compute(loss_input(image, image))


@pytest.mark.parametrize("name", LOSSES.names())
def test_every_term_says_where_it_comes_from(name):
    loss = LOSSES.get(name)
    assert loss.title
    assert loss.source
    assert name == loss.name
