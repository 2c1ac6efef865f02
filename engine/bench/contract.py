"""What a benchmark is: ratios of CPU seconds of one thread, measured in one run, with the quality of both sides beside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from engine.core.jobs import Reporter
from engine.core.records.machine import BenchResult
from engine.core.registry import Registry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BenchSpec:
    """A benchmark: ``run(quick, report)`` yields its lines as they are measured; a peer that is not installed is left out."""

    name: str
    title: str
    run: Callable[[bool, Reporter], Iterator[BenchResult]]


BENCHES: Registry[BenchSpec] = Registry("benchmark", "engine.bench", "bench --list")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread inside the block. Others are not told: CPU time counts all their threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds(work: Callable[[], T], repeats: int = 3) -> tuple[float, T]:
    """Return the smallest CPU time of ``repeats`` calls of ``work`` in this process, in seconds, and its last result."""
    return _smallest(work, repeats, time.process_time)


def wall_seconds(work: Callable[[], T], repeats: int = 5) -> tuple[float, T]:
    """Return the smallest wall time of ``repeats`` calls of ``work`` in seconds, and its last result: for input and output."""
    return _smallest(work, repeats, time.perf_counter)


def _smallest(work: Callable[[], T], repeats: int, clock: Callable[[], float]) -> tuple[float, T]:
    best = float("inf")
    for _ in range(max(1, repeats)):
        began = clock()
        result = work()
        best = min(best, clock() - began)
    return best, result


def run(names: Sequence[str], quick: bool, report: Reporter) -> list[BenchResult]:
    """Run the named benchmarks (all when empty) on one thread and return their lines."""
    chosen = [BENCHES.get(name) for name in (names or BENCHES.names())]
    results: list[BenchResult] = []
    with one_thread():
        for index, spec in enumerate(chosen):
            report.step(index, len(chosen), spec.title)
            results.extend(spec.run(quick, report.part(index / len(chosen), 1 / len(chosen), f"{spec.title}: ")))
    report.step(1, 1, "done")
    return results
