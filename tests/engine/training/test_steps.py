"""One training step of every network, in every precision; what one step of the loop does with batches, freezing and averages."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from engine.bench.training import Step, configuration, peak_mib
from engine.core.errors import Cancelled, InputError
from engine.core.jobs import CancelToken, Reporter, silent
from engine.models import MODELS
from engine.models.parts.checkpointing import recomputed, recomputing
from engine.models.parts.mapping import MAPPING
from engine.physics.coils import expand
from engine.physics.fourier import fft2c
from engine.training.checks import trainable
from engine.training.config import from_values
from engine.training.estimate import estimate, example_of, memory, seconds
from engine.training.loop import _loss, _step, train_epoch, validate
from engine.training.setup import set_up
from engine.training.steps import predict, total
from tests.engine.training.conftest import nobody

FRAMES, COILS, SIZE = 4, 2, (32, 24)


def smallest(spec):
    return spec.presets.get("tiny") or spec.presets.get("small") or next(iter(spec.presets.values()))


def smooth_example(frames, seed=0):
    """Return an example of blobs that move, seen by two coils."""
    example = example_of((frames, COILS, *SIZE), values=False)
    y, x = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    t = torch.arange(frames)[:, None, None]
    image = torch.exp(-((y - 15 - torch.sin(t + seed)) ** 2 + (x - 12) ** 2) / 40.0) + 0.2
    coils = torch.stack([0.5 + x / SIZE[1], 1.5 - x / SIZE[1]])
    maps = (coils / coils.square().sum(0).sqrt()).to(torch.complex64)[None, None]
    target = image.to(torch.complex64)[None] * torch.polar(torch.ones(SIZE), 0.02 * y)
    full = fft2c(expand(target, maps))
    return dataclasses.replace(example, kspace=full * example.mask, full=full, target=target, maps=maps)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", sorted(trainable()))
def test_one_step_of_every_network_is_finite_and_goes_down(name, kind):
    spec = trainable()[name]
    config = smallest(spec)
    torch.manual_seed(0)
    module = spec.build(config).train()
    example = smooth_example(spec.frames_of(config) or FRAMES)
    losses = {"l1_tissue": 1.0} if spec is MAPPING else {"l1": 1.0}
    optimiser = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=1.0)

    def step():
        torch.manual_seed(1)
        loss, _ = total(losses, predict(module, spec, example, kind)[1])
        optimiser.zero_grad()
        loss.backward()
        return float(loss.detach())

    before = step()
    assert np.isfinite(before)
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    norm = torch.sqrt(sum(gradient.square().sum() for gradient in gradients))
    assert norm > 0
    if kind == "float32":
        for group in optimiser.param_groups:
            group["lr"] = float(1e-3 * before / norm.square())  # a thousandth of what would bring it to zero
        optimiser.step()
        assert step() < before


@pytest.mark.parametrize("rule", ["all", "log"])
def test_cascades_are_summed_with_their_weights(rule):
    spec = MODELS.get("crunet_mr")
    torch.manual_seed(0)
    module = spec.build(smallest(spec)).train()
    _, data = predict(module, spec, smooth_example(FRAMES), "float32")
    each = [float((image.detach() - data.target).abs().mean()) for image in data.stages["image"]]
    weights = {"all": [1 / 3] * 3, "log": [0.1, 0.1**0.5, 1.0]}[rule]
    found, terms = total({"l1": 2.0}, data, rule)
    assert float(found.detach()) == pytest.approx(2 * float(np.dot(weights, each)), rel=1e-4)
    assert terms["l1"] == pytest.approx(float(found.detach()) / 2)
    assert total({"l1": 1.0}, data)[1]["l1"] == pytest.approx(each[-1], rel=1e-4)


def test_the_mapping_network_needs_times_and_truth():
    module = MAPPING.build(smallest(MAPPING))
    example = smooth_example(9)
    with pytest.raises(InputError, match=r"learns from fully sampled images and their times \(found no times\)"):
        predict(module, MAPPING, dataclasses.replace(example, times_ms=None), "float32")
    with pytest.raises(InputError, match=r"\(found no fully sampled images\)"):
        predict(module, MAPPING, dataclasses.replace(example, target=None), "float32")


def test_recomputing_says_what_is_kept():
    calls = []

    def step():
        calls.append(1)
        return (weight * 2).sin()

    weight = torch.ones(3, requires_grad=True)
    for wanted, expected in ((True, 2), (False, 1)):
        calls.clear()
        with recomputing(wanted):
            out = recomputed(step, 1e12)
        out.sum().backward()
        assert len(calls) == expected
    calls.clear()
    recomputed(step, 10.0).sum().backward()  # outside: small steps are kept
    assert len(calls) == 1


def test_a_batch_is_the_mean_of_its_gradients(config, tmp_path, library):
    """Two examples accumulated are one step along the mean: the gradient of batch 2 is half of the sum of both."""
    state = set_up(dataclasses.replace(config, optimiser=dataclasses.replace(config.optimiser, clip=0.0)), tmp_path / "run", nobody)
    examples = [state.stream[0], state.stream[1]]
    expected = [torch.zeros_like(p) for p in state.module.parameters()]
    for example in examples:
        state.module.zero_grad()
        _loss(state, example)[0].backward()
        expected = [sum_ + p.grad / 2 for sum_, p in zip(expected, state.module.parameters(), strict=True)]
    _step(state, iter(examples), 2)
    for parameter, gradient in zip(state.module.parameters(), expected, strict=True):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-4, atol=1e-8)


def test_frozen_parameters_stay_and_the_average_follows(config, tmp_path, library):
    frozen = dataclasses.replace(config, model=dataclasses.replace(config.model, freeze=("log_weights",)))
    state = set_up(frozen, tmp_path / "run", nobody)
    before = {name: value.detach().clone() for name, value in state.module.named_parameters()}
    assert "log_weights" not in state.ema
    train_epoch(state, nobody)
    after = {name: value.detach() for name, value in state.module.named_parameters()}
    assert torch.equal(after["log_weights"], before["log_weights"])
    name = "denoisers.0.leave.weight"
    # The average is behind the weights, on the way from where they were.
    moved, average = after[name] - before[name], state.ema[name] - before[name]
    assert 0 < float(average.norm()) < float(moved.norm())
    assert torch.equal(state.weights()[name], state.ema[name])
    validate(state, nobody)
    assert torch.equal(dict(state.module.named_parameters())[name], after[name])


@pytest.mark.slow
def test_estimate_is_near_what_a_step_holds(library):
    """The walk without values against the same step with them, whose tensors are followed."""
    step = Step("myonet", (4, 2, 64, 24))
    found = peak_mib(step)
    spec = MODELS.get("myonet")
    config = configuration("myonet", spec)
    told = memory(config, spec, spec.presets["small"], (4, 2, 64, 24), torch.device("cpu"), silent())
    weights = 4 * spec.parameters("small") / 2**20
    assert told == pytest.approx(found + 4 * weights + 12 + min(0.25 * (found + 4 * weights), 40), rel=0.15)


@pytest.mark.slow
def test_estimate_speaks_of_the_largest_example(library):
    values = {
        "data": {"acquisition": {"matrix": [24, 32], "frames": [2, 4], "coils": [1, 2]}, "columns": 16},
        "run": {"device": "cpu"},
    }
    found = estimate(from_values(values))
    assert (found.frames, found.lines, found.columns) == (4, 32, 16)
    assert found.parameters == MODELS.get("myonet").parameters("small")
    assert found.memory_mib > 4 * 4 * found.parameters / 2**20
    assert found.seconds_per_step > 0


@pytest.mark.parametrize("part", [memory, seconds])
def test_an_estimate_can_be_stopped_within_a_step(library, part):
    """The window cannot close while one goes on."""
    spec = MODELS.get("myonet")
    config, token = configuration("myonet", spec), CancelToken()
    more = () if part is memory else (1,)
    asked = []

    class Impatient(Reporter):
        def check(self):
            asked.append(1)
            if len(asked) == 3:
                token.cancel()
            super().check()

    with pytest.raises(Cancelled):
        part(config, spec, spec.presets["small"], (4, 2, 64, 24), torch.device("cpu"), *more, Impatient(None, token))
    assert len(asked) == 3
