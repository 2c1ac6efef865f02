"""The budget of memory: what undo and derived pictures may hold together."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QInputDialog

from app.controllers.context import Context
from app.display.scene import CACHE
from app.document.memory import shares

SHARE: Final = 8
"""One over this part of the machine's memory is the budget, unless a person chose another."""
MIB: Final = 1 << 20
LARGEST_MIB: Final = 1 << 24


class MemoryController(QObject):
    """Divides the budget, and asks for another."""

    def __init__(self, context: Context) -> None:
        super().__init__(context.window)
        self._c = context
        self._usual_mib = max(1, int(context.api.memory()[1]) // SHARE)
        self.divide()

    @property
    def budget_mib(self) -> int:
        """The budget: what a person chose, else an eighth of the machine's memory."""
        return int(self._c.settings.get("memory/budget_mib")) or self._usual_mib

    def divide(self) -> None:
        """Give undo and the derived pictures their shares; what they hold beyond them goes."""
        undo, pictures = shares(self.budget_mib * MIB)
        CACHE.set_budget(pictures)
        self._c.session.set_budget(undo)

    def ask(self) -> None:
        """Ask for the budget."""
        dialog = QInputDialog(self._c.window)
        dialog.setObjectName("memory")
        dialog.setWindowTitle("Memory for undo")
        dialog.setLabelText(
            "What undo keeps (removed series, results and maps) and derived pictures may hold together, in MiB.\n"
            f"The oldest steps are forgotten first. 0: an eighth of this machine's memory ({self._usual_mib:,} MiB)."
        )
        dialog.setInputMode(QInputDialog.InputMode.IntInput)
        dialog.setIntRange(0, LARGEST_MIB)
        dialog.setIntStep(256)
        dialog.setIntValue(int(self._c.settings.get("memory/budget_mib")))
        dialog.intValueSelected.connect(self._choose)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _choose(self, mib: int) -> None:
        self._c.settings.set("memory/budget_mib", mib)
        self.divide()
        self._c.say(f"Undo and derived pictures may hold {self.budget_mib:,} MiB")
