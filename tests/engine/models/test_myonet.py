"""Myonet against a transcription of its text, its plain form, and what it must do before it has learned anything."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.core.errors import Cancelled, InputError
from engine.models import MODELS, ReconInput
from engine.models.myonet import Myonet, MyonetConfig
from engine.models.parts.forms import plain_forms
from engine.physics.operator import SenseOperator
from tests.engine.models.varnet_problem import CancelAt, Stages, both_forms, moved, problem, relative

TINY = MyonetConfig(cascades=2, channels=4, deep_channels=6, deep_blocks=2)


def transcription(network, kspace, operator):
    """Compute what the module's text says, over whole series, one step after the other."""
    weight = network.log_lambda.exp()
    aimed = operator.adjoint(kspace)
    x, memory = operator.solve(aimed, weight), None
    b, t, h, w = x.shape

    def mix(layer, features):
        series = features.reshape(b, t, *features.shape[1:])
        three = torch.cat((series.roll(1, 1), series, series.roll(-1, 1)), 2).flatten(0, 1)
        return functional.conv2d(three, layer.product.weight[:, :, None, None], layer.product.bias)

    def block(layer, features):
        return features + mix(layer.mix, torch.relu(layer.space(features)))

    for d in network.denoisers:
        entered = torch.view_as_real(x).permute(0, 1, 4, 2, 3).flatten(0, 1)
        entered = entered if memory is None else torch.cat((entered, memory), 1)
        fine = block(d.shallow, torch.relu(d.enter(entered)))
        coarse = torch.relu(d.down(functional.pad(fine, (0, w % 2, 0, h % 2), mode="replicate")))
        for one in d.deep:
            coarse = block(one, coarse)
        memory = torch.relu(fine + functional.interpolate(d.up(coarse), scale_factor=2, mode="nearest")[..., :h, :w])
        correction = d.leave(memory).reshape(b, t, 2, h, w)
        denoised = x + torch.complex(correction[:, :, 0], correction[:, :, 1])
        x = operator.solve(aimed + weight * denoised, weight)
    return x


@pytest.mark.parametrize("size", [{}, {"height": 13, "width": 11}, {"frames": 1}, {"batch": 2}])
def test_it_equals_a_transcription(size):
    kspace, operator = problem(**size)
    network = moved(Myonet(TINY).double())
    with torch.no_grad():
        expected = transcription(network, kspace, operator)
        assert relative(network(ReconInput(kspace, operator)), expected) < 1e-10
        with plain_forms():
            assert relative(network(ReconInput(kspace, operator)), expected) < 1e-10


def test_it_has_440941_parameters():
    spec = MODELS.get("myonet")
    assert spec.parameters("small") == 440_941
    assert spec.parameters("wide") == 1_438_225


def test_before_it_learns_it_returns_the_regularised_least_squares_image():
    kspace, operator = problem()
    network = Myonet(TINY).double()
    with torch.no_grad():
        found = network(ReconInput(kspace, operator))
        # Each cascade solves (A^H A + w) x = A^H b + w x_before: iterated Tikhonov from zero.
        weight = network.log_lambda.exp()
        aimed = operator.adjoint(kspace)
        expected = operator.solve(aimed, weight)
        for _ in range(TINY.cascades):
            expected = operator.solve(aimed + weight * expected, weight)
    assert relative(found, expected) < 1e-10


def test_time_is_circular():
    kspace, operator = problem(frames=5)
    turned = SenseOperator(operator.mask.roll(2, 1) if operator.mask.shape[1] > 1 else operator.mask, operator.maps)
    network = moved(Myonet(TINY).double())
    with torch.no_grad():
        found = network(ReconInput(kspace.roll(2, 1), turned))
        assert relative(found, network(ReconInput(kspace, operator)).roll(2, 1)) < 1e-10


def test_without_time_frames_do_not_see_each_other():
    config = MyonetConfig(cascades=2, channels=4, deep_channels=6, time=False, memory=False)
    kspace, operator = problem(frames=3)
    network = moved(Myonet(config).double())
    with torch.no_grad():
        whole = network(ReconInput(kspace, operator))
        first = network(ReconInput(kspace[:, :1], SenseOperator(operator.mask[:, :1], operator.maps)))
    assert relative(first, whole[:, :1]) < 1e-10


def test_all_parameters_learn():
    kspace, operator = problem()
    network = moved(Myonet(TINY).double())
    (_, found), (_, expected) = both_forms(network, ReconInput(kspace, operator))
    for name, _ in network.named_parameters():
        assert expected[name].abs().sum() > 0, name
        assert relative(found[name], expected[name]) < 1e-9, name


def test_stages_and_cancel():
    kspace, operator = problem()
    stages = Stages()
    network = moved(Myonet(TINY).double())
    with torch.no_grad():
        image = network(ReconInput(kspace, operator, stages=stages))
    assert torch.equal(stages[(1, "image")], image)
    assert set(stages) == {(n, part) for n in (0, 1) for part in ("image", "denoised")}
    with pytest.raises(Cancelled), torch.no_grad():
        network(ReconInput(kspace, operator, report=CancelAt(9)))


@pytest.mark.parametrize("name", ["cascades", "channels", "deep_channels", "deep_blocks"])
def test_sizes_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"{name} of myonet is out of range"):
        MyonetConfig(**{name: 0})
