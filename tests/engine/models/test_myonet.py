"""Myonet against a transcription of its text, its plain form, and what it must do before it has learned anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from engine.core.errors import Cancelled, InputError
from engine.models import MODELS, ReconInput
from engine.models.l1_wavelet import L1Wavelet, L1WaveletConfig
from engine.models.myonet import Myonet, MyonetConfig
from engine.models.parts.forms import plain_forms
from engine.physics.operator import SenseOperator
from tests.engine.models.varnet_problem import CancelAt, Stages, both_forms, moved, problem
from tests.engine.tensors import relative

TINY = MyonetConfig(cascades=2, channels=4, blocks=2)


def solved(operator, aimed, prior, weights, apart):
    """Return (A^H A + w)^-1 (A^H b + w x), the temporal mean with a weight of its own."""
    if not apart:
        return operator.solve(aimed + weights[1] * prior, weights[1], tolerance=1e-12)
    means = [part.mean(1, keepdim=True).expand_as(part) for part in (aimed, prior)]
    rest = operator.solve(aimed - means[0] + weights[1] * (prior - means[1]), weights[1])
    return rest + operator.solve(means[0] + weights[0] * means[1], weights[0])


def transcription(network, kspace, operator):
    """Compute what the module's text says, one step after the other."""
    config = network.config
    weights = network.log_weights.exp()
    aimed = operator.adjoint(kspace)
    x = simple = operator.solve(aimed, weights[1])
    if config.start == "wavelet":
        x = L1Wavelet(L1WaveletConfig(shifts=2))(ReconInput(kspace, SenseOperator(operator.mask, operator.maps)))
    b, t, h, w = x.shape
    known = torch.view_as_real(simple - x).permute(0, 1, 4, 2, 3).flatten(0, 1)

    def mix(layer, features):
        series = features.reshape(b, t, *features.shape[1:])
        now, after, before = layer.product.weight.chunk(3)
        kernel = torch.cat((after, now, before), 1)[:, :, None, None]  # of the frames t - 1, t, t + 1
        three = torch.cat((series.roll(1, 1), series, series.roll(-1, 1)), 2).flatten(0, 1)
        return functional.conv2d(three, kernel, sum(layer.product.bias.chunk(3)))

    for n, d in enumerate(network.denoisers):
        mean = x.mean(1, keepdim=True).expand_as(x)
        entering = [(x - mean).real, (x - mean).imag, mean.real, mean.imag]
        if config.open_part:
            left_open = solved(operator, torch.zeros_like(x), x, weights, config.two_weights)
            entering += [left_open.real, left_open.imag]
        features = d.enter(torch.stack(entering, 2).flatten(0, 1))
        if n == 0 or config.memory:
            features = features + d.recall(known)
        features = torch.relu(features)
        for block in d.blocks:
            features = features + mix(block.mix, torch.relu(block.space(features)))
        known = torch.relu(features)
        correction = d.leave(known).reshape(b, t, 2, h, w)
        denoised = x + torch.complex(correction[:, :, 0], correction[:, :, 1])
        x = solved(operator, aimed, denoised, weights, config.two_weights)
    return x


@pytest.mark.slow
@pytest.mark.parametrize(
    "without", [{}, {"start": "least_squares"}, {"two_weights": False}, {"memory": False}, {"open_part": False}]
)
@pytest.mark.parametrize("size", [{}, {"height": 13, "width": 11}, {"frames": 2}, {"batch": 1}])
def test_it_equals_a_transcription(size, without):
    kspace, operator = problem(**size)
    network = moved(Myonet(replace(TINY, **without)).double())
    with torch.no_grad():
        expected = transcription(network, kspace, operator)
        assert relative(network(ReconInput(kspace, operator)), expected) < 1e-10
        with plain_forms():
            assert relative(network(ReconInput(kspace, operator)), expected) < 1e-10


def test_its_size():
    spec = MODELS.get("myonet")
    assert spec.parameters("small") == 186_570
    assert spec.parameters("wide") == 1_877_650


def test_before_it_learns_it_only_solves_the_data_term():
    kspace, operator = problem()
    network = Myonet(TINY).double()
    with torch.no_grad():
        found = network(ReconInput(kspace, operator))
        expected = L1Wavelet(L1WaveletConfig(shifts=2))(ReconInput(kspace, SenseOperator(operator.mask, operator.maps)))
        for _ in range(TINY.cascades):
            expected = solved(operator, operator.adjoint(kspace), expected, network.log_weights.exp(), True)
    assert relative(found, expected) < 1e-10


def test_a_small_weight_of_the_mean_leaves_the_rest_as_it_was():
    kspace, operator = problem()
    network = moved(Myonet(replace(TINY, cascades=1, open_part=False)).double())
    with torch.no_grad():
        before = network(ReconInput(kspace, operator))
        network.log_weights[0] -= 3
        after = network(ReconInput(kspace, operator))
    change = after - before
    assert relative(change.mean(1, keepdim=True).expand_as(change), change) < 1e-9
    assert change.abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["lines per frame", "plane per frame"])
def test_with_masks_that_vary_one_weight_serves_all(kind):
    kspace, operator = problem(kind=kind)
    network = moved(Myonet(replace(TINY, start="least_squares")).double())
    with torch.no_grad():
        first = network(ReconInput(kspace, operator))
        network.log_weights[0] -= 3
        assert torch.equal(network(ReconInput(kspace, operator)), first)


def test_time_is_circular():
    kspace, operator = problem(frames=5)
    turned = SenseOperator(operator.mask.roll(2, 1) if operator.mask.shape[1] > 1 else operator.mask, operator.maps)
    network = moved(Myonet(TINY).double())
    with torch.no_grad():
        found = network(ReconInput(kspace.roll(2, 1), turned))
        assert relative(found, network(ReconInput(kspace, operator)).roll(2, 1)) < 1e-10


def test_without_time_the_order_of_the_frames_does_not_matter():
    kspace, operator = problem(frames=5)
    order = [3, 0, 4, 1, 2]

    def moves(config):
        network = moved(Myonet(config).double())
        with torch.no_grad():
            whole = network(ReconInput(kspace, operator))
            return relative(network(ReconInput(kspace[:, order], operator)), whole[:, order])

    config = replace(TINY, start="least_squares")
    assert moves(replace(config, time=False)) < 1e-10
    assert moves(config) > 1e-3


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
        network(ReconInput(kspace, operator, report=CancelAt(4)))


@pytest.mark.parametrize("name", ["cascades", "channels", "blocks"])
def test_sizes_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"{name} of myonet is out of range"):
        MyonetConfig(**{name: 0})


def test_another_start_is_refused():
    with pytest.raises(InputError, match="start of myonet is 'zero'"):
        MyonetConfig(start="zero")
