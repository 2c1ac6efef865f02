"""A real process: its lines become events as they come, its last words are kept, it can be ended, and it is polite."""

from __future__ import annotations

import math
import sys

import psutil
import pytest

from app.processes import NICENESS, TrainingProcess
from engine.core.records.events import Started, Stepped


@pytest.fixture
def make(qtbot):
    made = []

    def run(code):
        process = TrainingProcess([], program=(sys.executable, "-u", "-c", code))
        events, codes = [], []
        process.event_read.connect(events.append)
        process.ended.connect(codes.append)
        made.append(process)
        process.start()
        return process, events, codes

    yield run
    for process in made:
        process.kill()
        process.wait()


def test_lines_become_events_even_when_they_come_in_pieces(make, qtbot):
    code = """
import sys, time
out = sys.stdout
out.write('{"event": "start", "folder": "/runs/a", "st'); out.flush(); time.sleep(0.2)
out.write('eps": 3}\\nnoise of a library\\n{"event": "step", "step": 1, "loss": null}\\n[1]\\n{"event": "end"}'); out.flush()
"""
    process, events, codes = make(code)
    qtbot.waitUntil(lambda: bool(codes), timeout=20_000)
    # The last line has no end: it was cut short.
    assert events[0] == Started("/runs/a", steps=3)
    assert [type(event) for event in events] == [Started, Stepped]
    assert math.isnan(events[1].loss)
    assert codes == [0]
    assert not process.running


def test_a_crash_leaves_its_last_words(make, qtbot):
    process, _, codes = make("import sys\nfor n in range(500): print('line', n, file=sys.stderr)\nraise SystemExit(7)")
    qtbot.waitUntil(lambda: bool(codes), timeout=20_000)
    assert codes == [7]
    assert process.error_text(2) == "line 498\nline 499"
    assert process.refusal() == ("", "")


def test_a_refusal_is_read_back(make, qtbot):
    process, _, codes = make("import sys\nprint('error: no data', 'hint: add some', sep='\\n', file=sys.stderr)\nsys.exit(2)")
    qtbot.waitUntil(lambda: bool(codes), timeout=20_000)
    assert codes == [2]
    assert process.refusal() == ("no data", "add some")


def test_killing_is_told_once_and_the_process_had_low_priority(make, qtbot):
    process, events, codes = make('import time\nprint(\'{"event": "paused", "step": 1}\')\ntime.sleep(60)')
    qtbot.waitUntil(lambda: bool(events), timeout=20_000)
    running = psutil.Process(process.pid)
    if sys.platform != "win32":
        assert running.nice() >= NICENESS
    process.kill()
    qtbot.waitUntil(lambda: bool(codes), timeout=20_000)
    assert codes == [-1]
    assert not running.is_running()


def test_a_program_that_is_not_there_is_told(qtbot):
    process = TrainingProcess([], program=("/nowhere/python",))
    with qtbot.waitSignal(process.ended, timeout=5000) as ended:
        process.start()
    assert ended.args == [-1]
    assert "cannot be started" in process.error_text()
