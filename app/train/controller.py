"""One training run at a time: started, watched, paused, stopped, discarded; what to do when its process dies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QMessageBox

from app.controllers.context import Context
from app.dialogs.closing import ClosingChoice
from app.processes import TrainingProcess
from app.settings import folder as settings_folder
from app.train.form import write_toml
from app.train.panel import TrainPanel
from app.train.run import REASONS, RunRecord, event_words
from app.train.runs_panel import TrainLogPanel
from app.train.values import duration_text
from engine.core.errors import EngineError, InputError
from engine.core.records.events import Event, Paused, Resumed, Started, Validation
from engine.core.records.training import ConfigValues, RunInfo
from engine.core.records.values import at, number_at

CONFIG: Final = "train-run.toml"
REFUSED: Final = 2
STATE_MS: Final = 200
GIVE_UP_MS: Final = 10_000
"""A run that is to be discarded and does not answer so long is ended."""


class TrainController(QObject):
    """Starts the process and keeps what is on screen in step with what it tells.

    Signals
    -------
    running_changed(bool)
        A run began or ended.
    progressed(str)
        How far the run is in short, "" when none is on.
    validated()
        There is a new score, and soon a checkpoint.
    ended(RunRecord)
        A run is over, however it ended.
    """

    running_changed = Signal(bool)
    progressed = Signal(str)
    validated = Signal()
    ended = Signal(object)

    def __init__(self, context: Context, panel: TrainPanel, log: TrainLogPanel, make: Callable[..., Any] = TrainingProcess) -> None:
        super().__init__(context.window)
        self._c, self._panel, self._log, self.make_process = context, panel, log, make
        self.run: RunRecord | None = None
        #: What is on screen: the run that is on, or one of the list.
        self.shown: tuple[RunRecord, ...] = ()
        self.paused = self._held = False
        self.process: Any = None
        self._minutes = 0.0
        self._wish = ""
        self._after: Callable[[], Any] | None = None
        self._crashed = self._stderr = ""
        self._asking: QMessageBox | None = None
        self._previews: tuple[str, ...] = ()
        self._state_timer = QTimer(self)
        self._state_timer.setSingleShot(True)
        self._state_timer.setInterval(STATE_MS)
        self._state_timer.timeout.connect(self._show_state)
        self._patience = QTimer(self)
        self._patience.setObjectName("train.patience")
        self._patience.setSingleShot(True)
        self._patience.setInterval(GIVE_UP_MS)
        self._patience.timeout.connect(self._give_up)
        panel.pause_requested.connect(self.toggle_pause)
        panel.stop_requested.connect(self.stop_run)
        panel.discard_requested.connect(self.discard_dialog)
        panel.crash.resume_requested.connect(lambda: self.resume(self._crashed))
        panel.crash.dismissed.connect(lambda: context.settings.set("train/active", ""))
        panel.crash.details_requested.connect(self._show_errors)

    @property
    def running(self) -> bool:
        """Whether a run is on."""
        return self.process is not None

    # --- begin ---------------------------------------------------------------------------------------------------------

    def start_run(self, values: ConfigValues) -> None:
        """Start a run with a configuration."""
        if self.running:
            return
        path = settings_folder() / CONFIG
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_toml(path, values)
        except (OSError, EngineError) as error:
            self._c.errors.report("Start training", error)
            return
        self._minutes = number_at(values, "run.minutes")
        run = RunRecord(title=str(values.get("name") or "run"), steps=int(number_at(values, "run.steps")))
        run.parent = str(at(values, "model.start") or "")
        self._begin(run, [str(path)])

    def resume(self, folder: str, record: RunRecord | None = None) -> None:
        """Go on with the run of a folder from its last checkpoint."""
        if not self.running and folder:
            run = record or RunRecord(folder, Path(folder).name)
            run.folder = folder
            self._minutes = 0.0
            self._begin(run, ["--resume", folder])

    def _begin(self, run: RunRecord, arguments: Sequence[str]) -> None:
        self.run, self._wish, self._previews = run, "", ()
        self._panel.crash.hide()
        self._panel.set_running(run.title)
        self._panel.set_state("Reading data and making the network…", 0.0)
        if not run.first_preview:
            self._panel.set_preview((), ())
        self._log.clear()
        self._write(f"{run.title} {'goes on' if run.folder else 'begins'}")
        self.paused = self._held = False
        process = self.process = self.make_process([*arguments, "--events", "-"], self)
        process.event_read.connect(self._on_event)
        process.ended.connect(self._on_ended)
        self.show_runs((run,))
        self.running_changed.emit(True)
        process.start()

    # --- what it tells -------------------------------------------------------------------------------------------------

    def show_runs(self, runs: Sequence[RunRecord]) -> None:
        """Show the curves of runs, the first in front, and the previews of the first."""
        self.shown = tuple(runs)
        self._panel.curves.set_runs(runs)
        if runs:
            self._load_preview(runs[0])

    def _on_event(self, event: Event) -> None:
        run = self.run
        if run is None:
            return
        run.take(event)
        if isinstance(event, Started):
            self._c.settings.set("train/active", run.folder)
            if self._wish:
                self._tell(self._wish)
        elif isinstance(event, Paused | Resumed):
            self._held = isinstance(event, Paused)
        elif isinstance(event, Validation):
            self.validated.emit()
        words = event_words(event)
        if words:
            self._write(words)
        if run in self.shown:
            self._panel.curves.refresh()
        if isinstance(event, Validation) and run in self.shown[:1]:
            self._load_preview(run)
        if not self._state_timer.isActive():
            self._state_timer.start()

    def _write(self, words: str) -> None:
        self._log.add(f"{datetime.now():%H:%M:%S}  {words}")

    def _show_state(self) -> None:
        run = self.run
        if run is None or not self.running:
            return
        self.progressed.emit("paused" if self.paused else f"{100 * run.fraction:.0f} %")
        if self._wish in ("stop", "discard"):
            return
        parts = [f"step {run.step} of {run.steps}", f"{duration_text(run.seconds)} so far"]
        left = run.seconds_left(self._minutes)
        if self.paused:
            parts.insert(0, "Paused" if self._held else "Pausing after the step in progress")
        elif left is not None:
            parts.append(f"about {duration_text(left)} left")
        if run.best is not None:
            parts.append(f"best {run.best:.2f} dB at step {run.best_step}")
        if run.device:
            parts.append(run.device)
        self._panel.set_state("   ".join(parts), run.fraction)

    def _load_preview(self, run: RunRecord) -> None:
        paths = tuple(dict.fromkeys(path for path in (run.first_preview, run.last_preview) if path))
        if paths == self._previews:
            return
        self._previews = paths
        handle = self._c.runner.submit("io", "Preview", lambda _: [_read(path) for path in paths], key="train.preview", quiet=True)
        handle.succeeded.connect(partial(self._on_preview, run))
        handle.failed.connect(lambda error, _: self._write(f"no preview: {error}"))

    def _on_preview(self, run: RunRecord, series: list[NDArray[np.float32]]) -> None:
        titles = ["before", f"now, step {run.last_preview_step}"] if len(series) > 1 else ["before"]
        self._panel.set_preview(titles[: len(series)], series)

    # --- end -----------------------------------------------------------------------------------------------------------

    def _on_ended(self, code: int) -> None:
        process, run = self.process, self.run
        assert run is not None
        self.process = None
        self._patience.stop()
        self._state_timer.stop()
        if self._asking is not None:
            self._asking.close()
        expected = code == 0 or self._wish in ("discard", "leave") or (self._wish == "stop" and not run.folder)
        if self._wish != "leave" and (code in (0, REFUSED) or expected):
            self._c.settings.set("train/active", "")
        self._panel.curves.draw()
        self._panel.set_idle(self._end_words(run), run.title)
        if not expected:
            self._tell_failure(run, process, code)
        self.progressed.emit("")
        self.running_changed.emit(False)
        self.ended.emit(run)
        process.deleteLater()
        after, self._after = self._after, None
        if after is not None:
            after()

    def _end_words(self, run: RunRecord) -> str:
        if self._wish == "discard":
            return "The run was discarded."
        if not run.reason:
            return "The run ended before it was finished." if run.folder else "The run did not begin."
        words = f"{REASONS.get(run.reason, run.reason)}, after {run.step} steps and {duration_text(run.seconds)}."
        if run.best is not None:
            words += f" Best {run.best:.2f} dB at step {run.best_step}."
        if run.weights:
            words += f" Weights {run.weights} are in the library."
        return words

    def _tell_failure(self, run: RunRecord, process: Any, code: int) -> None:
        self._crashed = run.folder
        self._stderr = process.error_text(200)
        message, hint = process.refusal()
        if code == REFUSED and message:
            self._write(f"error: {message}")
            self._c.errors.report("Train", InputError(message, hint), self._stderr)
            if run.step == 0:
                return
            words = f"{run.title} stopped at step {run.step}: {message}"
            lines = ""
        else:
            words = f"{run.title} ended unexpectedly at step {run.step}."
            lines = process.error_text(4)
            self._write(words)
        self._panel.crash.tell(words, lines, bool(run.folder) and run.step > 0)

    def offer(self, info: RunInfo) -> None:
        """Offer a run that was on when the program ended."""
        if not self.running:
            self._crashed, self._stderr = info.folder, ""
            words = f"{info.name} was being trained when the program ended, at step {info.step} of {info.steps}."
            self._panel.crash.tell(words, "", True)

    def _show_errors(self) -> None:
        from app.dialogs.base import TextDialog

        TextDialog("Output of the training process", self._stderr or "It wrote nothing.", "train.errors", self._c.window).open()

    # --- the three buttons ---------------------------------------------------------------------------------------------

    def toggle_pause(self) -> None:
        """Pause the run, or let it go on."""
        if not self.running or self._wish in ("stop", "discard"):
            return
        self.paused = not self.paused
        self._panel.set_paused(self.paused)
        self._ask("pause" if self.paused else "go")
        self._write("paused" if self.paused else "goes on")
        self._show_state()

    def stop_run(self) -> None:
        """End the run and keep its best weights."""
        if self.running and self._wish not in ("stop", "discard"):
            self._ask("stop")
            self._panel.set_ending("Stopping after the step in progress; the best weights go into the library…")

    def discard_dialog(self) -> None:
        """Ask, then throw the run away."""
        if not self.running or self.run is None or self._asking is not None:
            return
        run = self.run
        box = self._box(
            "train.discard.dialog", f"Discard {run.title}?", "Its checkpoints and its curves are deleted. There is no way back."
        )
        yes = box.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
        no = box.addButton("Go on training", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(no)
        box.setEscapeButton(no)
        box.buttonClicked.connect(lambda pressed: self.discard() if pressed is yes else None)
        box.open()

    def discard(self) -> None:
        """Throw the run away (without asking)."""
        if self.running:
            self._ask("discard")
            self._panel.set_ending("Discarding after the step in progress…")
            self._panel.discard.setEnabled(False)

    def _ask(self, word: str) -> None:
        self._wish = word
        if self.run is not None and self.run.folder:
            self._tell(word)
        elif word in ("stop", "discard"):
            # It has made nothing yet that could be kept.
            self.process.kill()

    def _tell(self, word: str) -> None:
        assert self.run is not None
        try:
            self._c.api.tell_run(self.run.folder, word)
        except (OSError, EngineError) as error:
            self._c.errors.report("Train", error)
        if word == "discard":
            self._patience.start()

    def _give_up(self) -> None:
        if self.running:
            self._write("the process did not answer and was ended")
            self.process.kill()

    # --- closing the window --------------------------------------------------------------------------------------------

    def closing_choice(self) -> ClosingChoice | None:
        """Return what must be decided before the window closes; None when no run is on."""
        if not self.running or self.run is None:
            return None
        return ClosingChoice(
            "training",
            f"{self.run.title} is being trained.",
            (("leave", "Resume it later, from its last checkpoint"), ("stop", "Stop it and keep its best weights")),
        )

    def close_with(self, way: str, then: Callable[[], Any]) -> None:
        """End the run as it was decided, and call ``then`` when it has ended."""
        if not self.running:
            then()
            return
        self._after = then
        if way == "stop":
            self.stop_run()
        else:
            self._wish = "leave"
            self.process.kill()

    def _box(self, name: str, text: str, more: str) -> QMessageBox:
        box = QMessageBox(self._c.window)
        box.setObjectName(name)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(text)
        box.setInformativeText(more)
        self._asking = box
        box.finished.connect(self._on_asked)
        return box

    def _on_asked(self, *_: object) -> None:
        if self._asking is not None:
            self._asking.deleteLater()
        self._asking = None

    def stop(self) -> None:
        """Stand still (the window closes). A process that is still there is ended; its last checkpoint stays."""
        self._state_timer.stop()
        self._patience.stop()
        self._panel.curves.stop()
        process, self.process = self.process, None
        if process is not None:
            process.ended.disconnect(self._on_ended)
            process.kill()
            process.wait()


def _read(path: str) -> NDArray[np.float32]:
    return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
