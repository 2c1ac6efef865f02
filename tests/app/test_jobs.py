"""Lanes, order of signals, cancellation, generations, shutdown."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from PySide6.QtCore import QThread

from app.jobs import LANES, JobRunner
from engine.core.errors import InputError
from tests.app.finding import find


@pytest.fixture
def runner(qtbot):
    made = JobRunner()
    yield made
    assert made.shutdown(5)
    made.deleteLater()


def listen(handle):
    heard = []
    handle.started.connect(lambda: heard.append("started"))
    handle.progressed.connect(lambda p: heard.append(("progressed", p.fraction)))
    handle.succeeded.connect(lambda r: heard.append(("succeeded", r)))
    handle.failed.connect(lambda e, t: heard.append(("failed", e, t)))
    handle.cancelled.connect(lambda: heard.append("cancelled"))
    handle.finished.connect(lambda: heard.append("finished"))
    return heard


def test_success_is_told_on_the_gui_thread_and_finished_is_last(qtbot, runner):
    threads = []

    def work(report):
        threads.append(threading.current_thread())
        report.step(1, 2, "half")
        return 42

    handle = runner.submit("cpu", "Work", work)
    heard = listen(handle)
    handle.succeeded.connect(lambda _: threads.append(QThread.currentThread()))
    with qtbot.waitSignal(handle.finished):
        pass
    assert heard == ["started", ("progressed", 0.5), ("succeeded", 42), "finished"]
    assert threads[0] is not threading.main_thread()
    assert threads[1] is runner.thread()
    assert handle.done
    assert not runner.active()


@pytest.mark.parametrize(("error", "level"), [(InputError("too few", "Take more."), "INFO"), (KeyError("x"), "ERROR")])
def test_only_defects_are_printed_in_the_terminal(qtbot, runner, caplog, error, level):
    def work(report):
        raise error

    caplog.set_level("INFO")
    handle = runner.submit("io", "Fails", work)
    with qtbot.waitSignal(handle.finished):
        pass
    assert [record.levelname for record in caplog.records if "Fails failed" in record.message] == [level]


def test_failure_carries_exception_and_traceback_but_no_frames(qtbot, runner):
    def work(report):
        raise InputError("too few (expected 3 / found 1)", "Take more.")

    handle = runner.submit("io", "Fails", work)
    heard = listen(handle)
    qtbot.waitUntil(lambda: "finished" in heard)
    _, error, text = heard[1]
    assert isinstance(error, InputError)
    assert error.__traceback__ is None
    assert "in work" in text


def test_every_exception_is_caught_even_system_exit(qtbot, runner):
    def work(report):
        raise SystemExit(3)

    handle = runner.submit("cpu", "Exits", work)
    heard = listen(handle)
    qtbot.waitUntil(lambda: "finished" in heard)
    assert isinstance(heard[1][1], SystemExit)


def test_cancel_is_answered_at_the_next_check(qtbot, runner):
    begun, asked, steps = threading.Event(), threading.Event(), []

    def work(report):
        for step in range(3):
            report.step(step, 3, "slow")
            steps.append(step)
            begun.set()
            asked.wait(5)

    handle = runner.submit("gpu", "Slow", work)
    heard = listen(handle)
    qtbot.waitUntil(begun.is_set)
    handle.cancel()
    assert handle.cancelling
    asked.set()
    qtbot.waitUntil(lambda: "finished" in heard)
    assert steps == [0]
    assert heard[-2:] == ["cancelled", "finished"]
    assert not any(isinstance(h, tuple) and h[0] == "succeeded" for h in heard)


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(qtbot, runner):
    gate, ran = threading.Event(), []
    first = runner.submit("gpu", "First", lambda _: gate.wait(5))
    second = runner.submit("gpu", "Second", lambda _: ran.append(1))
    heard = listen(second)
    second.cancel()
    qtbot.waitUntil(lambda: heard == ["cancelled", "finished"])
    assert runner.active() == [first]
    gate.set()
    qtbot.waitUntil(lambda: not runner.active())
    assert not ran


def test_a_newer_job_of_the_same_key_drops_the_older_answer(qtbot, runner):
    gate = threading.Event()

    def deaf(report):
        gate.wait(5)  # never checks
        return "old"

    old = runner.submit("cpu", "Old", deaf, key="preview")
    heard_old = listen(old)
    qtbot.waitUntil(lambda: "started" in heard_old)
    new = runner.submit("cpu", "New", lambda _: "new", key="preview")
    heard_new = listen(new)
    gate.set()
    qtbot.waitUntil(lambda: "finished" in heard_new)
    assert heard_old == ["started", "cancelled", "finished"]
    assert ("succeeded", "new") in heard_new
    assert runner.is_current(new)
    assert not runner.is_current(old)


@pytest.mark.parametrize(("lane", "most"), LANES.items())
def test_lanes_run_so_many_at_once(qtbot, runner, lane, most):
    running, peak, lock = [0], [0], threading.Lock()

    def work(report):
        with lock:
            running[0] += 1
            peak[0] = max(peak[0], running[0])
        time.sleep(0.05)
        with lock:
            running[0] -= 1

    for _ in range(4):
        runner.submit(lane, "Job", work)
    qtbot.waitUntil(lambda: not runner.active())
    assert peak[0] == most


def test_higher_priority_goes_first(qtbot, runner):
    gate, order = threading.Event(), []
    blocker = runner.submit("cpu", "Blocks", lambda _: gate.wait(5))
    heard = listen(blocker)
    qtbot.waitUntil(lambda: "started" in heard)
    runner.submit("cpu", "Low", lambda _: order.append("low"), priority=0)
    runner.submit("cpu", "High", lambda _: order.append("high"), priority=10)
    gate.set()
    qtbot.waitUntil(lambda: len(order) == 2)
    assert order == ["high", "low"]
    qtbot.waitUntil(lambda: not runner.active())


def test_quiet_jobs_are_not_shown(qtbot, runner):
    gate = threading.Event()
    runner.submit("cpu", "Quiet", lambda _: gate.wait(5), quiet=True)
    seen = runner.submit("io", "Seen", lambda _: gate.wait(5))
    assert runner.visible() == [seen]
    gate.set()
    qtbot.waitUntil(lambda: not runner.active())


def test_shutdown_cancels_running_and_waiting_and_later_ones(qtbot):
    runner, ran = JobRunner(), []

    def slow(report):
        while True:
            report.check()
            time.sleep(0.005)

    runner.submit("gpu", "Slow", slow)
    runner.submit("gpu", "Waits", lambda _: ran.append(1))
    assert runner.shutdown(5)
    runner.submit("gpu", "Late", lambda _: ran.append(2))
    assert runner.shutdown(5)
    assert not ran
    runner.deleteLater()


@pytest.mark.parametrize("how", ["shutdown", "a newer job of the same key"])
def test_a_lane_that_gets_free_does_not_begin_what_is_being_cancelled(qtbot, how):
    runner, ran, begun = JobRunner(), [], threading.Event()

    def slow(report):
        begun.set()
        while True:
            report.check()
            time.sleep(0.001)

    running = runner.submit("gpu", "Slow", slow, key="one")
    waiting = runner.submit("gpu", "Waits", lambda _: ran.append("waiting"))
    waiting.key = "one"
    assert begun.wait(5)
    stop = running.token.cancel

    def and_wait():
        # The lane has all the time it needs to go on before the next job is cancelled.
        stop()
        find(runner, "jobs.gpu").waitForDone(1000)

    running.token.cancel = and_wait
    if how == "shutdown":
        assert runner.shutdown(5)
    else:
        newest = runner.submit("gpu", "Newest", lambda _: ran.append("newest"), key="one")
        qtbot.waitUntil(lambda: newest.done)
    assert ran == ([] if how == "shutdown" else ["newest"])
    assert runner.shutdown(5)
    runner.deleteLater()


DEAF = """
import os, threading, time
import shiboken6
from PySide6.QtCore import QCoreApplication
from app.jobs import JobRunner, unstopped
application = QCoreApplication([])
runner = JobRunner()
begun = threading.Event()
runner.submit("cpu", "Deaf", lambda _: [begun.set() or time.sleep(0.01) for _ in range(6000)])
assert begun.wait(30)
assert not runner.shutdown(0.1)
shiboken6.delete(runner)
print(unstopped(), flush=True)
os._exit(0)
"""


def test_work_that_does_not_stop_does_not_hold_a_closing_window():
    # In a process of its own: what fails here never comes back.
    done = subprocess.run([sys.executable, "-c", DEAF], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True\n"


def test_unknown_lane(runner):
    with pytest.raises(ValueError, match=r"unknown lane 'tpu' \(expected one of gpu, cpu, io\)"):
        runner.submit("tpu", "x", lambda _: None)
