"""Failures in words: what is shown, what is kept for a bug report, and the hook that catches what nobody expected."""

from __future__ import annotations

import logging
import sys
import traceback
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

from PySide6.QtCore import QObject, Signal

from engine.core.errors import EngineError
from engine.core.provenance import software

LOG = logging.getLogger(__name__)

KEPT = 50


@dataclass(frozen=True, slots=True)
class Notice:
    """One failure, or one remark, as it is shown.

    ``message`` is a sentence, ``hint`` what to do, ``details`` the traceback (for Copy, never shown unasked), ``expected`` whether
    the engine raised it on purpose.
    """

    what: str
    message: str
    hint: str = ""
    details: str = ""
    expected: bool = True

    def as_text(self) -> str:
        """Return everything, for the clipboard."""
        versions = ", ".join(f"{name} {number}" for name, number in software().items())
        lines = [f"{self.what}: {self.message}", f"hint: {self.hint}" if self.hint else "", versions, self.details]
        return "\n".join(line for line in lines if line)


def describe(what: str, error: BaseException, details: str = "") -> Notice:
    """Return the notice for ``error`` raised by ``what`` ("Open", "Reconstruct with CG-SENSE")."""
    if isinstance(error, EngineError):
        return Notice(what, error.message, error.hint, details)
    if isinstance(error, MemoryError):
        return Notice(what, "this machine ran out of memory", "Take fewer slices, or close other programs.", details)
    text = str(error).strip().split("\n", maxsplit=1)[0]
    message = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return Notice(what, message, "This is a defect of Myoscope. Copy the details into a report.", details, expected=False)


class ErrorCenter(QObject):
    """Where all failures arrive: logged, kept, and shown once.

    The same failure within a few seconds (a preview that fails with every move of a slider) is shown once.
    """

    shown = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.log: deque[tuple[datetime, Notice]] = deque(maxlen=KEPT)
        self._previous_hook = sys.excepthook

    def report(self, what: str, error: BaseException, details: str = "") -> Notice:
        """Keep a failure and show it."""
        notice = describe(what, error, details)
        self.tell(notice)
        return notice

    def tell(self, notice: Notice) -> None:
        """Keep a notice and show it, unless the same one is the latest and only seconds old."""
        now = datetime.now()
        same = bool(self.log) and self.log[-1][1].message == notice.message and (now - self.log[-1][0]).total_seconds() < 3
        self.log.append((now, notice))
        if not same:
            self.shown.emit(notice)

    def install(self) -> None:
        """Become ``sys.excepthook``: unexpected failures in slots are logged and shown, the window goes on."""
        self._previous_hook = sys.excepthook
        sys.excepthook = self._hook

    def remove(self) -> None:
        """Give ``sys.excepthook`` back."""
        if sys.excepthook == self._hook:
            sys.excepthook = self._previous_hook

    def _hook(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._previous_hook(kind, error, trace)
            return
        text = "".join(traceback.format_exception(kind, error, trace))
        LOG.error("unexpected failure\n%s", text)
        self.report("Unexpected", error, text)
