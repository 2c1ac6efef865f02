"""What all controllers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtWidgets import QWidget

from app.errors import ErrorCenter
from app.jobs import JobRunner
from app.session import Session
from app.settings import Settings
from engine.api.contract import EngineApi


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """The session and what its controllers need.

    ``api`` is :mod:`engine.api` (tests give a stand-in), ``window`` the parent of dialogs, ``say`` writes to the status bar.
    """

    api: EngineApi
    session: Session
    runner: JobRunner
    errors: ErrorCenter
    settings: Settings
    window: QWidget
    say: Callable[[str], None]
