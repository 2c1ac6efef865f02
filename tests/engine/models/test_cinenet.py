"""CineNet: sizes, golden vectors, the equations as written, properties."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.core.errors import Cancelled, InputError
from engine.models import MODELS, ReconInput
from engine.models.cinenet import CineNet, CineNetConfig
from engine.models.parts.forms import plain_forms
from engine.weights.published.torch_file import read_state
from engine.weights.published.unet_names import unet_names
from tests.engine.models.unet_golden import recorded, run, turned
from tests.engine.models.varnet_problem import CancelAt, Stages, moved, problem
from tests.engine.tensors import relative


def tiny(**settings):
    torch.manual_seed(0)
    sizes = {"cascades": 3, "cg_iterations": 3, "filters": 2, "pools": 1}
    return moved(CineNet(CineNetConfig(**(sizes | settings))), 0.05)


def parameters(**settings):
    with torch.device("meta"):
        return sum(p.numel() for p in CineNet(CineNetConfig(**settings)).parameters())


def test_the_scripts_sizes_have_962190_parameters():
    spec = MODELS.get("cinenet")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 962_190
    assert spec.parameters("small") < 100_000
    assert parameters(shared_planes=True) == 481_100
    assert parameters(cascades=12, cg_iterations=4, filters=18, pools=4) == 4_908_688


def golden(folder):
    """Return the network with a fixture's weights: both planes' U-Nets and the weights of the cascades."""
    state = read_state(folder / "weights.safetensors")
    network = CineNet(CineNetConfig(cascades=2, cg_iterations=4, filters=6, pools=2))
    names = [*unet_names("yf.", "model.0.", 2, 2, 6, 2), *unet_names("xf.", "model.1.", 2, 2, 6, 2)]
    ours = {our: torch.from_numpy(state[their]) for our, their, _ in names}
    ours |= {f"weights.{i}": torch.from_numpy(state[f"cascades.{i}.lambda_reg"]).reshape(()) for i in range(2)}
    network.load_state_dict(ours)
    return network


@pytest.mark.shared
def test_the_public_network_gives_the_recorded_images(shared):
    folder = shared / "golden" / "cinenet"
    vectors = recorded(folder)
    # Their x is our y, along which phase is encoded; a plane is (space, f) in both, so its kernels stay as they are.
    kspace, mask = turned(vectors["kspace_masked"]), vectors["mask"][:, :, None]
    image, stages = run(golden(folder), kspace, mask, turned(vectors["sensitivity_maps"])[None])
    for index in range(2):
        assert relative(stages[index, "z"][0], turned(vectors["unet_output_each_cascade"][index])) < 1e-5
        assert relative(stages[index, "image"][0], turned(vectors["image_after_cascade"][index])) < 1e-5
    assert relative(image[0].abs(), turned(vectors["output"])) < 1e-5


def transcription(network, kspace, operator):
    """The iteration as written; planes one after another, textbook conjugate gradients."""

    def transform(x, inverse=False):
        centred = torch.fft.ifftshift(x, dim=1)
        done = (torch.fft.ifft if inverse else torch.fft.fft)(centred, dim=1, norm="ortho")
        return torch.fft.fftshift(done, dim=1)

    def plane(unet, values):  # (space, f)
        out = unet(torch.stack((values.real, values.imag))[None])[0]
        return torch.complex(out[0], out[1])

    def dot(a, b):
        return (a.conj() * b).real.sum((1, 2, 3), keepdim=True)

    def adjoint(k):
        return operator.adjoint(k)

    x0 = x = adjoint(kspace)
    for raw in network.weights:
        mean = x.mean(1, keepdim=True)
        spectrum = transform(x - mean)
        half = torch.zeros_like(spectrum)
        for b in range(x.shape[0]):
            for column in range(x.shape[3]):
                half[b, :, :, column] += 0.5 * plane(network.yf, spectrum[b, :, :, column].T).T
            for line in range(x.shape[2]):
                half[b, :, line, :] += 0.5 * plane(network.xf or network.yf, spectrum[b, :, line, :].T).T
        z = mean + transform(half, inverse=True)
        weight = functional.softplus(raw)
        x = z
        r = p = x0 + weight * z - (adjoint(operator.forward(x)) + weight * x)
        for _ in range(network.iterations):
            q = adjoint(operator.forward(p)) + weight * p
            step = dot(r, r) / dot(p, q)
            x, renewed = x + step * p, r - step * q
            p = renewed + dot(renewed, renewed) / dot(r, r) * p
            r = renewed
    return x


@pytest.mark.parametrize("shared_planes", [False, True])
@pytest.mark.parametrize("kind", ["lines", "lines per frame", "plane per frame"])
def test_it_is_the_published_iteration(kind, shared_planes):
    kspace, operator = problem(batch=1, frames=4, height=10, width=9, kind=kind)
    network = tiny(shared_planes=shared_planes)
    with torch.no_grad():
        expected = transcription(network, kspace, operator)
        assert relative(network(ReconInput(kspace, operator)), expected) < 1e-10
        with plain_forms():
            assert relative(network(ReconInput(kspace, operator)), expected) < 1e-10


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_any_number_of_frames_passes_the_poolings(frames):
    kspace, operator = problem(frames=frames)
    with torch.no_grad():
        image = tiny(pools=3)(ReconInput(kspace, operator))
    assert image.shape == (2, frames, 14, 11)
    assert torch.isfinite(torch.view_as_real(image)).all()


def test_conjugate_gradients_come_closer_to_the_data():
    kspace, operator = problem()
    network, stages = tiny(cg_iterations=8), Stages()
    with torch.no_grad():
        for weight in network.weights:
            weight.fill_(-4.0)  # a penalty of 0.018
        network(ReconInput(kspace, operator, stages=stages))
        start = operator.adjoint(kspace)
        for index in range(3):
            before, after = (torch.linalg.vector_norm(start - operator.normal(stages[index, part])) for part in ("z", "image"))
            assert after < 0.2 * before


def test_stages_hold_image_denoised_image_and_penalty():
    kspace, operator = problem()
    network, stages = tiny(), Stages()
    with torch.no_grad():
        image = network(ReconInput(kspace, operator, stages=stages))
    assert set(stages) == {(i, part) for i in range(3) for part in ("image", "z", "lambda")}
    assert torch.equal(stages[2, "image"], image)
    assert float(stages[1, "lambda"]) == float(functional.softplus(network.weights[1].detach()))


def test_the_penalty_learns_through_the_step_sizes():
    kspace, operator = problem(batch=1)
    network = tiny()
    weight = network.weights[0]

    def loss():
        return network(ReconInput(kspace, operator)).abs().square().sum()

    gradient = torch.autograd.grad(loss(), weight)[0]
    with torch.no_grad():
        weight += 1e-5
        up = loss()
        weight -= 2e-5
        down = loss()
        weight += 1e-5
    assert float(gradient) == pytest.approx(float((up - down) / 2e-5), rel=1e-5)


def test_cancel_is_answered_inside_a_cascade():
    kspace, operator = problem()
    report = CancelAt(12)
    with pytest.raises(Cancelled), torch.no_grad():
        tiny()(ReconInput(kspace, operator, report=report))
    assert report.checks == 12


@pytest.mark.parametrize("settings", [{"cascades": 0}, {"filters": 0}, {"cg_iterations": 0}, {"pools": -1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match=rf"{next(iter(settings))} of cinenet is out of range") as caught:
        CineNetConfig(**settings)
    assert caught.value.hint
