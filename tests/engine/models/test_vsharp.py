"""vSHARP: sizes, golden vectors through the importer, the equations as written, properties."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from engine.core.errors import Cancelled, InputError
from engine.models import MODELS, ReconInput
from engine.models.parts.forms import plain_forms
from engine.models.vsharp import VSharp, VSharpConfig
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator
from tests.engine.models.unet_golden import imported, recorded, run, turned
from tests.engine.models.varnet_problem import CancelAt, Stages, moved, problem
from tests.engine.tensors import relative

TINY = VSharpConfig(steps=3, dc_steps=2, filters=2, pools=1, initialiser=(2, 3), dilations=(1, 2))


def tiny():
    """Return a small network, its penalties well away from 0, by which it divides."""
    torch.manual_seed(0)
    network = moved(VSharp(TINY), 0.05)
    with torch.no_grad():
        for index, denoiser in enumerate(network.denoisers):
            denoiser.rho.fill_(0.2 + 0.1 * index)
    return network


def test_the_published_sizes_have_180805665_parameters():
    spec = MODELS.get("vsharp")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 180_805_665
    assert spec.parameters("cmrxrecon") == 225_958_185
    assert spec.parameters("small") < 500_000


@pytest.mark.shared
def test_directs_network_gives_the_recorded_images(shared):
    folder = shared / "golden" / "direct-vsharpnet3d"
    vectors = recorded(folder)
    network, published = imported(folder, "direct")
    assert published.network == "vsharp"
    kspace, mask = turned(vectors["kspace_masked"]).transpose(0, 1), vectors["mask"][:, :, None]
    maps = turned(vectors["sensitivity_maps"])[None]
    image, stages = run(network, kspace, mask, maps)
    for index in range(3):
        assert relative(stages[index, "z"][0], turned(vectors["denoised_z_each_step"][index])) < 1e-5
        assert relative(stages[index, "image"][0], turned(vectors["x_each_step"][index])) < 1e-5
    assert relative(image[0], turned(vectors["output"])) < 1e-5
    # Three frames are fewer than 2^pools: zeros around them inside the U-Nets.
    short, _ = run(network, turned(vectors["short_kspace_masked"]).transpose(0, 1), mask[:3], maps)
    assert relative(short[0], turned(vectors["short_output"])) < 1e-5


@pytest.mark.shared
def test_the_recorded_multiplier_starts_the_iteration(shared):
    folder = shared / "golden" / "direct-vsharpnet3d"
    vectors = recorded(folder)
    network, _ = imported(folder, "direct")
    maps = turned(vectors["sensitivity_maps"])[None, None]
    operator = SenseOperator(vectors["mask"].bool()[None, :, None, :, None], maps)
    with torch.inference_mode():
        x = operator.adjoint(turned(vectors["kspace_masked"]).transpose(0, 1)[None].contiguous())
        u = network.initialiser(x, lambda: None)
    assert relative(u[0], turned(vectors["lagrange_multiplier_init"])) < 1e-5


def transcription(network, kspace, mask, maps):
    """The ADMM as written, with Fourier transforms of all coils."""

    def split(image):
        return torch.stack((image.real, image.imag), 1)

    def join(features):
        return torch.complex(features[:, 0], features[:, 1])

    x = z = combine(ifft2c(mask * kspace), maps)
    features = split(x)
    for conv in network.initialiser.convs:
        padded = functional.pad(features, (conv.reach,) * 6, mode="replicate")
        features = torch.relu(functional.conv3d(padded, conv.weight, conv.bias, dilation=conv.reach))
    u = join(network.initialiser.activation(network.initialiser.output(features)))
    for denoiser in network.denoisers:
        z = join(denoiser.unet(torch.cat((split(z), split(x), split(u / denoiser.rho)), 1)))
        for eta in network.eta:
            data = combine(ifft2c(mask * (fft2c(expand(x, maps)) - kspace)), maps)
            x = x - eta * (data + denoiser.rho * (x - z) + u)
        u = u + denoiser.rho * (x - z)
    return x


@pytest.mark.parametrize("kind", ["lines", "lines per frame", "plane per frame"])
def test_it_is_the_published_iteration(kind):
    kspace, operator = problem(kind=kind, frames=5)
    network = tiny()
    with torch.no_grad():
        expected = transcription(network, kspace, operator.mask, operator.maps)
        assert relative(network(ReconInput(kspace, operator)), expected) < 1e-11
        with plain_forms():
            assert relative(network(ReconInput(kspace, operator)), expected) < 1e-11


def test_with_a_perfect_denoiser_and_no_multiplier_it_solves_the_data_term():
    """z = x and u = 0 leave gradient descent on the data term: its residual can only fall."""
    kspace, operator = problem()
    network = tiny()
    with torch.no_grad():
        network.eta.fill_(0.9)
        network.initialiser.output.weight.zero_()
        network.initialiser.output.bias.zero_()
        for denoiser in network.denoisers:
            denoiser.rho.fill_(1e-12)
        stages = Stages()
        network(ReconInput(kspace, operator, stages=stages))
        start = operator.adjoint(kspace)
        images = [start, *(stages[i, "image"] for i in range(3))]
        errors = [torch.linalg.vector_norm(start - operator.normal(x)) for x in images]
    assert all(b < a for a, b in pairwise(errors))
    assert errors[-1] < 0.6 * errors[0]


def test_stages_hold_both_variables_the_multiplier_and_the_weights():
    kspace, operator = problem()
    network, stages = tiny(), Stages()
    with torch.no_grad():
        image = network(ReconInput(kspace, operator, stages=stages))
    assert set(stages) == {(i, part) for i in range(3) for part in ("image", "z", "u", "rho", "step_sizes")}
    assert torch.equal(stages[2, "image"], image)
    change = stages[1, "u"] - stages[0, "u"]
    assert relative(change, stages[1, "rho"] * (stages[1, "image"] - stages[1, "z"])) < 1e-9
    assert stages[0, "step_sizes"].shape == (2,)


def test_penalties_start_where_they_can_be_divided_by():
    torch.manual_seed(0)
    network = VSharp(VSharpConfig(steps=30, filters=1, pools=1, initialiser=(1,), dilations=(1,)))
    penalties = torch.stack([denoiser.rho.detach() for denoiser in network.denoisers])
    assert penalties.min() >= 0.01
    assert penalties.max() < 0.6
    assert network.eta.min() >= 0


def test_cancel_is_answered_inside_a_step():
    kspace, operator = problem()
    report = CancelAt(15)
    with pytest.raises(Cancelled), torch.no_grad():
        tiny()(ReconInput(kspace, operator, report=report))
    assert report.checks == 15


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps of vsharp is out of range"),
        ({"dc_steps": 0}, "dc_steps of vsharp is out of range"),
        ({"pools": -1}, "pools of vsharp is out of range"),
        ({"dilations": (1, 2)}, "the initialiser of vsharp does not fit together"),
        ({"initialiser": (), "dilations": ()}, "the initialiser of vsharp does not fit together"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        VSharpConfig(**settings)
    assert caught.value.hint


def test_coil_maps_of_its_own_learn_with_it():
    torch.manual_seed(0)
    config = dataclasses.replace(TINY, maps="network", maps_filters=2)
    network = moved(VSharp(config), 0.05)
    with torch.no_grad():
        for denoiser in network.denoisers:
            denoiser.rho.fill_(0.3)
    data = ReconInput(*problem(batch=1, frames=2, height=36, width=33), acs=4)
    image = network(data)
    with torch.no_grad():
        assert relative(image, network(data)) < 1e-10
    image.abs().square().sum().backward()
    for name, parameter in network.sensitivity.named_parameters():
        assert parameter.grad.abs().max() > 0, name
    # The derivative along the gradient itself, by a difference.
    with torch.no_grad():
        gradients = [p.grad.clone() for p in network.sensitivity.parameters()]
        norm = sum(g.square().sum() for g in gradients)
        step, values = 1e-6 / norm.sqrt(), []
        for sign in (1, -2):
            for parameter, gradient in zip(network.sensitivity.parameters(), gradients, strict=True):
                parameter.add_(sign * step * gradient)
            values.append(network(data).abs().square().sum())
    assert float((values[0] - values[1]) / (2 * step)) == pytest.approx(float(norm), rel=1e-4)
