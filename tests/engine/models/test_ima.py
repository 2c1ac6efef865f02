"""IMA: its equations written out again, its sizes, its stages, single-coil real and multi-coil complex images."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from engine.core.errors import InputError, ShapeError
from engine.evaluation.complexity import macs
from engine.models import MODELS
from engine.models.ima import Ima, ImaConfig
from engine.models.parts import frames as frame_parts
from engine.models.parts.dilating_mask import dilating_masks
from engine.models.parts.forms import plain_forms
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator
from tests.engine.models.test_mc_varnet import random_input
from tests.engine.tensors import relative

TINY = ImaConfig(stages=5, channels=4, heads=2)


def network(config=TINY, seed=0):
    torch.manual_seed(seed)
    made = Ima(config).double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made


def unit_coil(data):
    """Return the input with one coil of sensitivity one; the same k-space samples."""
    maps = torch.ones_like(data.operator.maps[:, :, :1])
    return dataclasses.replace(data, kspace=data.kspace[:, :, :1], operator=SenseOperator(data.operator.mask, maps))


def compare(found, expected, tolerance=1e-10):
    assert relative(torch.view_as_real(found), torch.view_as_real(expected)) < tolerance


def written_out(net, data):
    """Return the image of the equations as printed, every channel and every coil through its Fourier transform."""
    config = net.config
    frames = data.kspace.shape[1]
    maps = data.operator.maps.expand(1, frames, -1, -1, -1)[0]
    m0 = data.operator.mask.expand(1, frames, 1, *data.operator.mask.shape[-2:])
    masks = [m[0].to(torch.float64) for m in dilating_masks(m0, config.stages, config.kernel, config.delta, config.ratio)]
    z = data.kspace[0]
    images = []
    for frame in range(frames):
        s = maps[frame][None]  # (1, coil, y, x)

        def to_kspace(features, s=s):
            pairs = features[0].reshape(-1, 2, *features.shape[-2:]) if config.complex_images else None
            image = torch.complex(pairs[:, 0], pairs[:, 1]) if config.complex_images else features[0] + 0j
            return fft2c(expand(image[:, None], s[None])[:, 0])  # (channel, coil, ky, kx)

        def to_features(kspace, s=s):
            image = combine(ifft2c(kspace), s)
            parts = torch.stack((image.real, image.imag), dim=1).flatten(0, 1) if config.complex_images else image.real
            return parts[None]

        def repeat(image):
            parts = torch.stack((image.real, image.imag)) if config.complex_images else image.real[None]
            return parts.repeat(config.channels // len(parts), 1, 1)[None]

        mask = [m[frame][None] for m in masks]
        X = G = to_features(z[frame].expand(config.channels // (1 + config.complex_images), -1, -1, -1))
        Y = repeat(data.reference[0, frame])
        Y_tilde = net.unfolding[0].Bt(X - Y)
        for t, stage in enumerate(net.unfolding, start=1):
            mu, alpha, beta = stage.mu, stage.alpha, stage.beta
            K = to_kspace(X)
            gradient = to_features(mask[0] * K - z[frame])
            X_temp = X - mu * gradient - mu * (alpha * (X - G) + stage.lambda1 * stage.R1(X))
            if config.dcm:
                X_temp = to_features((1 - mask[t]) * to_kspace(X_temp) + mask[t] * K)
            X = to_features((1 - mask[0]) * to_kspace(X_temp) + mask[0] * z[frame])
            CSCA_Y_G = stage.A_prime(Y) - G + (stage.csca(Y, G) if config.csca else 0)
            Y_tilde = Y_tilde - beta * stage.Bt(CSCA_Y_G + stage.B(Y_tilde)) - beta * stage.lambda2 * stage.R2(Y_tilde)
            G = (stage.A(Y) + stage.B(Y_tilde) + alpha * X) / (1 + alpha)
        parts = X[0].reshape(-1, 2, *X.shape[-2:]).mean(0) if config.complex_images else X[0].mean(0)
        images.append(torch.complex(parts[0], parts[1]) if config.complex_images else parts + 0j)
    return torch.stack(images)[None]


@pytest.mark.parametrize("per_frame", [False, True])
@pytest.mark.parametrize(
    "config",
    [
        TINY,
        dataclasses.replace(TINY, csca=False),
        dataclasses.replace(TINY, dcm=False),
        dataclasses.replace(TINY, kernel=2, ratio=1.0),
    ],
    ids=["all", "without csca", "without dcm", "kernel 2"],
)
def test_multi_coil_images_are_those_of_the_equations(config, per_frame):
    net, data = network(config), random_input(per_frame=per_frame)
    with torch.no_grad():
        found = net(data)
        compare(found, written_out(net, data))
        with plain_forms():
            compare(net(data), found)


def test_single_coil_real_images_are_those_of_the_equations():
    net, data = network(dataclasses.replace(TINY, complex_images=False)), unit_coil(random_input())
    with torch.no_grad():
        found = net(data)
        compare(found, written_out(net, data))
    assert not found.imag.any()


def test_two_dimensional_masks_and_maps_that_vary_with_the_frame():
    data = random_input(frames=2, coils=2)
    g = torch.Generator().manual_seed(4)
    mask = torch.rand(1, 2, 1, 20, 17, generator=g) < 0.4
    phases = torch.exp(1j * torch.rand(1, 2, 1, 1, 1, generator=g, dtype=torch.float64))
    operator = SenseOperator(mask, data.operator.maps * phases)
    data = dataclasses.replace(data, kspace=data.kspace * mask, operator=operator)
    net = network()
    with torch.no_grad():
        compare(net(data), written_out(net, data))


@pytest.mark.slow
def test_sizes_are_those_of_table_2():
    spec = MODELS.get("ima")
    plain = Ima(ImaConfig(csca=False))
    convolutions = sum(p.numel() for m in plain.modules() if isinstance(m, nn.Conv2d) for p in m.parameters())
    assert convolutions == 1_331_712
    assert spec.parameters("without-csca") == 1_331_712 + 12 * 5  # mu, alpha, beta, lambda1, lambda2
    assert spec.parameters("paper") == spec.parameters("paper-real") == 1_531_932
    assert round(spec.parameters("without-csca") / 1e6, 2) == 1.33
    assert round(spec.parameters("paper") / 1e6, 2) == 1.53
    counted = {preset: macs(spec, spec.presets[preset]) for preset in ("paper", "without-csca")}
    assert counted["without-csca"] == pytest.approx(103.28e9, rel=0.005)
    assert counted["paper"] == pytest.approx(107.92e9, rel=0.005)
    # 85 blocks of two convolutions with bias
    assert counted["without-csca"] == 85 * 2 * 32 * (9 * 32 + 1) * 256 * 256


def test_measured_samples_are_in_the_image_of_one_coil():
    data = unit_coil(random_input())
    with torch.no_grad():
        spectrum = fft2c(network()(data))
    mask = data.operator.mask[:, :, 0].expand(spectrum.shape)
    assert torch.allclose(spectrum[mask], data.kspace[:, :, 0][mask], atol=1e-12)


def test_frames_in_chunks_give_the_same_image_and_stages(monkeypatch):
    net = network()
    for per_frame in (False, True):
        results = []
        for pixels in (1 << 30, 1):
            monkeypatch.setitem(frame_parts.PIXELS_AT_ONCE, "cpu", pixels)
            seen = {}
            data = random_input(
                frames=3, per_frame=per_frame, stages=lambda i, part, value, seen=seen: seen.update({(i, part): value})
            )
            with torch.no_grad():
                results.append((net(data), seen))
        (whole, stages), (chunked, others) = results
        compare(chunked, whole, 1e-12)
        assert stages.keys() == others.keys()
        for key, value in stages.items():
            assert torch.allclose(value, others[key].to(value.dtype), atol=1e-10), key


def test_stages_are_the_masks_and_the_variables_of_the_paper():
    seen = {}
    data = random_input(per_frame=True, stages=lambda i, part, value: seen.setdefault(part, {}).update({i: value}))
    net = network()
    with torch.no_grad():
        image = net(data)
    assert set(seen) == {"image", "mask", "g", "auxiliary", "mapping"}
    assert all(sorted(values) == list(range(5)) for values in seen.values())
    assert torch.equal(seen["image"][4], image)
    masks = dilating_masks(data.operator.mask, 5)
    for stage in range(5):
        assert torch.equal(seen["mask"][stage].bool(), masks[stage + 1][:, :, 0].expand(-1, -1, -1, 17))
        alpha = net.unfolding[stage].alpha
        expected = (seen["mapping"][stage] + alpha * seen["image"][stage]) / (1 + alpha)  # eq. (22)
        assert torch.allclose(seen["g"][stage], expected, atol=1e-12)


def test_both_terms_of_the_loss_together_teach_every_parameter():
    """Eq. (25): the last stage's A, B, B^T, R2, beta and attention learn from its second term only."""
    seen = {}
    data = random_input(stages=lambda _, part, value: seen.update({part: value}))
    net = network()
    image = net(data)
    (image - data.reference).abs().mean().backward(retain_graph=True)
    silent = {name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()}
    assert silent == set(net.without_effect)
    (0.5 * (image - seen["mapping"]).abs().mean()).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


