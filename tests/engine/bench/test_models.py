"""The benchmark of networks: a fair case, forms that agree, the difference beside the ratio."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.bench import models, networks
from engine.bench.contract import one_thread
from engine.core.jobs import Reporter, silent
from engine.models import MODELS
from engine.physics.operator import SenseOperator

TINY = (3, 2, 48, 40)


@pytest.fixture
def few(monkeypatch):
    """Leave two networks and a tiny problem."""
    chosen = {name: MODELS.get(name) for name in ("jotlasnet", "crnn_mri", "cg_sense")}
    monkeypatch.setattr(models.MODELS, "_entries", chosen)
    monkeypatch.setattr(models, "QUICK", TINY)


@pytest.mark.slow
def test_lines_of_every_network(few, monkeypatch):
    monkeypatch.setattr(models, "has_fast_bfloat16", lambda _: True)
    told = []
    with one_thread():
        lines = list(models.run(True, Reporter(told.append)))
    cases = [line.case for line in lines]
    assert [case.split(",")[0] for case in cases[-4:]] == ["crnn_mri small"] * 2 + ["jotlasnet small"] * 2
    assert "bfloat16" in cases[-1]
    assert not any("cg_sense" in case for case in cases)
    for line in lines:
        assert line.ratio == pytest.approx(line.other_s / line.ours_s)
        limit = 5e-2 if "bfloat16" in line.case else 1e-2 if "proximal" in line.case else 1e-4
        assert float(line.difference) < limit, line
    assert any("as written in papers" in line.other for line in lines)
    assert all(line.quality_ours.endswith("MiB") for line in lines[-4:] if line.quality_ours)
    assert told


def test_sizes_follow_what_a_network_takes():
    rvn, miccan = MODELS.get("rvn"), MODELS.get("miccan")
    assert models._sizes(rvn, "paper", models.SMALL)[0] == 9
    assert models._sizes(rvn, "t2", models.SMALL)[0] == 3
    assert models._sizes(miccan, "paper", models.SMALL)[1] == min(10, miccan.max_coils or 10)


@pytest.mark.slow
def test_presets_are_bearable():
    assert models._preset(MODELS.get("jotlasnet"), models.SMALL, False) == "paper"
    assert models._preset(MODELS.get("crunet_mr"), models.SMALL, False) == "small", "494 GMACs"
    assert models._preset(MODELS.get("crunet_mr"), models.FULL, False) == "small"
    assert models._preset(MODELS.get("rvn"), models.FULL, False) is None, "not for cine"
    assert models._preset(MODELS.get("jotlasnet"), models.QUICK, True) == "small"


@pytest.mark.parametrize("sizes", [(2, 3, 30, 300), (2, 1, 270, 31)])
def test_the_case_has_the_size_asked_for_and_unit_maps(sizes):
    case = networks.measured(sizes)
    frames, coils, height, width = sizes
    assert case.kspace.shape == (1, frames, coils, height, width)
    assert torch.allclose(case.maps.abs().square().sum(-3), torch.ones(()), atol=1e-3)
    assert not case.kspace[~case.mask.expand(case.kspace.shape)].any()
    assert case.kspace.abs().max() > 0


def test_the_textbook_form_is_the_operator():
    case = networks.measured(TINY)
    image = torch.randn(1, 3, 48, 40, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    assert networks.relative(models._textbook(case.operator(), image), SenseOperator(case.mask, case.maps).normal(image)) < 1e-5


def test_peak_memory_is_that_of_the_work():
    peak = networks.peak_mib(lambda: np.ones(50 << 20, dtype=np.uint8))
    if peak is None:
        pytest.skip("this system does not tell")
    assert 45 < peak < 60


def test_it_can_be_cancelled(few):
    report = silent()
    report.token.cancel()
    from engine.core.errors import Cancelled

    with pytest.raises(Cancelled):
        next(models.run(True, report))
