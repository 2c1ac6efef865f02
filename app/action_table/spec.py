"""What an action is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action.

    Parameters
    ----------
    key, text, tip
        Name in code (and the action's objectName), words in menus, sentence in the status bar.
    handler
        Dotted name looked up from the window: ``files.open_dialog``.
    shortcuts
        Key sequences, the first is shown.
    icon
        Name in qtawesome, "" for none.
    group
        Actions of one group exclude each other (and are checkable).
    checkable
        Whether it is a switch.
    argument
        What the handler is called with; None for nothing.
    workspace
        The only workspace it is there in, "" for all. Keys may be used once in each.
    """

    key: str
    text: str
    handler: str
    shortcuts: tuple[str, ...] = ()
    icon: str = ""
    tip: str = ""
    group: str = ""
    checkable: bool = False
    argument: Any = None
    workspace: str = ""


def of_workspace(name: str, *specs: ActionSpec) -> tuple[ActionSpec, ...]:
    """Return actions that are there in one workspace only."""
    return tuple(replace(spec, workspace=name) for spec in specs)
