"""How benchmarks are run and timed."""

from __future__ import annotations

import time

import pytest
import torch

from engine.bench import BENCHES, BenchSpec, contract
from engine.core.errors import UnknownNameError
from engine.core.jobs import Reporter, silent
from engine.core.records.machine import BenchResult


def test_the_issues_benchmarks_are_there():
    assert {"reconstruction", "coil_maps", "masks", "io", "metrics"} <= set(BENCHES.names())


def test_unknown_benchmark_names_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown benchmark 'mask'") as caught:
        contract.run(["mask"], True, silent())
    assert "masks" in caught.value.hint


def test_run_uses_one_thread_and_gives_it_back(monkeypatch):
    threads = []

    def work(quick, report):
        threads.append((torch.get_num_threads(), quick))
        report.step(1, 2, "half")
        yield BenchResult("tiny", "case", 1.0, "other", 2.0, 2.0, "", "")

    monkeypatch.setattr(contract.BENCHES, "get", lambda name: BenchSpec(name, "Tiny", work))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seen = []
    try:
        lines = contract.run(["tiny", "tiny"], True, Reporter(seen.append))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert threads == [(1, True), (1, True)]
    assert [line.ratio for line in lines] == [2.0, 2.0]
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


@pytest.mark.parametrize("measure", [contract.seconds, contract.wall_seconds])
def test_smallest_time_and_last_result(monkeypatch, measure):
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 23.0])
    monkeypatch.setattr(time, "process_time" if measure is contract.seconds else "perf_counter", lambda: next(clock))
    results = iter("abc")
    assert measure(lambda: next(results), 3) == (2.0, "c")
