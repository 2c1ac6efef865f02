"""The job indicator of the top bar: what runs, how far, how long still; a menu cancels single jobs."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from app.display.words import duration_words
from app.jobs import JobHandle, JobRunner


def job_words(handle: JobHandle) -> str:
    """Return one job in words."""
    if handle.cancelling:
        return f"{handle.title}: cancelling…"
    if not handle.running:
        return f"{handle.title}: waiting"
    if handle.progress is None:
        return f"{handle.title}: running"
    left = handle.progress.eta_seconds
    return f"{handle.title}: {100 * handle.progress.fraction:.0f} %" + ("" if left is None else f", {duration_words(left)} left")


class JobIndicator(QToolButton):
    """``1 job 42 %``; its menu lists the jobs, choosing one cancels it."""

    def __init__(self, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("jobs")
        self._runner = runner
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAutoRaise(True)
        self._menu = QMenu(self)
        self._menu.setObjectName("jobs.menu")
        self._menu.aboutToShow.connect(self._fill)
        self.setMenu(self._menu)
        runner.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show how many jobs there are and how far the running one is."""
        jobs = self._runner.visible()
        self.setEnabled(bool(jobs))
        if not jobs:
            text, tip = "no jobs", "Nothing runs in the background"
        else:
            lead = next((job for job in jobs if job.running), jobs[0])
            share = f" {100 * lead.progress.fraction:.0f} %" if lead.progress is not None else ""
            text = f"{len(jobs)} job{'s' if len(jobs) > 1 else ''}{share}"
            tip = "\n".join(job_words(job) for job in jobs[:12])
        if text != self.text():
            self.setText(text)
            self.setAccessibleName(f"Background work: {text}")
        self.setToolTip(tip)

    def _fill(self) -> None:
        self._menu.clear()
        for handle in self._runner.visible()[:12]:
            action = self._menu.addAction(f"Cancel {job_words(handle)}")
            action.setEnabled(not handle.cancelling)
            action.triggered.connect(partial(_cancel, handle))


def _cancel(handle: JobHandle, *_: object) -> None:
    handle.cancel()
