"""How long work says how far it is and learns that it should stop. Standard library only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.core.errors import Cancelled

MIN_INTERVAL_SECONDS = 0.05

Check = Callable[[], None]  # called now and then by long work; raises ``Cancelled`` to stop it: :meth:`Reporter.check`


def no_check() -> None:
    """Never cancel."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    ``done`` of ``total`` steps of ``stage``; ``eta_seconds`` is None until it can be told.
    """

    done: float
    total: float
    stage: str
    eta_seconds: float | None = None

    @property
    def fraction(self) -> float:
        """Share done, between 0 and 1."""
        return min(1.0, max(0.0, self.done / self.total)) if self.total > 0 else 0.0


class CancelToken:
    """A flag that one thread raises and another one reads."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the job that holds this token to stop."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise ``Cancelled`` if somebody asked."""
        if self.cancelled:
            raise Cancelled


class Reporter:
    """Passed into long engine functions.

    Parameters
    ----------
    sink
        Receives :class:`Progress`, in the worker's thread, at most every 50 ms for all parts together (the last step always).
    token
        Cancellation flag; ``check`` raises ``Cancelled`` once it is set.
    deliver
        Receives parts of the result while the work goes on, in the worker's thread, also when it is being cancelled.
    """

    def __init__(
        self,
        sink: Callable[[Progress], None] | None = None,
        token: CancelToken | None = None,
        deliver: Callable[[Any], None] | None = None,
    ) -> None:
        self._sink = sink
        self._deliver = deliver
        self.token = token or CancelToken()
        self._whole = self
        self._last = 0.0
        self._offset = 0.0
        self._share = 1.0
        self._began = time.monotonic()
        self._prefix = ""

    def check(self) -> None:
        """Raise ``Cancelled`` if the user asked to stop."""
        self.token.check()

    def deliver(self, part: Any) -> None:
        """Hand over a part of the result that is finished."""
        if self._deliver is not None:
            self._deliver(part)

    def step(self, done: float, total: float, stage: str) -> None:
        """Report ``done`` of ``total`` steps of ``stage``, and check for cancellation."""
        self.check()
        if self._sink is None:
            return
        now = time.monotonic()
        fraction = self._offset + self._share * (min(1.0, done / total) if total > 0 else 0.0)
        if now - self._whole._last < MIN_INTERVAL_SECONDS and fraction < 1.0:
            return
        self._whole._last = now
        spent = now - self._began
        eta = spent * (1.0 - fraction) / fraction if fraction > 0.02 and spent > 0.2 else None
        self._sink(Progress(fraction, 1.0, self._prefix + stage, eta))

    def part(self, offset: float, share: float, prefix: str = "") -> Reporter:
        """Return a reporter for a part of this job: its 0..1 maps to ``offset .. offset + share`` of the whole."""
        child = Reporter(self._sink, self.token, self._deliver)
        child._offset = self._offset + self._share * offset
        child._share = self._share * share
        child._began = self._began
        child._whole = self._whole
        child._prefix = self._prefix + prefix
        return child


def silent() -> Reporter:
    """Return a reporter that reports to nobody and is never cancelled."""
    return Reporter()
