"""CineVN: size, golden vectors through the importer, the equations as written, phases, properties."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.core.errors import Cancelled, InputError
from engine.models import MODELS, ReconInput
from engine.models.cinevn import CineVN, CineVNConfig
from engine.models.parts import checkpointing
from engine.models.parts.forms import plain_forms
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c
from tests.engine.models.unet_golden import imported, recorded, run, turned
from tests.engine.models.varnet_problem import CancelAt, Stages, moved, problem
from tests.engine.tensors import relative


def tiny(**settings):
    torch.manual_seed(0)
    sizes = {"cascades": 4, "filters": 2, "pools": 1, "cg_every": 2, "cg_iterations": 3}
    return moved(CineVN(CineVNConfig(**(sizes | settings))), 0.05).eval()


def test_the_published_size_has_2689130_parameters():
    spec = MODELS.get("cinevn")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 2_689_130
    assert spec.parameters("small") < 200_000


@pytest.mark.shared
@pytest.mark.parametrize("cycling", [False, True])
def test_the_authors_network_gives_the_recorded_images(shared, cycling):
    folder = shared / "golden" / "cinevn"
    vectors = recorded(folder)
    network, published = imported(folder, "cinevn", cg_iterations=6, phase_cycling=cycling)
    assert published.network == "cinevn"
    if cycling:
        network.phases = lambda *_: vectors["phase_angles_rad"][None]
    kspace, mask = turned(vectors["kspace_masked"]).transpose(0, 1), vectors["mask"][:, :, None]
    maps = turned(vectors["sensitivity_maps"])[None]
    image, stages = run(network, kspace.contiguous(), mask, maps)
    expected = vectors["output_with_phase_cycling" if cycling else "output"]
    assert relative(image[0], turned(expected)) < 2e-5
    if not cycling:
        for index in range(2):  # the third was recorded before its conjugate gradients
            after = turned(vectors["kspace_after_cascade"][index]).transpose(0, 1)
            assert relative(stages[index, "image"][0], combine(ifft2c(after), maps)) < 2e-5
    assert float(stages[2, "mu"]) == pytest.approx(0.13)


def transcription(network, kspace, mask, maps, phases):
    """The iteration as written, with Fourier transforms of all coils and textbook conjugate gradients."""

    def conv(x, weight):
        if weight.shape[2] == 1 and weight.shape[3] == 3:
            x = functional.pad(x, (0, 0, 1, 1, 0, 0), mode="circular")
            x = functional.pad(x, (1, 1, 0, 0, 0, 0), mode="replicate")
        elif weight.shape[2] == 3:
            x = functional.pad(x, (0, 0, 0, 0, 1, 1), mode="circular")
        return functional.conv3d(x, weight)

    def norm(x):
        return functional.instance_norm(x, eps=1e-5)

    def factorised(part, x, last=True):
        x = norm(conv(functional.leaky_relu(norm(conv(x, part.spatial.weight)), 0.2), part.temporal.weight))
        return functional.leaky_relu(x, 0.2) if last else x

    def block(part, x):
        y = factorised(part.second, factorised(part.first, x), last=False)
        return functional.leaky_relu(y + norm(conv(x, part.identity.weight)), 0.2)

    def unet(part, image):
        x = torch.stack((image.real, image.imag), 1)
        h, w = x.shape[-2:]
        mean, deviation = x.mean((2, 3, 4), keepdim=True), x.std((2, 3, 4), keepdim=True)
        x = (x - mean) / deviation
        ry, rx = -h % part.multiple, -w % part.multiple
        x = functional.pad(x, (0, 0, ry // 2, ry - ry // 2, 0, 0), mode="circular")
        x = functional.pad(x, (rx // 2, rx - rx // 2, 0, 0, 0, 0), mode="replicate")
        skips = []
        for level in part.encoder:
            skips.append(block(level, x))
            x = functional.avg_pool3d(skips[-1], (1, 2, 2))
        x = block(part.bottleneck, x)
        for up, level in zip(part.up, part.decoder, strict=True):
            x = factorised(up, functional.interpolate(x, scale_factor=(1, 2, 2)))
            x = block(level, torch.cat((x, skips.pop()), 1))
        x = functional.conv3d(x, part.output.weight, part.output.bias)[..., ry // 2 : ry // 2 + h, rx // 2 : rx // 2 + w]
        x = x * deviation + mean
        return torch.complex(x[:, 0], x[:, 1])

    def forward(x):
        return mask * fft2c(expand(x, maps))

    def adjoint(k):
        return combine(ifft2c(mask * k), maps)

    def dot(a, b):
        return (a.conj() * b).real.sum((1, 2, 3), keepdim=True)

    config, k = network.config, kspace
    for index, cascade in enumerate(network.cascades):
        turn = torch.exp(1j * phases[:, index])[:, None, None, None]
        prior = fft2c(expand(unet(cascade.unet, combine(ifft2c(k), maps) * turn) / turn, maps))
        t, h, w = k.shape[1], *k.shape[-2:]
        landscape = functional.interpolate(cascade.landscape[None, None], (t, h, w), mode="trilinear", align_corners=True)[0, 0]
        k = k - cascade.weight * mask * (k - kspace) - landscape[:, None] * prior
        if config.cg_every and (index + 1) % config.cg_every == 0:
            mu = network.mu[index // config.cg_every]
            x = torch.zeros_like(combine(k, maps))
            r = p = adjoint(kspace) + mu * combine(ifft2c(k), maps)
            for _ in range(config.cg_iterations):
                q = adjoint(forward(p)) + mu * p
                step = dot(r, r) / dot(p, q)
                x, renewed = x + step * p, r - step * q
                p = renewed + dot(renewed, renewed) / dot(r, r) * p
                r = renewed
            k = fft2c(expand(x, maps))
    return combine(ifft2c(k), maps)


@pytest.mark.parametrize("settings", [{}, {"cg_every": 0}, {"cg_every": 3, "pools": 2, "phase_cycling": False}])
@pytest.mark.parametrize("kind", ["lines", "lines per frame", "plane per frame"])
def test_it_is_the_published_iteration(kind, settings):
    kspace, operator = problem(kind=kind)
    network = tiny(**settings)
    with torch.no_grad():
        expected = transcription(network, kspace, operator.mask, operator.maps, network.phases(2, kspace.device).double())
        assert relative(network(ReconInput(kspace, operator)), expected) < 1e-10
        with plain_forms():
            assert relative(network(ReconInput(kspace, operator)), expected) < 1e-10


def test_phases_are_those_of_the_seed_outside_training_and_new_while_training():
    network = tiny()
    first = network.phases(2, torch.device("cpu"))
    assert torch.equal(first, network.phases(2, torch.device("cpu")))
    assert torch.equal(first[0], first[1])  # a slice's image does not depend on the slices beside it
    assert not torch.equal(first, tiny(seed=1).phases(2, torch.device("cpu")))
    assert first.min() >= 0
    assert first.max() < 6.2832
    network.train()
    assert not torch.equal(network.phases(2, torch.device("cpu")), network.phases(2, torch.device("cpu")))
    assert network.phases(2, torch.device("cpu"))[0, 0] != network.phases(2, torch.device("cpu"))[1, 0]
    assert tiny(phase_cycling=False).phases(1, torch.device("cpu")).abs().max() == 0


def test_with_a_silent_unet_conjugate_gradients_follow_the_global_phase():
    kspace, operator = problem()
    network = tiny()
    with torch.no_grad():
        for cascade in network.cascades:
            cascade.landscape.zero_()
        once = network(ReconInput(kspace, operator))
        turn = torch.polar(torch.ones((), dtype=torch.float64), torch.tensor(0.7, dtype=torch.float64))
        assert relative(network(ReconInput(turn * kspace, operator)), turn * once) < 1e-9


def test_recomputed_activations_give_the_same_gradients(monkeypatch):
    kspace, operator = problem()
    network = tiny().train()
    phases = network.phases(2, kspace.device)  # drawn outside what is computed twice
    network.phases = lambda *_: phases

    def gradients():
        network.zero_grad()
        network(ReconInput(kspace, operator)).abs().square().sum().backward()
        return [p.grad.clone() for p in network.parameters() if p.grad is not None]

    kept = gradients()
    monkeypatch.setattr(checkpointing, "WORTH_BYTES", 0)
    for a, b in zip(gradients(), kept, strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def test_time_is_circular():
    kspace, operator = problem(frames=6)
    network = tiny(phase_cycling=False)
    with torch.no_grad():
        for cascade in network.cascades:
            cascade.landscape.fill_(0.9)  # the landscape alone knows where the cycle begins
        once = network(ReconInput(kspace, operator))
        rolled = network(ReconInput(kspace.roll(2, 1), operator))
    assert relative(rolled, once.roll(2, 1)) < 1e-9


def test_stages_hold_the_image_and_the_weights_of_every_cascade():
    kspace, operator = problem()
    network, stages = tiny(), Stages()
    with torch.no_grad():
        image = network(ReconInput(kspace, operator, stages=stages))
    everywhere = {(i, part) for i in range(4) for part in ("image", "weight", "landscape")}
    assert set(stages) == everywhere | {(1, "mu"), (3, "mu")}
    assert torch.equal(stages[3, "image"], image)
    assert stages[0, "landscape"].shape == (10, 10, 10)


def test_cancel_is_answered_inside_a_cascade():
    kspace, operator = problem()
    report = CancelAt(20)
    with pytest.raises(Cancelled), torch.no_grad():
        tiny()(ReconInput(kspace, operator, report=report))
    assert report.checks == 20


@pytest.mark.parametrize("settings", [{"cascades": 0}, {"filters": 0}, {"cg_iterations": 0}, {"pools": -1}, {"cg_every": -1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match=rf"{next(iter(settings))} of cinevn is out of range") as caught:
        CineVNConfig(**settings)
    assert caught.value.hint
