"""The machine: torch loaded after the window is up, device and memory in the top bar, samples, diagnostics."""

from __future__ import annotations

import json
from functools import partial
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QMenu

from app import workspaces
from app.controllers.context import Context
from app.controllers.files import FilesController
from engine.core.errors import EngineError
from engine.core.records.machine import DoctorReport
from engine.core.records.plain import plain
from engine.core.requests import PhantomSettings
from engine.core.types import Kind

_MEMORY_MS = 2000

#: Phantoms of the sample menu: title, settings. Made on demand, so they cost no space.
PHANTOMS: Final = (
    ("Phantom, cine (12 frames)", PhantomSettings(Kind.CINE, frames=12)),
    ("Phantom, MOLLI 5(3)3", PhantomSettings(Kind.MOLLI)),
    ("Phantom, T2-prepared", PhantomSettings(Kind.T2PREP)),
)


class MachineController(QObject):
    """Tells about the machine.

    Signals
    -------
    device_told(words), memory_told(words)
        For the top bar.
    ready()
        Torch is loaded.
    """

    device_told = Signal(str)
    memory_told = Signal(str)
    ready = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__(context.window)
        self._c = context
        self._timer = QTimer(self)
        self._timer.setInterval(_MEMORY_MS)
        self._timer.timeout.connect(self._tell_memory)

    def start(self) -> None:
        """Load what reconstructions need, in the background; then say what they run on."""
        self._timer.start()
        self._tell_memory()
        handle = self._c.runner.submit("gpu", "Loading", lambda _: self._c.api.warm_up(), quiet=True)
        handle.succeeded.connect(self._on_warm)
        handle.failed.connect(partial(self._c.errors.report, "Loading torch"))

    def stop(self) -> None:
        """Stop looking at the machine."""
        self._timer.stop()

    def _on_warm(self, _: object) -> None:
        device = self._c.settings.get("methods/device")
        handle = self._c.runner.submit("gpu", "Device", lambda _: self._c.api.device_label(device), quiet=True)
        handle.succeeded.connect(self.device_told.emit)
        handle.failed.connect(partial(self._c.errors.report, "Device"))
        pages = self._c.runner.submit("io", "Pages", lambda _: workspaces.preload(), quiet=True)
        pages.failed.connect(partial(self._c.errors.report, "Plots"))
        self.ready.emit()

    def _tell_memory(self) -> None:
        used, total = self._c.api.memory()
        self.memory_told.emit(f"{used / 1024:.1f} / {total / 1024:.0f} GiB")

    # --- samples -------------------------------------------------------------------------------------------------------

    def fill_samples(self, menu: QMenu, files: FilesController) -> None:
        """Fill a menu with the samples and the phantoms."""
        menu.clear()
        menu.setToolTipsVisible(True)
        try:
            samples = self._c.api.samples()
        except EngineError as error:
            self._c.errors.report("Samples", error)
            samples = []
        for sample in samples:
            action = menu.addAction(sample.title)
            action.setObjectName(f"sample.{sample.name}")
            action.setToolTip(f"{sample.description}\n{sample.licence}")
            action.setStatusTip(sample.description)
            action.triggered.connect(partial(_open_sample, files, sample.name))
        menu.addSeparator()
        for title, settings in PHANTOMS:
            action = menu.addAction(title)
            action.setObjectName(f"phantom.{settings.kind}")
            action.triggered.connect(partial(_make_phantom, files, settings))

    # --- diagnostics ---------------------------------------------------------------------------------------------------

    def show_doctor(self) -> None:
        """Collect what a bug report needs, in the background, and show it."""
        handle = self._c.runner.submit("gpu", "Diagnostics", lambda _: self._c.api.doctor())
        handle.succeeded.connect(self._on_doctor)
        handle.failed.connect(partial(self._c.errors.report, "Diagnostics"))

    def _on_doctor(self, found: DoctorReport) -> None:
        from app.dialogs.base import TextDialog

        TextDialog("Diagnostics", json.dumps(plain(found), indent=2), "doctor", self._c.window).open()


def _open_sample(files: FilesController, name: str, *_: object) -> None:
    files.open_sample(name)


def _make_phantom(files: FilesController, settings: PhantomSettings, *_: object) -> None:
    files.make_phantom(settings)
