"""Progress is throttled, parts nest, cancellation is seen at the next step."""

from __future__ import annotations

import pytest

from engine.core.errors import Cancelled
from engine.core.jobs import CancelToken, Progress, Reporter, silent


def test_progress_is_throttled_but_the_end_is_always_told():
    seen: list[Progress] = []
    report = Reporter(seen.append)
    for i in range(1, 5001):
        report.step(i, 5000, "work")
    assert len(seen) < 50
    assert seen[-1].fraction == 1.0


def test_parts_map_into_the_whole():
    seen: list[Progress] = []
    report = Reporter(seen.append)
    report.part(0.5, 0.25, "slice 2: ").part(0.0, 1.0).step(1, 2, "fft")
    assert seen[-1].fraction == pytest.approx(0.625)
    assert seen[-1].stage == "slice 2: fft"


def test_cancel_raises_at_the_next_step_of_any_part():
    token = CancelToken()
    part = Reporter(None, token).part(0.1, 0.5)
    part.step(0, 1, "fine")
    token.cancel()
    with pytest.raises(Cancelled):
        part.step(1, 1, "too late")
    with pytest.raises(Cancelled):
        part.check()


def test_silent_reporter_is_never_cancelled():
    silent().step(1, 1, "x")


def test_parts_share_one_throttle():
    seen: list[Progress] = []
    report = Reporter(seen.append)
    for i in range(5000):
        report.part(i / 5000, 1 / 5000).step(1, 1, "slice")
    assert len(seen) < 50
    assert seen[-1].fraction == 1.0
