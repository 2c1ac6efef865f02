from __future__ import annotations

from engine.bench import io
from engine.core.jobs import silent


def test_bench_compares_equal_results(monkeypatch):
    monkeypatch.setattr(io, "QUICK_SHAPE", (3, 2, 2, 60, 40))
    lines = list(io.run(True, silent()))
    assert [line.other for line in lines].count("raw file read") == 1
    assert len(lines) == 7
    for line in lines:
        assert line.difference == "max |a - b| 0"
        assert line.ratio > 0
        assert line.ours_s > 0


def test_gap_to_the_raw_bytes_is_measured(monkeypatch):
    monkeypatch.setattr(io, "QUICK_SHAPE", (3, 2, 2, 60, 40))
    raw = io._raw
    monkeypatch.setattr(io, "_raw", lambda *given: [part + 1 for part in raw(*given)])
    wrong = [line.difference for line in io.run(True, silent()) if line.other == "raw file read"]
    assert wrong == ["max |a - b| 1"]
