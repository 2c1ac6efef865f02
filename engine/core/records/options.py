"""One setting of a method or a mask pattern, as a form shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """A setting: a control in the window, ``--mask-option name=value`` or ``--option name=value`` on the command line.

    ``minimum`` and ``maximum`` are None where there is no limit.
    """

    name: str
    default: bool | int | float | str | None
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
