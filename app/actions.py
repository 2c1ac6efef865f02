"""All actions of the window: menus, the tool bar and the shortcut sheet are made from them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from app.action_table import maps, review, shared, train
from app.action_table.spec import ActionSpec
from app.workspaces import WORKSPACES

#: Those of all workspaces first, then a block for each: the order of the shortcut sheet.
ACTIONS: Final[tuple[ActionSpec, ...]] = (*shared.ACTIONS, *review.ACTIONS, *maps.ACTIONS, *train.ACTIONS)

#: Menus by title; None is a separator, a name in brackets a place that the window fills.
MENUS: Final[dict[str, tuple[str | None, ...]]] = {
    "&File": (
        "file.open", "file.open_folder", "[recent]", "[samples]", "file.phantom", "file.simulate", None,
        "file.open_session", "file.open_last", "file.save_session", "file.save_session_as", None,
        "file.save_result", "file.screenshot", None, "file.close_series", "file.quit",
    ),
    "&Edit": (
        "edit.undo", "edit.redo", None, "edit.remove_result", "edit.remove_stale", None,
        "edit.copy_command", "edit.copy_scores", "edit.export_scores", None, "edit.memory",
    ),
    "&Reconstruct": ("recon.run", "recon.cancel", None, "recon.methods", "recon.mask_file", "recon.import_weights", "recon.again"),
    "Map&s": (
        "maps.fit", "maps.cancel", "maps.save", None,
        "maps.value", "maps.sd", "maps.r2", "maps.residual", "maps.apparent", "maps.difference", "maps.range", None,
        "maps.tool.inspect", "maps.tool.endo", "maps.tool.epi", "maps.tool.insertion", "maps.tool.roi", "maps.tool.blood",
        "maps.undo_point", "maps.marks", None, "maps.copy_pixel", "maps.copy_regions",
    ),
    "&Train": ("train.start", "train.pause", "train.stop", "train.discard", None, "train.open", "train.save"),
    "&View": (
        *(f"go.{workspace.name}" for workspace in WORKSPACES), None,
        "view.magnitude", "view.phase", "view.real", "view.imaginary", "view.kspace", None,
        "view.error", "view.gain", "view.region", "view.profile", "view.flip", "view.divider", "view.window", None,
        *(spec.key for spec in ACTIONS if spec.group == "tool"), None,
        "view.zoom_in", "view.zoom_out", "view.zoom_reset", "view.rotate", "view.mirror", None,
        "[docks]", "view.full_screen", "view.reset_layout", None, "view.dark", "view.light", "view.system",
    ),
    "&Play": ("play.toggle", None, "play.previous_frame", "play.next_frame", None, "play.next_slice", "play.previous_slice"),
    "&Help": ("help.shortcuts", "help.errors", "help.doctor", None, "help.about"),
}  # fmt: skip

#: Keys that are no actions: held, or done with the mouse.
GESTURES: Final[tuple[tuple[str, str], ...]] = (
    ("F (hold)", "Flip the selected pane with the reference"),
    ("Click on a map", "Curve of the pixel, or a point drawn"),
    ("Wheel", "Frames; with Shift slices"),
    ("Ctrl + wheel", "Zoom all panes about the cursor"),
    ("Drag", "Pan, or the tool that was chosen"),
    ("Drag a line", "Move it; so with points, the divider"),
    ("Right drag", "Window: right widens, down darkens"),
    ("Double click", "Whole image; right: automatic window"),
)


def find(key: str) -> ActionSpec:
    """Return an action by key; an unknown one is a programming error that names the nearest."""
    for spec in ACTIONS:
        if spec.key == key:
            return spec
    near = difflib.get_close_matches(key, [spec.key for spec in ACTIONS], n=1)
    raise KeyError(f"no action {key!r}" + (f", did you mean {near[0]!r}?" if near else ""))


def handler(owner: Any, spec: ActionSpec) -> Callable[..., Any]:
    """Return what ``spec`` calls, looked up from ``owner`` by dotted name."""
    call: Callable[..., Any] = attrgetter(spec.handler)(owner)
    return call


def build(owner: QWidget, set_icon: Callable[[QAction, str], Any]) -> dict[str, QAction]:
    """Make all actions as children of ``owner`` and return them by key."""
    made: dict[str, QAction] = {}
    groups: dict[str, QActionGroup] = {}
    for spec in ACTIONS:
        action = QAction(spec.text, owner)
        action.setObjectName(spec.key)
        action.setStatusTip(spec.tip)
        action.setToolTip(spec.tip + (f" ({spec.shortcuts[0]})" if spec.shortcuts else ""))
        action.setShortcuts([QKeySequence(keys) for keys in spec.shortcuts])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        if spec.icon:
            set_icon(action, spec.icon)
        action.setCheckable(spec.checkable)
        if spec.group:
            groups.setdefault(spec.group, QActionGroup(owner)).addAction(action)
        # `triggered` carries the check state, which no handler here wants.
        action.triggered.connect(_without_state(owner, spec))
        owner.addAction(action)
        made[spec.key] = action
    return made


def _without_state(owner: Any, spec: ActionSpec) -> Callable[..., None]:
    def run(*_: object) -> None:
        # Looked up when it is triggered: the page of a workspace is made when it is first wanted.
        call = handler(owner, spec)
        if spec.argument is None:
            call()
        else:
            call(spec.argument)

    return run


def fill(
    menu: QMenu, keys: tuple[str | None, ...], actions: Mapping[str, QAction], places: Mapping[str, Callable[[QMenu], None]]
) -> None:
    """Fill a menu from its row in :data:`MENUS`; ``places`` fill the names in brackets."""
    for key in keys:
        if key is None:
            menu.addSeparator()
        elif key.startswith("["):
            places[key](menu)
        else:
            menu.addAction(actions[find(key).key])
