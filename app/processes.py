"""A training run in a process of its own. The only file of the window that knows processes.

Its events are JSON lines on standard output, read as they arrive (nothing here ever waits); what it writes to standard error is
kept for the case that it dies. The run hears through its folder (``engine.api.tell_run``).
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

import engine
from engine.core.records.events import Event, from_table

LOG = logging.getLogger(__name__)

PROGRAM: Final = (sys.executable, "-m", "engine", "train")
KEPT_LINES: Final = 200
NICENESS: Final = 10
KILL_MS: Final = 3000


class TrainingProcess(QObject):
    """``python -m engine train ...`` and what it tells.

    Signals
    -------
    event_read(Event)
        An event of the run.
    ended(code)
        The process is gone: 0 when it came to its end, 2 when it refused (see :attr:`error_lines`), anything else is a crash.
    """

    event_read = Signal(object)
    ended = Signal(int)

    def __init__(self, arguments: Sequence[str], parent: QObject | None = None, program: Sequence[str] = PROGRAM) -> None:
        super().__init__(parent)
        self.error_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._pending = self._error_rest = b""
        self._done = False
        self._process = QProcess(self)
        self._process.setProgram(program[0])
        self._process.setArguments([*program[1:], *arguments])
        self._process.setProcessEnvironment(_environment())
        self._process.started.connect(self._be_polite)
        self._process.readyReadStandardOutput.connect(self._read_events)
        self._process.readyReadStandardError.connect(self._read_errors)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return not self._done

    @property
    def pid(self) -> int:
        """Number of the process, 0 when there is none."""
        return int(self._process.processId())

    def start(self) -> None:
        """Start it."""
        self._process.start()

    def kill(self) -> None:
        """End the process at once; its last checkpoint stays."""
        self._process.kill()

    def wait(self, milliseconds: int = KILL_MS) -> bool:
        """Wait for the end (only when the window is closing); return whether it came."""
        return self._done or self._process.waitForFinished(milliseconds)

    def error_text(self, lines: int = 12) -> str:
        """Return the last lines of standard error."""
        return "\n".join(list(self.error_lines)[-lines:])

    def refusal(self) -> tuple[str, str]:
        """Return message and hint of an error that the engine raised on purpose, ("", "") when there is none."""
        found = {"error": "", "hint": ""}
        for line in self.error_lines:
            word, _, rest = line.partition(": ")
            if word in found:
                found[word] = rest
        return found["error"], found["hint"]

    def _be_polite(self) -> None:
        # Threads that it starts later inherit this: what a person does in the window goes first.
        import psutil

        try:
            level = psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else NICENESS
            psutil.Process(self.pid).nice(level)
        except (OSError, psutil.Error) as error:
            LOG.info("the training process runs at usual priority: %s", error)

    def _read_events(self) -> None:
        *lines, self._pending = (self._pending + bytes(self._process.readAllStandardOutput().data())).split(b"\n")
        for line in lines:
            event = _event(line)
            if event is not None:
                self.event_read.emit(event)

    def _read_errors(self) -> None:
        *lines, self._error_rest = (self._error_rest + bytes(self._process.readAllStandardError().data())).split(b"\n")
        self.error_lines += [line.decode("utf-8", "replace").rstrip() for line in lines if line.strip()]

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:
            self.error_lines.append(f"{self._process.program()} cannot be started: {self._process.errorString()}")
            self._end(-1)

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read_events()
        self._read_errors()
        if self._error_rest.strip():
            self.error_lines.append(self._error_rest.decode("utf-8", "replace").rstrip())
        self._end(code if status is QProcess.ExitStatus.NormalExit else -1)

    def _end(self, code: int) -> None:
        if not self._done:
            self._done = True
            self.ended.emit(code)


def _event(line: bytes) -> Event | None:
    """Return the event of a line, None for what a library printed between them."""
    try:
        found = json.loads(line)
    except ValueError:
        if line.strip():
            LOG.info("training: %s", line[:200])
        return None
    return from_table(found) if isinstance(found, dict) else None


def _environment() -> QProcessEnvironment:
    environment = QProcessEnvironment.systemEnvironment()
    # The same program, wherever the window was started from.
    paths = [str(Path(engine.__file__).resolve().parents[1]), environment.value("PYTHONPATH")]
    environment.insert("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    environment.insert("PYTHONUNBUFFERED", "1")
    environment.insert("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the processor to the window
    return environment
