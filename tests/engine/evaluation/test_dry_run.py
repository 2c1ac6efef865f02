"""Runs without values: shapes as in real runs, questions about values answered, dynamic shapes refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.evaluation.dry_run import Problem, Unforeseeable, run, without_memory
from engine.models import MODELS
from engine.models.parts.forms import pieces, rehearsal


def watch_nothing(*_):
    """Watch nothing."""


def test_shapes_types_and_strides_are_those_of_a_real_run():
    def steps(features, mask):
        wide = torch.conv2d(features, torch.ones(4, 2, 3, 3), padding=1).relu_()
        moved = wide.permute(0, 2, 3, 1).contiguous()
        spectrum = torch.fft.fft2(torch.view_as_complex(moved.reshape(*moved.shape[:3], 2, 2)), dim=(1, 2))
        return [wide, moved, spectrum, spectrum.real[..., 0], features[:, :, mask], torch.cat([wide, wide], 1), moved.sum(-1)]

    mask = torch.tensor([True, False, True, True])
    real = steps(torch.zeros(1, 2, 4, 5), mask)
    with without_memory(watch_nothing):
        for _ in range(2):  # the second time from memory
            found = steps(torch.zeros(1, 2, 4, 5), mask)
    for one, other in zip(found, real, strict=True):
        assert (one.shape, one.dtype, one.stride()) == (other.shape, other.dtype, other.stride())


def test_no_memory_is_taken():
    with without_memory(watch_nothing):
        huge = torch.zeros(1 << 20, 1 << 20)
        assert (huge @ huge).shape == (1 << 20, 1 << 20)


def test_questions_about_values_have_answers():
    with without_memory(watch_nothing):
        x = torch.zeros(5)
        assert float(x.sum()) == 1.0
        assert bool(torch.isfinite(x).all())
        assert not bool((x != 0).any())
        assert bool((x > 0).any()), "iterations go on"
        assert x[x > 0].shape == (5,)
        assert int(torch.tensor([1, 2]).sum()) == 3, "what is known stays known"


def test_every_operation_is_seen():
    seen = []
    with without_memory(lambda *told: seen.append(told[0])):
        torch.zeros(3).add(1)
    assert torch.ops.aten.add.Tensor in seen


def test_shapes_that_depend_on_values_are_refused():
    with pytest.raises(Unforeseeable, match="depends on values"), without_memory(watch_nothing):
        torch.zeros(5).unique()


def test_a_problem_makes_its_own_mask_or_takes_one():
    lines = Problem(2, 1, 64, 32).lines()
    assert lines.shape == (1, 64, 1)
    assert lines[0, 20:44].all()
    assert lines[0, ::4].all()
    given = torch.from_numpy(np.eye(4, dtype=bool)[None])
    assert Problem(1, 1, 4, 4, given).lines() is given


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, spec in MODELS.items() if spec.trainable])
def test_every_network_can_be_walked(name):
    spec = MODELS.get(name)
    config = spec.presets["small"]
    frames = spec.frames_of(config) or 3
    with without_memory(watch_nothing):
        image = run(spec, spec.build(config).eval(), Problem(frames, min(4, spec.max_coils or 4), 40, 48))
    assert tuple(image.shape) == (1, frames, 40, 48)
    assert image.dtype == torch.complex64


def test_rehearsals_take_the_first_piece_only():
    assert list(pieces(10, 4)) == [0, 4, 8]
    assert list(pieces(0, 4)) == []
    with rehearsal():
        assert list(pieces(10, 4)) == [0]
    assert list(pieces(10, 4)) == [0, 4, 8]