def test_recomputed_activations_give_the_same_gradient(monkeypatch):
    from engine.models.parts import checkpointing

    gradients = []
    for worth in (1 << 60, 0):
        monkeypatch.setattr(checkpointing, "WORTH_BYTES", worth)
        net = network()
        net(random_input(frames=1)).abs().sum().backward()
        gradients.append(net.unfolding[0].R1[0].weight.grad)
    assert torch.allclose(*gradients, atol=1e-12)


def test_the_reference_sequence_leads_the_image():
    net, data = network(), random_input()
    with torch.no_grad():
        one, other = (net(dataclasses.replace(data, reference=r)) for r in (data.reference, data.reference.flip(-1)))
        still = net(dataclasses.replace(data, reference=data.reference[:, :1]))
        repeated = net(dataclasses.replace(data, reference=data.reference[:, :1].expand(-1, 2, -1, -1)))
    assert relative(torch.view_as_real(one), torch.view_as_real(other)) > 1e-3
    compare(still, repeated, 1e-12)


def test_bfloat16_layers_leave_the_physics_in_single_precision():
    torch.manual_seed(0)
    net = Ima(TINY)
    data = random_input(dtype=torch.complex64)
    with torch.no_grad():
        exact = net(data)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            short = net(data)
    assert short.dtype == torch.complex64
    assert relative(torch.view_as_real(short), torch.view_as_real(exact)) < 0.02


