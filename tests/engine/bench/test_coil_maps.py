"""The coil-map benchmark: a fair case, both sides right, peers left out when they are not there."""

import pytest
import torch

from engine.bench import coil_maps
from engine.core.jobs import silent


def error_of(text):
    return float(text.removeprefix("angle error "))


@pytest.mark.slow
def test_truth_scores_zero_and_another_vector_its_sine():
    case = coil_maps.make_case(4, 40, 64)
    assert coil_maps.angle_error(case.truth * 3j, case) < 1e-6
    swapped = case.truth.roll(1, 0)
    cosine = (swapped.conj() * case.truth).sum(0).abs()[case.body].double()
    assert coil_maps.angle_error(swapped, case) == pytest.approx(float((1 - cosine**2).mean().sqrt()), rel=1e-4)
    torch.testing.assert_close(case.truth.abs().square().sum(0), torch.ones(40, 64))


@pytest.mark.slow
def test_every_line_says_the_quality_of_both_sides():
    results = list(coil_maps.run(True, silent()))
    assert results[0].other == "plain full-size ESPIRiT"
    for line in results:
        assert line.ratio == pytest.approx(line.other_s / line.ours_s)
        assert 0 < error_of(line.quality_ours) < 0.02
        assert error_of(line.quality_ours) <= 1.05 * error_of(line.quality_other) < 0.1
        assert line.ratio > 1


def test_peers_that_are_not_there_are_left_out(monkeypatch):
    monkeypatch.setattr(coil_maps.shutil, "which", lambda _: None)
    monkeypatch.setattr(coil_maps.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(coil_maps, "full_size_espirit", lambda kspace: coil_maps.make_case(*kspace.shape).truth)
    assert [line.other for line in coil_maps.run(True, silent())] == ["plain full-size ESPIRiT"]
