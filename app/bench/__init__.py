"""Benchmarks that need the window: ``myoscope bench`` runs them beside those of the engine, which knows no window."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from engine import api
from engine.core.jobs import Reporter
from engine.core.records.machine import BenchResult


def register(offscreen: bool) -> None:
    """Add the benchmarks of the window to those of the engine. Loads no window: that is done when one is run.

    ``offscreen`` says that there is no display.
    """
    api.add_benchmark("display", "panes on screen against pyqtgraph", partial(_display, offscreen))


def _display(offscreen: bool, quick: bool, report: Reporter) -> Iterator[BenchResult]:
    from app.bench.display import run

    return run(quick, report, offscreen)
