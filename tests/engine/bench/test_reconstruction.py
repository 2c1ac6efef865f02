"""The reconstruction benchmark: a fair case, plain forms that are right, peers left out when they are not there."""

import numpy as np
import pytest
import torch

from engine.bench import reconstruction, reconstruction_peers
from engine.core.errors import DependencyError
from engine.core.jobs import silent
from engine.models.cg_sense import CGSense, CGSenseConfig
from engine.models.low_rank_sparse import LowRankSparse, LowRankSparseConfig


@pytest.fixture(scope="module")
def problem():
    return reconstruction.make_problem(True, 4)


def db(text):
    return float(text.removeprefix("PSNR ").removesuffix(" dB"))


def distance(a, b):
    return float(torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b))


def test_psnr_forgives_a_scale_and_nothing_else():
    truth = torch.tensor([[1.0, 2.0], [0.0, 4.0]])
    assert reconstruction.psnr(truth * 7j, truth) > 200
    estimate = truth + torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    scale = float((estimate * truth).sum() / estimate.square().sum())
    expected = 10 * np.log10(16 / float((scale * estimate - truth).square().mean()))
    assert reconstruction.psnr(estimate, truth) == pytest.approx(expected)


def test_plain_conjugate_gradients_end_where_the_direct_solve_does(problem):
    _, found = reconstruction_peers.plain_cg(problem, 0.05, 60)
    _, direct = reconstruction.ours(problem, CGSense(CGSenseConfig(weight=0.05)))
    assert distance(found, direct / 1.05) < 1e-4


def test_plain_low_rank_sparse_has_the_same_iterates(problem):
    _, found = reconstruction_peers.plain_low_rank_sparse(problem, 0.01, 0.01, 8)
    config = LowRankSparseConfig(low_rank=0.01, sparse=0.01, iterations=8, tolerance=0.0)
    assert distance(found, reconstruction.ours(problem, LowRankSparse(config))[1]) < 1e-5


@pytest.mark.slow
def test_lines_without_peers(monkeypatch):
    monkeypatch.setattr(reconstruction_peers.shutil, "which", lambda _: None)
    monkeypatch.setattr(reconstruction_peers.importlib.util, "find_spec", lambda _: None)
    lines = list(reconstruction.run(True, silent()))
    assert [line.case.split(",")[0] for line in lines] == ["cg_sense", "low_rank_sparse"]
    for line in lines:
        assert line.ratio == pytest.approx(line.other_s / line.ours_s)
        assert db(line.quality_ours) > 25
        assert db(line.quality_ours) > db(line.quality_other) - 0.1
    assert "ours " in lines[-1].difference
    assert float(lines[-1].difference.split("ours ")[1].split(",")[0]) < 1e-5


def test_bart_that_is_not_there_is_said(problem, monkeypatch):
    monkeypatch.setattr(reconstruction_peers.shutil, "which", lambda _: None)
    with pytest.raises(DependencyError, match="BART is not installed"):
        reconstruction_peers.Bart(problem)


@pytest.mark.skipif(not reconstruction_peers.has_bart(), reason="the program bart is not on this machine")
def test_bart_reads_our_files_and_solves_the_same_equations(problem):
    with reconstruction_peers.Bart(problem) as bart:
        spent, image = bart.pics(["-i60", "-l2", "-r0.01"])
    _, direct = reconstruction.ours(problem, CGSense(CGSenseConfig(weight=0.01)))
    assert spent > 0
    # BART scales data and weight by its own rule, so the two are close and not equal.
    assert reconstruction.psnr(image, direct) > 35


def test_cfl_header_lists_the_axes_backwards(tmp_path):
    array = (np.arange(6).reshape(2, 3) + 1j).astype(np.complex64)
    reconstruction_peers.write_cfl(tmp_path / "a", array, (3, 2))
    assert (tmp_path / "a.hdr").read_text().split("\n")[1].split()[:3] == ["3", "2", "1"]
    np.testing.assert_array_equal(np.fromfile(tmp_path / "a.cfl", np.complex64).reshape(2, 3), array)
