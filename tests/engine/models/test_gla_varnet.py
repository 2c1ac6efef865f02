"""GLAVarNet and its unit: equations, algebra, sizes, cost in pixels, stages."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.core.errors import Cancelled, InputError, ShapeError
from engine.models import MODELS, ReconInput
from engine.models.gla_varnet import GLAVarNet, GLAVarNetConfig
from engine.models.parts import checkpointing, frames
from engine.models.parts.forms import plain_forms
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c
from tests.engine.models.gla_equations import equations
from tests.engine.models.varnet_problem import CancelAt, Stages, convolution_macs, moved, problem
from tests.engine.tensors import relative

TINY = GLAVarNetConfig(steps=3, channels=5)


def test_single_precision_agrees_with_the_plain_form_to_1e_5():
    network = moved(GLAVarNet(MODELS.get("gla_varnet").presets["small"]), 0.02).float()
    kspace, operator = problem(1, 3, 4, 64, 48, dtype=torch.complex64)
    with torch.inference_mode():
        found = network(ReconInput(kspace, operator))
        with plain_forms():
            assert relative(found, network(ReconInput(kspace, operator))) < 1e-5


def test_the_paper_s_form_without_casi_counts_3208216_parameters():
    spec = MODELS.get("gla_varnet")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 3_208_216
    assert spec.parameters("small") < 150_000


def test_cost_is_linear_in_pixels():
    network = GLAVarNet(GLAVarNetConfig()).eval()
    costs = []
    for height, width in ((4, 6), (8, 6), (16, 12)):
        kspace, operator = problem(1, 1, 1, height, width, dtype=torch.complex64)
        data = ReconInput(kspace, operator)
        # What a counter of convolutions and of all matrix products sees while the network runs as written.
        with torch.inference_mode(), plain_forms(), FlopCounterMode(display=False) as counter:
            network(data)
        costs.append(counter.get_total_flops() / 2 / (height * width))
    convolutions = 2 * 128 * 25 + 2 * 128 * 128 * 9 + 6 * 128 * 128 + 128 * 2
    attention = 2 * 128 * 128  # K V^T and M^T Q
    assert costs == [8 * (convolutions + attention)] * 3
    kspace, operator = problem(1, 1, 1, 4, 6, dtype=torch.complex64)
    with torch.inference_mode(), plain_forms():
        macs = convolution_macs(network, lambda: network(ReconInput(kspace, operator)))
    assert macs / 24 == 8 * (convolutions + 9 * 128 + 2)  # and one for each bias, as the paper counts


def transcription(network, kspace, mask, maps):
    """Eqs. (1) to (4) with the corrected reading, on the k-space of all coils, one frame after another."""
    images = []
    for b in range(kspace.shape[0]):
        for t in range(kspace.shape[1]):
            k0, s = kspace[[b]][:, [t]], maps[[b]]
            p = mask[:, [min(t, mask.shape[1] - 1)]]
            k = k0
            memory = torch.zeros(network.channels, network.channels, dtype=torch.float64)
            for step in network.steps:
                x = combine(ifft2c(k), s)  # (1)
                r, memory = equations(step.unit, torch.stack((x[0, 0].real, x[0, 0].imag)), memory)  # (2)
                prior = fft2c(expand(torch.complex(r[0], r[1])[None, None], s))  # (3)
                k = k - step.eta * (p * (k - k0)) + prior  # (4)
            images.append(combine(ifft2c(k), s)[0, 0])
    return torch.stack(images).reshape(kspace.shape[0], kspace.shape[1], *kspace.shape[-2:])


@pytest.mark.parametrize("kind", ["lines", "lines per frame", "plane per frame"])
def test_the_network_is_its_equations_frame_by_frame(kind):
    network = moved(GLAVarNet(TINY), 0.2)
    kspace, operator = problem(kind=kind, height=9, width=8)
    with torch.no_grad():
        found = network(ReconInput(kspace, operator))
        expected = transcription(network, kspace, operator.mask, operator.maps)
    assert relative(found, expected) < 1e-11


def test_it_begins_near_the_zero_filled_image():
    torch.manual_seed(0)
    network = GLAVarNet(GLAVarNetConfig()).eval()
    kspace, operator = problem(1, 1, 2, 24, 16, dtype=torch.complex64)
    with torch.inference_mode():
        assert relative(network(ReconInput(kspace, operator)), operator.adjoint(kspace)) < 0.02


def test_what_was_not_measured_is_filled():
    network = moved(GLAVarNet(TINY), 0.2)
    kspace, operator = problem(1, 1, 1)
    with torch.no_grad():
        image = network(ReconInput(kspace, operator))
    outside = ~operator.mask.expand(kspace.shape)
    assert fft2c(expand(image, operator.maps))[outside].abs().max() > 1e-3


def test_stages_are_images_memories_and_step_sizes():
    network = moved(GLAVarNet(TINY), 0.2)
    kspace, operator = problem()
    stages = Stages()
    with torch.no_grad():
        image = network(ReconInput(kspace, operator, stages=stages))
    parts = ("image", "step_size", "memory_norm", "memory_rank")
    assert set(stages) == {(i, part) for i in range(3) for part in parts}
    assert torch.equal(stages[2, "image"], image)
    assert stages[1, "step_size"] == network.steps[1].eta
    assert stages[2, "memory_norm"].shape == stages[2, "memory_rank"].shape == (2, 3)
    assert (stages[2, "memory_norm"] > 0).all()
    assert ((stages[2, "memory_rank"] >= 1) & (stages[2, "memory_rank"] <= 5)).all()


def test_frames_in_parts_and_steps_computed_twice_change_nothing(monkeypatch):
    network = moved(GLAVarNet(TINY), 0.2)
    kspace, operator = problem(kind="lines per frame")
    with torch.no_grad():
        whole = network(ReconInput(kspace, operator))
        monkeypatch.setattr(frames, "PIXELS_AT_ONCE", {"cpu": 1})
        assert relative(network(ReconInput(kspace, operator)), whole) < 1e-12
    gradients = []
    for worth in (float("inf"), 0.0):
        monkeypatch.setattr(checkpointing, "WORTH_BYTES", worth)
        network.zero_grad()
        network(ReconInput(kspace, operator)).abs().square().sum().backward()
        gradients.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
    assert all(relative(b, a) < 1e-12 for a, b in zip(*gradients, strict=True) if a.abs().max() > 0)


def test_cancel_is_answered_inside_a_step():
    kspace, operator = problem()
    stages = Stages()
    with pytest.raises(Cancelled), torch.no_grad():
        GLAVarNet(TINY).double()(ReconInput(kspace, operator, report=CancelAt(5), stages=stages))
    assert not stages


@pytest.mark.parametrize("field", ["steps", "channels"])
def test_sizes_below_one_are_refused(field):
    with pytest.raises(InputError, match=f"{field} of gla_varnet is out of range") as caught:
        GLAVarNetConfig(**{field: 0})
    assert caught.value.hint


def test_a_negative_number_of_frames_is_refused():
    with pytest.raises(InputError, match="frames of gla_varnet is out of range") as caught:
        GLAVarNetConfig(frames=-1)
    assert caught.value.hint


def test_frames_can_be_channels_of_one_image():
    network = moved(GLAVarNet(GLAVarNetConfig(steps=2, channels=5, frames=3)), 0.2)
    kspace, operator = problem()
    other = kspace.clone()
    other[0, 2] *= 2
    stages = Stages()
    with torch.no_grad():
        first = network(ReconInput(kspace, operator, stages=stages))
        second = network(ReconInput(other, operator))
        with plain_forms():
            assert relative(first, network(ReconInput(kspace, operator))) < 1e-11
    assert relative(second[0, 0], first[0, 0]) > 1e-4
    assert torch.equal(second[1], first[1])
    assert stages[1, "memory_norm"].shape == (2, 1)
    spec = MODELS.get("gla_varnet")
    assert spec.frames(spec.presets["frames-9"]) == 9
    assert spec.frames(spec.presets["paper"]) is None
    with pytest.raises(ShapeError, match=r"GLAVarNet takes the frames as channels .*expected 3 / found 4"):
        network(ReconInput(*problem(frames=4)))
