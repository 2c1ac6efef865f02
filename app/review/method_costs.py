"""What methods cost, found out in the background: multiply-accumulates of all, memory of the selected one on this series."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, QTimer

from app.controllers.context import Context
from app.document.state import Topic
from app.review.methods_panel import MethodsPanel

#: After everything else that computes.
LANE, PRIORITY = "cpu", -2
SETTLE_MS, BUSY_MS = 300, 1000


class MethodCostsController(QObject):
    """Fills the column of multiply-accumulates, one method after another, and tells memory before a run.

    Both are found on arrays without values, in up to a second each; while a reconstruction runs nothing is counted.
    """

    def __init__(self, context: Context, panel: MethodsPanel, busy: Callable[[], bool]) -> None:
        super().__init__(context.window)
        self._c, self._panel, self._busy = context, panel, busy
        self._asked: set[str] = set()
        self._counting = False
        self._next_timer, self._memory_timer = QTimer(self), QTimer(self)
        for timer, slot in ((self._next_timer, self._count_next), (self._memory_timer, self._foretell)):
            timer.setSingleShot(True)
            timer.timeout.connect(slot)
        for signal in (panel.method_selected, panel.model.modelReset):
            signal.connect(self._ask_memory)
        context.session.listen(self._ask_memory, Topic.CURRENT, Topic.SAMPLING)
        panel.model.modelReset.connect(self._count_next)

    def stop(self) -> None:
        """Ask for nothing more (the window closes)."""
        self._next_timer.stop()
        self._memory_timer.stop()

    # --- multiply-accumulates ------------------------------------------------------------------------------------------

    def _count_next(self) -> None:
        missing = [row for row in self._panel.model.rows() if row.trainable and row.macs is None and row.name not in self._asked]
        if self._counting or not missing:
            return
        if self._busy():
            self._next_timer.start(BUSY_MS)
            return
        name = missing[0].name
        self._asked.add(name)
        self._counting = True
        work = partial(self._c.api.method_macs, name)
        handle = self._c.runner.submit(LANE, f"Count {missing[0].title}", lambda _: work(), quiet=True, priority=PRIORITY)
        handle.succeeded.connect(partial(self._panel.model.set_macs, name))
        handle.failed.connect(partial(self._c.errors.report, f"Count {missing[0].title}"))
        handle.finished.connect(self._on_counted)

    def _on_counted(self) -> None:
        self._counting = False
        self._next_timer.start(0)

    # --- memory --------------------------------------------------------------------------------------------------------

    def _ask_memory(self, *_: object) -> None:
        self._panel.show_memory(None)
        self._memory_timer.start(SETTLE_MS)

    def _foretell(self) -> None:
        case, row = self._c.session.current, self._panel.model.row_of(self._panel.selected())
        if case is None or case.kspace is None or row is None:
            return
        if self._busy():
            self._memory_timer.start(BUSY_MS)
            return
        shape, mask, name = tuple(case.kspace.shape), case.mask, row.name
        device = self._c.settings.get("methods/device")
        work = partial(self._c.api.memory_estimate, name, shape, mask, row.chosen, row.settings, device)
        handle = self._c.runner.submit(
            LANE, f"Memory of {row.title}", lambda _: work(), key="methods.memory", quiet=True, priority=PRIORITY
        )
        handle.succeeded.connect(partial(self._on_memory, name))
        handle.failed.connect(partial(self._c.errors.report, f"Memory of {row.title}"))

    def _on_memory(self, name: str, mib: float | None) -> None:
        self._panel.model.set_memory(name, mib)
        if name == self._panel.selected():
            self._panel.show_memory(mib)
