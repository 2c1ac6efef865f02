"""Frames a few at a time: the same image and the same stages, for every kind of mask."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import ShapeError
from engine.core.jobs import Reporter
from engine.models.contract import ReconInput, no_stages
from engine.models.parts import frames
from engine.models.parts.forms import rehearsal
from engine.models.parts.frames import by_frames, in_chunks, require_frames
from engine.physics.operator import SenseOperator

FRAMES, HEIGHT, WIDTH = 5, 8, 6


def problem(kind, **others):
    g = torch.Generator().manual_seed(0)
    shape = {"lines": (1, 1, 1, HEIGHT, 1), "plane": (1, FRAMES, 1, HEIGHT, WIDTH)}.get(kind, (1, FRAMES, 1, HEIGHT, 1))
    mask = torch.rand(shape, generator=g) < 0.6
    if kind == "two masks":  # three frames to a set and more: Gram matrices with sets
        mask = mask[:, [0, 1, 0, 0, 0]]
    maps = torch.randn((1, FRAMES if kind == "maps per frame" else 1, 3, HEIGHT, WIDTH), generator=g, dtype=torch.complex128)
    kspace = mask * torch.randn((2, FRAMES, 3, HEIGHT, WIDTH), generator=g, dtype=torch.complex128)
    times = torch.arange(2.0 * FRAMES).reshape(2, FRAMES)
    reference = torch.randn((2, FRAMES, HEIGHT, WIDTH), generator=g, dtype=torch.complex128)
    return ReconInput(kspace, SenseOperator(mask, maps), times_ms=times, reference=reference, **others)


def network(data):
    """A frame-wise method that uses all of its input, and leaves stages of several shapes."""
    data.operator.prepare(data.report.check)
    data.report.step(0, 1, "step")
    image = data.operator.adjoint(data.kspace)
    image = image + data.operator.normal(image) * data.times_ms[..., None, None] + data.reference
    data.stages(0, "image", image)
    data.stages(0, "step_size", torch.tensor(0.5))
    data.stages(0, "energy", torch.stack([image.abs().square().sum((2, 3))] * 2, dim=-1))
    return image


@pytest.mark.parametrize("kind", ["lines", "lines per frame", "two masks", "plane", "maps per frame"])
def test_parts_together_are_the_whole(kind, monkeypatch):
    monkeypatch.setattr(frames, "PIXELS_AT_ONCE", {"cpu": 2 * 2 * HEIGHT * WIDTH})
    stages, seen = {}, []
    data = problem(kind, stages=lambda i, part, value: stages.__setitem__((i, part), value))
    whole = {}
    expected = network(problem(kind, stages=lambda i, part, value: whole.__setitem__((i, part), value)))

    def watched(part):
        seen.append(part.kspace.shape[1])
        return network(part)

    with torch.no_grad():
        found = by_frames(data, watched)
    assert seen == [2, 2, 1]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)
    assert stages.keys() == whole.keys()
    for key, value in whole.items():
        torch.testing.assert_close(stages[key], value, rtol=0, atol=1e-9)


def test_progress_runs_from_0_to_1_once(monkeypatch):
    monkeypatch.setattr(frames, "PIXELS_AT_ONCE", {"cpu": 1})
    monkeypatch.setattr("engine.core.jobs.MIN_INTERVAL_SECONDS", 0.0)
    heard = []
    with torch.no_grad():
        by_frames(problem("lines", report=Reporter(heard.append)), network)
    fractions = [progress.fraction for progress in heard]
    assert fractions == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert heard[2].stage == "frame 3 of 5: step"


def test_stages_that_nobody_wants_are_not_gathered(monkeypatch):
    monkeypatch.setattr(frames, "PIXELS_AT_ONCE", {"cpu": 1})
    seen = []

    def watched(part):
        seen.append(part.stages)
        return network(part)

    with torch.no_grad():
        by_frames(problem("lines"), watched)
    assert seen == [no_stages] * FRAMES


def test_one_part_stands_for_all_where_only_memory_is_asked_for(monkeypatch):
    monkeypatch.setattr(frames, "PIXELS_AT_ONCE", {"cpu": 2 * 2 * HEIGHT * WIDTH})
    calls = []
    with torch.no_grad(), rehearsal():
        image = by_frames(problem("lines"), lambda part: calls.append(1) or part.reference)
    assert len(calls) == 1
    assert image.shape == (2, FRAMES, HEIGHT, WIDTH)


def test_with_gradients_all_frames_go_at_once(monkeypatch):
    monkeypatch.setattr(frames, "PIXELS_AT_ONCE", {"cpu": 1})
    seen = []
    by_frames(problem("lines"), lambda part: seen.append(part.kspace.shape[1]) or part.reference)
    assert seen == [FRAMES]


def test_another_number_of_frames_is_refused():
    require_frames(problem("lines"), FRAMES, "rvn")
    with pytest.raises(ShapeError, match=r"rvn takes the frames as channels .*expected 9 / found 5") as caught:
        require_frames(problem("lines"), 9, "rvn")
    assert "weights for 5 frames" in caught.value.hint


def test_chunks_cover_all_images_in_order(monkeypatch):
    seen = []

    def network(part):
        seen.append(part.shape[0])
        return 2 * part

    images = torch.arange(7.0)[:, None, None, None].expand(7, 2, 5, 4)
    monkeypatch.setattr(frames, "IMAGE_PIXELS", {"cpu": 45})
    assert torch.equal(in_chunks(network, images), 2 * images)
    assert seen == [2, 2, 2, 1]


def test_one_image_larger_than_a_chunk_goes_alone():
    seen = []
    images = torch.zeros(2, 1, 300, 300)
    in_chunks(lambda part: seen.append(part.shape[0]) or part, images)
    assert seen == [1, 1]