def test_what_does_not_fit_is_refused():
    data = random_input(dtype=torch.complex64)
    with pytest.raises(InputError, match="ima needs a reference sequence") as caught:
        Ima(TINY)(dataclasses.replace(data, reference=None))
    assert "--reference-sequence mean" in caught.value.hint
    with pytest.raises(ShapeError, match="reference sequence does not fit the series"):
        Ima(TINY)(dataclasses.replace(data, reference=data.reference[:, :, 1:]))
    with pytest.raises(InputError, match=r"ima with real-valued images serves 1 coil \(found 3\)"):
        Ima(dataclasses.replace(TINY, complex_images=False))(data)
    for settings, message in (
        ({"stages": 0}, "stages of ima is out of range"),
        ({"heads": 0}, "heads of ima is out of range"),
        ({"channels": 30}, "30 channels of ima cannot be shared out .*4 heads"),
        ({"channels": 3, "csca": False}, "3 channels of ima cannot be shared out .*even"),
        ({"kernel": 4}, "no diffusion kernel 4"),
        ({"ratio": 1.5}, "ratio from 0 to 1"),
        ({"delta": 0.0}, "delta must be positive"),
    ):
        with pytest.raises(InputError, match=message):
            ImaConfig(**settings)


def test_real_images_may_have_an_odd_number_of_channels():
    data = unit_coil(random_input(dtype=torch.complex64))
    with torch.no_grad():
        image = Ima(ImaConfig(stages=1, channels=3, csca=False, complex_images=False))(data)
    assert torch.isfinite(torch.view_as_real(image)).all()
