"""EGLAVarNet: sizes and cost of the paper, and the start of the memory."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.core.errors import InputError
from engine.models import MODELS, ReconInput
from engine.models.egla_varnet import CASI, EGLAVarNet, EGLAVarNetConfig
from engine.models.gla_varnet import GLAVarNet, GLAVarNetConfig
from engine.models.parts.forms import plain_forms
from tests.engine.models.varnet_problem import Stages, convolution_macs, moved, problem
from tests.engine.tensors import relative

TINY = EGLAVarNetConfig(steps=2, channels=6, bases=3, rank=2)


def images(count=3, height=13, width=10, seed=0):
    return torch.randn(count, 2, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_paper_counts_3279108_parameters():
    spec = MODELS.get("egla_varnet")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 3_279_108
    assert spec.parameters("small") < 200_000


def test_without_bases_and_step_sizes_it_has_the_file_size_of_the_paper():
    with torch.device("meta"):
        network = EGLAVarNet(EGLAVarNetConfig())
    layers = sum(p.numel() for name, p in network.named_parameters() if "bank" not in name and not name.endswith("eta"))
    assert 4 * layers / 1e6 == pytest.approx(12.99, abs=0.01)


def test_a_frame_costs_what_the_paper_counts():
    network = EGLAVarNet(EGLAVarNetConfig()).eval()
    kspace, operator = problem(1, 1, 1, 8, 16, dtype=torch.complex64)
    with torch.inference_mode(), plain_forms():
        macs = convolution_macs(network, lambda: network(ReconInput(kspace, operator)))
    assert macs * (144 * 512) / (8 * 16) == pytest.approx(236.58e9, rel=5e-5)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_first_memory_has_no_higher_rank_than_r(rank):
    casi = moved(CASI(10, 5, rank), 0.3)
    memory, weights = casi(images(), lambda: None)
    assert memory.shape == (3, 10, 10)
    assert torch.linalg.matrix_rank(memory).tolist() == [rank] * 3
    torch.testing.assert_close(weights.sum(1), torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-12)
    assert (weights > 0).all()


def test_the_start_is_its_equations():
    casi = moved(CASI(4, 3, 2), 0.3).requires_grad_(False)
    image = images(1)
    pooled, f = [], image
    for conv in casi.convs:
        f = torch.relu(functional.conv2d(f, conv.weight, conv.bias, stride=2, padding=1))
        pooled.append(f[0].flatten(1).mean(1))
    v_all = torch.cat(pooled)  # (9)
    assert len(v_all) == 112

    def dense(layer, x):
        return layer.weight @ x + layer.bias

    gate = torch.sigmoid(dense(casi.attention[1], torch.relu(dense(casi.attention[0], v_all))))
    w = dense(casi.mlp[1], torch.relu(dense(casi.mlp[0], gate * v_all))).exp()
    w = w / w.sum()  # (10)
    u = sum(w[i] * casi.u_bank[i] for i in range(3))  # (11)
    v = sum(w[i] * casi.v_bank[i] for i in range(3))
    memory, weights = casi(image, lambda: None)
    torch.testing.assert_close(weights[0], w, rtol=0, atol=1e-13)
    torch.testing.assert_close(memory[0], u @ v.T, rtol=0, atol=1e-13)  # (12)


def test_images_do_not_see_each_other():
    casi = moved(CASI(4, 3, 2), 0.3)
    both, one = casi(images(), lambda: None)[0], casi(images()[1:2], lambda: None)[0]
    assert relative(both[1:2], one) < 1e-12


def test_with_empty_banks_it_is_glavarnet():
    network = moved(EGLAVarNet(TINY), 0.2)
    with torch.no_grad():
        network.casi.u_bank.zero_()
    other = GLAVarNet(GLAVarNetConfig(steps=2, channels=6)).double()
    other.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("casi.")})
    kspace, operator = problem()
    with torch.no_grad():
        assert relative(network(ReconInput(kspace, operator)), other(ReconInput(kspace, operator))) < 1e-13


def test_the_first_memory_matters_from_the_first_step_on():
    network = moved(EGLAVarNet(TINY), 0.2)
    kspace, operator = problem()
    stages = [Stages(), Stages()]
    with torch.no_grad():
        for scale, kept in zip((1.0, 3.0), stages, strict=True):
            network.casi.u_bank.mul_(scale)
            network(ReconInput(kspace, operator, stages=kept))
    assert relative(stages[1][0, "image"], stages[0][0, "image"]) > 1e-4


def test_stages_tell_the_weights_of_the_bases():
    network = moved(EGLAVarNet(TINY), 0.2)
    kspace, operator = problem()
    stages = Stages()
    with torch.no_grad():
        network(ReconInput(kspace, operator, stages=stages))
    assert stages[0, "bases"].shape == (2, 3, 3)
    assert {part for _, part in stages} == {"bases", "image", "step_size", "memory_norm", "memory_rank"}


@pytest.mark.parametrize("field", ["steps", "channels", "bases", "rank"])
def test_sizes_below_one_are_refused(field):
    with pytest.raises(InputError, match=f"{field} of egla_varnet is out of range") as caught:
        EGLAVarNetConfig(**{field: 0})
    assert caught.value.hint


def test_frames_can_be_channels_of_one_image():
    network = moved(
        EGLAVarNet(EGLAVarNetConfig(steps=2, channels=6, bases=3, rank=2, frames=3, maps="network", maps_filters=2)), 0.2
    )
    kspace, operator = problem(height=32, width=24)
    stages = Stages()
    image = network(ReconInput(kspace, operator, acs=4, stages=stages))
    assert stages[0, "bases"].shape == (2, 1, 3)
    image.abs().square().sum().backward()
    for name, parameter in network.named_parameters():
        if name not in network.without_effect:
            assert parameter.grad.abs().max() > 0, name
