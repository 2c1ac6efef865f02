"""Background work: lanes over thread pools. The only file of the window that knows threads.

Everything a :class:`JobHandle` emits arrives on the GUI thread, so that any slot or plain function may be connected to it. A job
submitted with a ``key`` replaces the one submitted before with the same key: the older is cancelled and what it still delivers is
dropped (its generation is no longer current).
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any, Final

from PySide6.QtCore import QObject, QRunnable, Qt, QThreadPool, Signal

from engine.core.errors import Cancelled, EngineError
from engine.core.jobs import CancelToken, Progress, Reporter

LOG = logging.getLogger(__name__)

Work = Callable[[Reporter], Any]

#: Lane -> how many of its jobs run at once. One on the GPU lane: two would only fight for memory.
LANES: Final = {"gpu": 1, "cpu": 1, "io": 2}

# Deep networks and HDF5 filters recurse further than the half megabyte that macOS gives to secondary threads.
STACK_BYTES: Final = 16 * 1024 * 1024

_unstopped: list[QThreadPool] = []


def unstopped() -> bool:
    """Whether work goes on that did not stop when its window closed: then nothing ends the process but leaving it at once."""
    return any(pool.activeThreadCount() for pool in _unstopped)


class _Wire(QObject):
    """Carries what happens in a worker to the GUI thread, where this object lives."""

    progressed = Signal(object)
    delivered = Signal(object)
    ended = Signal(object, object, str)  # result, exception or None, traceback text
    started = Signal()


class JobHandle(QObject):
    """One job as the window sees it.

    Signals
    -------
    started()
        Its lane got to it.
    progressed(Progress)
        How far it is, at most 20 times a second.
    delivered(part)
        A part of the result is finished; also while it is being cancelled, never after the end.
    succeeded(result), failed(exception, traceback text), cancelled()
        Exactly one of them.
    finished()
        Always, and always last.
    """

    started = Signal()
    progressed = Signal(object)
    delivered = Signal(object)
    succeeded = Signal(object)
    failed = Signal(object, str)
    cancelled = Signal()
    finished = Signal()

    def __init__(self, title: str, lane: str, key: str, generation: int, quiet: bool, runner: JobRunner) -> None:
        super().__init__(runner)
        self._runner = runner
        self.title = title
        self.lane = lane
        self.key = key
        self.generation = generation
        self.quiet = quiet
        self.token = CancelToken()
        self.running = False
        self.done = False
        self.progress: Progress | None = None
        self._wire = _Wire(self)
        self._wire.started.connect(self._on_started, Qt.ConnectionType.QueuedConnection)
        self._wire.progressed.connect(self._on_progressed, Qt.ConnectionType.QueuedConnection)
        self._wire.delivered.connect(self._on_delivered, Qt.ConnectionType.QueuedConnection)
        self._wire.ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    def cancel(self) -> None:
        """Ask the job to stop; it answers with ``cancelled`` at its next check, or at once when its lane had not got to it."""
        if not self.done and not self.token.cancelled and not self._runner.withdraw(self):
            self.token.cancel()
            self._runner.changed.emit()

    @property
    def cancelling(self) -> bool:
        """Whether it was asked to stop and has not yet."""
        return self.token.cancelled and not self.done

    def _on_started(self) -> None:
        if not self.done:
            self.running = True
            self.started.emit()

    def _on_progressed(self, progress: Progress) -> None:
        if not self.done and not self.token.cancelled:
            self.progress = progress
            self.progressed.emit(progress)

    def _on_delivered(self, part: Any) -> None:
        if not self.done and self._runner.is_current(self):
            self.delivered.emit(part)

    def _on_ended(self, result: Any, error: BaseException | None, text: str) -> None:
        self._runner.conclude(self, result, error, text)


class _Task(QRunnable):
    """Runs the work in a pool thread and reports through the wire; nothing of Qt enters the work."""

    def __init__(self, work: Work, handle: JobHandle) -> None:
        super().__init__()
        self.setAutoDelete(False)
        self._work: Work | None = work
        self._token = handle.token
        self._wire = handle._wire

    def run(self) -> None:
        """Do the work (called by the pool)."""
        work, self._work = self._work, None
        result: Any = None
        error: BaseException | None = None
        text = ""
        try:
            assert work is not None
            if self._token.cancelled:
                raise Cancelled
            self._say(self._wire.started)
            result = work(
                Reporter(
                    lambda progress: self._say(self._wire.progressed, progress),
                    self._token,
                    lambda part: self._say(self._wire.delivered, part),
                )
            )
        except Cancelled as stop:
            error = stop
        except BaseException as failure:  # noqa: BLE001 - the one place where a worker's failure is turned into a message
            error = failure
            text = traceback.format_exc()
        if error is not None:
            # Frames hold the work's arrays alive for as long as the exception is shown.
            error = error.with_traceback(None)
            error.__context__ = None
            error.__cause__ = None
        del work
        self._say(self._wire.ended, result, error, text)

    def drop(self) -> None:
        """Let go of work that will not be done, and of all that it holds."""
        self._work = None

    @staticmethod
    def _say(signal: Any, *values: Any) -> None:
        try:
            signal.emit(*values)
        except RuntimeError:
            # The window is gone; nobody listens any more.
            LOG.debug("a late answer was dropped")


class JobRunner(QObject):
    """Starts jobs on lanes, keeps track of them, and ends them all.

    Signals
    -------
    changed()
        A job was added, progressed, or ended: for the indicator.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pools: dict[str, QThreadPool] = {}
        for name, count in LANES.items():
            pool = QThreadPool(self)
            pool.setObjectName(f"jobs.{name}")
            pool.setMaxThreadCount(count)
            pool.setStackSize(STACK_BYTES)
            # Threads are kept: libraries such as OpenMP set themselves up once per thread.
            pool.setExpiryTimeout(-1)
            self._pools[name] = pool
        self._generations: dict[str, int] = {}
        self._live: dict[JobHandle, _Task] = {}
        self._closed = False

    def submit(self, lane: str, title: str, work: Work, *, key: str = "", quiet: bool = False, priority: int = 0) -> JobHandle:
        """Queue ``work(report)`` on ``lane`` and return its handle.

        Parameters
        ----------
        key
            Jobs of one key replace each other. "" never replaces.
        quiet
            Not shown in the job indicator.
        priority
            Larger goes first among those waiting in the lane.
        """
        if lane not in self._pools:
            raise ValueError(f"unknown lane {lane!r} (expected one of {', '.join(self._pools)})")
        if key:
            self._generations[key] = self._generations.get(key, 0) + 1
            self.cancel(self.active(key))
        handle = JobHandle(title, lane, key, self._generations.get(key, 0), quiet, self)
        task = _Task(work, handle)
        handle.progressed.connect(self._tell)
        handle.started.connect(self._tell)
        if self._closed:
            handle.token.cancel()
            handle.done = True
            return handle
        self._live[handle] = task
        self._pools[lane].start(task, priority)
        self.changed.emit()
        return handle

    def active(self, key: str | None = None) -> list[JobHandle]:
        """Return the jobs that have not ended, oldest first; only those of ``key`` when given."""
        return [handle for handle in self._live if key is None or handle.key == key]

    def visible(self) -> list[JobHandle]:
        """Return the jobs that have not ended and that a person should see."""
        return [handle for handle in self._live if not handle.quiet]

    def is_current(self, handle: JobHandle) -> bool:
        """Whether no newer job of the same key was submitted."""
        return not handle.key or self._generations.get(handle.key) == handle.generation

    def shutdown(self, seconds: float = 10.0) -> bool:
        """Cancel everything, wait, and say whether all workers came to an end in time. Further jobs are never begun."""
        self._closed = True
        self.cancel(self.active())
        until = time.monotonic() + seconds
        ended = True
        for pool in self._pools.values():
            pool.clear()
            left = max(0, int(1000 * (until - time.monotonic())))
            ended = pool.waitForDone(left) and ended
        if not ended:
            LOG.warning("some work did not stop within %.0f s", seconds)
            # A pool that is destroyed waits for its threads, and these for the interpreter that destroys it.
            for pool in self._pools.values():
                pool.setParent(None)
                _unstopped.append(pool)
        self._live.clear()
        return ended

    def _tell(self, *_: object) -> None:
        self.changed.emit()

    def cancel(self, handles: Iterable[JobHandle]) -> None:
        """Ask several jobs to stop: those that wait first, for a lane that gets free begins the next of them."""
        for handle in [one for one in handles if not self.withdraw(one)]:
            handle.cancel()

    def withdraw(self, handle: JobHandle) -> bool:
        """Take a job that waits out of its lane's queue, cancelled; return False for one that has left it."""
        task = self._live.get(handle)
        if task is None or not self._pools[handle.lane].tryTake(task):
            return False
        handle.token.cancel()
        task.drop()
        handle._wire.ended.emit(None, Cancelled(), "")
        self.changed.emit()
        return True

    def conclude(self, handle: JobHandle, result: Any, error: BaseException | None, text: str) -> None:
        """Say how a job ended (called by the handle, on the GUI thread)."""
        if handle.done or self._closed:
            return
        handle.done = True
        handle.running = False
        self._live.pop(handle, None)
        stale = handle.token.cancelled or not self.is_current(handle)
        try:
            if isinstance(error, Cancelled) or stale:
                if error is not None and not isinstance(error, Cancelled):
                    LOG.info("%s failed after it was no longer wanted: %s", handle.title, error)
                handle.cancelled.emit()
            elif error is not None:
                if isinstance(error, EngineError):
                    # Raised on purpose, shown in the window: no matter for the terminal.
                    LOG.info("%s failed\n%s", handle.title, text)
                else:
                    LOG.error("%s failed\n%s", handle.title, text)
                handle.failed.emit(error, text)
            else:
                handle.succeeded.emit(result)
        finally:
            handle.finished.emit()
            self.changed.emit()
            handle.deleteLater()
