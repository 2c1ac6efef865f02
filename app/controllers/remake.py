"""Results that a session file tells of but does not hold: made again with the settings they had."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Signal

from app.controllers.context import Context
from app.document.case import Case, Pending
from app.document.results import with_remade
from app.document.state import Topic
from engine.api.contract import EngineApi
from engine.core.errors import InputError
from engine.core.jobs import Reporter
from engine.core.requests import MethodFailed, MethodRequest, RunRequest, SliceDone
from engine.core.types import Reconstruction


class RemakeController(QObject):
    """Offers to make pending results again, and makes them: one job each, in the order of the session.

    Signals
    -------
    offered(count)
        This many results can be made again; 0 when there is nothing to offer.
    """

    offered = Signal(int)

    def __init__(self, context: Context) -> None:
        super().__init__(context.window)
        self._c = context
        context.session.listen(self._offer, Topic.CASES, Topic.CURRENT, Topic.PENDING)

    def _waiting(self) -> list[tuple[Case, Pending]]:
        """Return what is pending and not being made."""
        cases = self._c.session.cases
        return [(case, one) for case in cases for one in case.pending if not self._c.runner.active(_key(case, one))]

    def _offer(self) -> None:
        self.offered.emit(len(self._waiting()))

    def run(self) -> None:
        """Make all pending results again."""
        waiting = self._waiting()
        if not waiting:
            self._c.say("All results of the session are there")
        for case, pending in waiting:
            self._submit(case, pending)
        self._offer()

    def _submit(self, case: Case, pending: Pending) -> None:
        series = case.kspace
        if series is None:
            return
        request = RunRequest(
            series=series,
            methods=(MethodRequest(pending.method, pending.weights, pending.options),),
            mask=pending.mask if series.fully_sampled else None,
            slices=pending.slices,
            device=self._c.settings.get("methods/device"),
            reference=False,
        )
        work = partial(_make, self._c.api, request)
        handle = self._c.runner.submit("gpu", f"{pending.title}, again", work, key=_key(case, pending))
        handle.succeeded.connect(partial(self._on_made, case.key, pending))
        handle.failed.connect(partial(self._c.errors.report, f"Make {pending.title} again"))
        handle.finished.connect(self._offer)

    def _on_made(self, key: str, pending: Pending, made: Reconstruction) -> None:
        weights = made.provenance.get("weights")
        sha256 = str(weights.get("sha256") or "") if isinstance(weights, dict) else ""
        if pending.weights_sha256 and sha256 and sha256 != pending.weights_sha256:
            self._c.say(f"{pending.title}: the weights {pending.weights} are others than those of the session")
        self._c.session.edit_with(key, partial(_remade, pending, made, self._c.session.number()))


def _make(api: EngineApi, request: RunRequest, report: Reporter) -> Reconstruction:
    """Return what the one method of a run made of all its slices."""
    parts: list[SliceDone | MethodFailed] = []
    api.run(request, report, parts.append)
    for part in parts:
        if isinstance(part, MethodFailed):
            raise part.error
    made = [part.result for part in parts if isinstance(part, SliceDone)]
    report.check()
    if not made:
        raise InputError("no slice was asked for (expected at least one)", "Reconstruct it anew.")
    return made[-1]


def _remade(pending: Pending, made: Reconstruction, stamp: int, case: Case) -> Case:
    return with_remade(case, pending, made, stamp)


def _key(case: Case, pending: Pending) -> str:
    return f"remake.{case.key}.{pending.key}"
