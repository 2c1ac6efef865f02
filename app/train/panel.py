"""The centre of the Train workspace: what the run is doing, its three buttons, curves that grow, a slice before and now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QSplitter, QVBoxLayout, QWidget

from app import theme
from app.panels.parts import NORMAL, TIGHT, button, drop_down, label, row, tool_button
from app.train.curves import TrainCurves
from app.train.preview import PreviewPair
from app.train.run import SCORES

PAUSE, CONTINUE, STOP, DISCARD = "Pause", "Continue", "Stop and keep best", "Discard"


class CrashBar(QFrame):
    """Says that a run died, why, and offers to go on.

    Signals
    -------
    resume_requested(), details_requested(), dismissed()
        Its buttons.
    """

    dismissed = Signal()
    resume_requested = Signal()
    details_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train.crash")
        self.setAccessibleName("A run that ended unexpectedly")
        self.message = label("", "train.crash.message", "error")
        self.lines = label("", "train.crash.lines", "dim")
        self.lines.setFont(theme.monospace(8))
        self._resume = button("Resume", "train.crash.resume", "Go on from the last checkpoint")
        self._resume.setProperty("primary", True)
        self._resume.clicked.connect(self.resume_requested)
        details = tool_button("Details", "train.crash.details", "All that it wrote before it died")
        details.clicked.connect(self.details_requested)
        close = tool_button("✕", "train.crash.close", "Dismiss; the run stays in the list")
        close.setAccessibleName("Dismiss")
        close.clicked.connect(self.dismissed)
        self.dismissed.connect(self.hide)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(NORMAL, TIGHT, NORMAL, TIGHT)
        layout.setSpacing(TIGHT)
        layout.addWidget(row(self.message, self._resume, details, close, spacing=TIGHT, grow={0: 1}))
        layout.addWidget(self.lines)
        self.hide()

    def tell(self, message: str, lines: str, resumable: bool) -> None:
        """Show it; ``lines`` are the last ones of standard error."""
        self.message.setText(message)
        self.lines.setText(lines)
        self.lines.setVisible(bool(lines))
        self._resume.setVisible(resumable)
        self.show()


class TrainPanel(QWidget):
    """What is on screen; tells what is asked for.

    Signals
    -------
    pause_requested(), stop_requested(), discard_requested()
        The three buttons.
    """

    pause_requested = Signal()
    stop_requested = Signal()
    discard_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train")
        self.setAccessibleName("Training")
        self.curves, self.preview, self.crash = TrainCurves(), PreviewPair(), CrashBar()
        self._metric = drop_down("train.metric", "Score of the validation curve")
        for name, words in SCORES.items():
            self._metric.addItem(words.partition(",")[0], name)
        self._metric.setMinimumContentsLength(7)
        self._metric.activated.connect(lambda _: self.curves.set_metric(str(self._metric.currentData())))
        self._make_head()
        split = QSplitter(Qt.Orientation.Vertical)
        split.setObjectName("train.split")
        split.setChildrenCollapsible(False)
        split.addWidget(self.curves)
        split.addWidget(self.preview)
        split.setStretchFactor(0, 5)
        split.setStretchFactor(1, 6)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.crash)
        layout.addWidget(self._head)
        layout.addWidget(split, 1)
        self.set_idle("Nothing is being trained. Choose a preset or fill the form at the left, then press Start training.")

    def _make_head(self) -> None:
        self.title = label("", "train.title", "heading")
        self.state = label("", "train.state")
        self.state.setFont(theme.numbers(self.font()))
        self.progress = QProgressBar()
        self.progress.setObjectName("train.progress")
        self.progress.setAccessibleName("Progress of the training")
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.pause = button(PAUSE, "train.pause", "Wait after the step in progress; nothing is lost (P)")
        self.stop = button(STOP, "train.stop", "End the run and put its best weights into the library; it can be resumed later")
        self.discard = button(DISCARD, "train.discard", "End the run and throw it away (asks first)")
        for made, name in ((self.pause, "mdi6.pause"), (self.stop, "mdi6.stop"), (self.discard, "mdi6.trash-can-outline")):
            theme.set_icon(made, name)
        self.pause.clicked.connect(self.pause_requested)
        self.stop.clicked.connect(self.stop_requested)
        self.discard.clicked.connect(self.discard_requested)
        self._head = QWidget()
        column = QVBoxLayout(self._head)
        column.setContentsMargins(NORMAL, TIGHT, NORMAL, NORMAL)
        column.setSpacing(TIGHT)
        self._first = row(self.title, self._metric, self.pause, self.stop, self.discard, spacing=TIGHT, grow={0: 1})
        column.addWidget(self._first)
        column.addWidget(self.state)
        column.addWidget(self.progress)

    # --- what it shows -------------------------------------------------------------------------------------------------

    def set_idle(self, text: str, title: str = "") -> None:
        """Say that no run is on, and what was."""
        self.title.setText(title or "Training")
        self.state.setText(text)
        self.progress.setVisible(False)
        for made in (self.pause, self.stop, self.discard):
            made.setVisible(False)

    def set_running(self, title: str) -> None:
        """Offer the three buttons."""
        self.title.setText(title)
        self.progress.setVisible(True)
        self.progress.setValue(0)
        self.set_paused(False)
        for made in (self.pause, self.stop, self.discard):
            made.setVisible(True)
            made.setEnabled(True)

    def set_paused(self, paused: bool) -> None:
        """Turn Pause into Continue, or back."""
        self.pause.setText(CONTINUE if paused else PAUSE)
        self.pause.setAccessibleName(self.pause.text())
        theme.set_icon(self.pause, "mdi6.play" if paused else "mdi6.pause")

    def set_ending(self, text: str) -> None:
        """Say that the wish to end was heard."""
        self.state.setText(text)
        self.pause.setEnabled(False)
        self.stop.setEnabled(False)

    def set_state(self, text: str, fraction: float) -> None:
        """Show how far it is."""
        self.state.setText(text)
        self.progress.setValue(round(1000 * fraction))
        self.progress.setAccessibleDescription(text)

    def set_preview(self, titles: Sequence[str], series: Sequence[NDArray[np.float32]]) -> None:
        """Show a slice before and now."""
        self.preview.set_series(titles, series)
