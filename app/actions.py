"""Every action of the window in one table; menus, the tool bar and the shortcut sheet are made from it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from app.workspaces import WORKSPACES


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


REVIEW, MAPS, TRAIN = "review", "maps", "train"
ZOOM: Final = 1.25

ACTIONS: Final[tuple[ActionSpec, ...]] = (
    # files
    ActionSpec("file.open", "&Open…", "files.open_dialog", ("Ctrl+O",), "mdi6.folder-open-outline", "Open k-space or images"),
    ActionSpec(
        "file.open_folder", "Open fol&der…", "files.open_folder_dialog", ("Ctrl+Shift+O",), "", "Open the series of a folder"
    ),
    ActionSpec(
        "file.open_session", "Open s&ession…", "sessions.open_dialog", (), "", "Open series, settings and drawings together"
    ),
    ActionSpec(
        "file.open_last", "Open &last session", "sessions.open_last", (), "", "What was on screen when the window was closed"
    ),
    ActionSpec(
        "file.save_session", "Sa&ve session", "sessions.save", ("Ctrl+Alt+S",), "", "Series, settings and drawings in one file"
    ),
    ActionSpec(
        "file.save_session_as", "Save session &as…", "sessions.save_dialog", (), "", "In another file, or with results beside it"
    ),
    ActionSpec("file.phantom", "Make a &phantom…", "files.phantom_dialog", (), "", "A numerical beating heart, with its truth"),
    ActionSpec("file.simulate", "S&imulate coils", "files.simulate_dialog", (), "", "Multi-coil k-space from the images on screen"),
    ActionSpec(
        "file.save_result",
        "&Save result…",
        "files.save_result_dialog",
        ("Ctrl+S",),
        "",
        "Write the selected result to HDF5",
        workspace=REVIEW,
    ),
    ActionSpec("file.screenshot", "Save picture of the &window…", "save_screenshot", (), "", "PNG of the whole window"),
    ActionSpec("file.close_series", "&Close series", "files.close_current", ("Ctrl+W",), "", "Take the series off the list"),
    ActionSpec("file.quit", "&Quit", "close", ("Ctrl+Q",), "", "Cancel what runs and close the window"),
    # edit
    ActionSpec("edit.undo", "&Undo", "session.undo", ("Ctrl+Z",), "", "Take the last edit back"),
    ActionSpec("edit.redo", "&Redo", "session.redo", ("Ctrl+Y", "Ctrl+Shift+Z"), "", "Make it again"),
    ActionSpec("edit.memory", "Memor&y for undo…", "memory.ask", (), "", "How much memory undo and derived pictures may hold"),
    ActionSpec(
        "edit.remove_result",
        "Re&move result",
        "results.remove_selected",
        ("Del",),
        "",
        "Remove the selected pane",
        workspace=REVIEW,
    ),
    ActionSpec(
        "edit.remove_stale",
        "Remove results of &other masks",
        "results.remove_stale",
        (),
        "",
        "Keep those of the current mask",
        workspace=REVIEW,
    ),
    ActionSpec(
        "edit.copy_command",
        "Copy as &command",
        "results.copy_command",
        ("Ctrl+Shift+C",),
        "",
        "The same on the command line",
        workspace=REVIEW,
    ),
    ActionSpec("edit.copy_scores", "Copy &scores", "review.copy_scores", (), "", "Scores of all results as CSV", workspace=REVIEW),
    ActionSpec(
        "edit.export_scores",
        "&Export scores…",
        "review.export_scores_dialog",
        (),
        "",
        "Scores of all results to a CSV file",
        workspace=REVIEW,
    ),
    # reconstruct
    ActionSpec(
        "recon.run",
        "&Reconstruct",
        "reconstruct.run",
        ("Ctrl+Return", "Ctrl+Enter"),
        "mdi6.play-circle-outline",
        "Run the ticked methods",
        workspace=REVIEW,
    ),
    ActionSpec("recon.cancel", "&Cancel", "reconstruct.cancel", ("Esc",), "", "Stop what is being reconstructed", workspace=REVIEW),
    ActionSpec(
        "recon.methods",
        "A&ll methods…",
        "reconstruct.methods_dialog",
        (),
        "",
        "Parameters, multiply-accumulates, weights and papers",
        workspace=REVIEW,
    ),
    ActionSpec(
        "recon.again",
        "Make missing results a&gain",
        "remake.run",
        (),
        "",
        "Results that the session file holds by their settings",
        workspace=REVIEW,
    ),
    ActionSpec(
        "recon.import_weights",
        "Import &weights…",
        "weights.import_weights_dialog",
        (),
        "",
        "Published weights, checked key by key",
        workspace=REVIEW,
    ),
    ActionSpec(
        "recon.mask_file",
        "&Mask from file…",
        "sampling.mask_file_dialog",
        (),
        "",
        "A mask from h5, npz, npy or mat",
        workspace=REVIEW,
    ),
    # what is shown
    ActionSpec(
        "view.magnitude",
        "&Magnitude",
        "review.set_component",
        ("M",),
        "",
        "Show magnitude",
        "component",
        True,
        "magnitude",
        workspace=REVIEW,
    ),
    ActionSpec(
        "view.phase", "&Phase", "review.set_component", ("P",), "", "Show phase", "component", True, "phase", workspace=REVIEW
    ),
    ActionSpec(
        "view.real",
        "&Real part",
        "review.set_component",
        ("R",),
        "",
        "Show the real part",
        "component",
        True,
        "real",
        workspace=REVIEW,
    ),
    ActionSpec(
        "view.imaginary",
        "&Imaginary part",
        "review.set_component",
        ("I",),
        "",
        "Show the imaginary part",
        "component",
        True,
        "imaginary",
        workspace=REVIEW,
    ),
    ActionSpec(
        "view.kspace",
        "Log &k-space",
        "review.set_component",
        ("K",),
        "",
        "Show k-space, logarithmic",
        "component",
        True,
        "kspace",
        workspace=REVIEW,
    ),
    ActionSpec(
        "view.error",
        "&Error maps: absolute, signed, none",
        "review.cycle_error",
        ("E",),
        "",
        "Change what the second row shows",
        workspace=REVIEW,
    ),
    ActionSpec(
        "view.gain",
        "Error &gain",
        "review.cycle_gain",
        ("G",),
        "",
        "Change the scale of the error maps: ×1, ×2, ×5, ×10, ×20",
        workspace=REVIEW,
    ),
    ActionSpec(
        "view.region", "&Dynamic region", "review.toggle_region", ("D",), "", "Outline what moves", "", True, workspace=REVIEW
    ),
    ActionSpec(
        "view.profile", "x-t profi&le", "review.toggle_profile", ("L",), "", "Show the profile row", "", True, workspace=REVIEW
    ),
    ActionSpec(
        "view.flip",
        "&Flip with reference (hold)",
        "review.toggle_flip",
        (),
        "",
        "Hold F: the selected pane shows the reference",
        workspace=REVIEW,
    ),
    ActionSpec(
        "view.window", "Reset &window", "review.reset_window", ("W",), "", "Window of the reference again", workspace=REVIEW
    ),
    ActionSpec(
        "view.divider",
        "Divider: reference at its left",
        "review.toggle_divider",
        ("S",),
        "mdi6.compare",
        "Left of a divider that can be dragged, results show the reference",
        checkable=True,
        workspace=REVIEW,
    ),
    *(
        ActionSpec(f"tool.{name}", f"Drag: {words}", "review.set_tool", (key,), icon, tip, "tool", True, name, workspace=REVIEW)
        for name, words, key, icon, tip in (
            ("pan", "pan", "H", "mdi6.hand-back-right-outline", "Dragging moves the images"),
            ("zoom", "zoom", "Z", "mdi6.magnify", "Dragging up enlarges, down shows more"),
            ("window", "window", "B", "mdi6.contrast-circle", "Dragging right widens the window, down darkens"),
            ("line", "profile line", "T", "mdi6.vector-line", "Dragging draws the line of the x-t profiles"),
        )
    ),
    ActionSpec("view.zoom_in", "&Zoom in", "zoom", ("Ctrl++", "Ctrl+="), "", "Enlarge all panes about their middle", argument=ZOOM),
    ActionSpec("view.zoom_out", "Zoom ou&t", "zoom", ("Ctrl+-",), "", "Show more of the images", argument=1 / ZOOM),
    ActionSpec("view.zoom_reset", "Zoom &back", "zoom_reset", ("Ctrl+0",), "", "Show whole images again"),
    ActionSpec("view.rotate", "Rotate &quarter turn", "review.rotate", ("Ctrl+R",), "", "Turn the display; data are not changed"),
    ActionSpec("view.mirror", "Mirr&or", "review.mirror", ("Ctrl+M",), "", "Mirror the display; data are not changed"),
    ActionSpec("view.dark", "Theme: d&ark", "set_theme", (), "", "Dark theme", "theme", True, "dark"),
    ActionSpec("view.light", "Theme: lig&ht", "set_theme", (), "", "Light theme", "theme", True, "light"),
    ActionSpec("view.system", "Theme: &system", "set_theme", (), "", "Theme of the desktop", "theme", True, "system"),
    ActionSpec("view.full_screen", "F&ull screen", "toggle_full_screen", ("F11",), "", "Fill the screen", "", True),
    ActionSpec("view.reset_layout", "Reset la&yout", "reset_layout", (), "", "Panels back where they were"),
    # playing
    ActionSpec(
        "play.toggle", "&Play / pause", "review.toggle_play", ("Space",), "mdi6.play-pause", "Play the frames", workspace=REVIEW
    ),
    ActionSpec("play.next_frame", "&Next frame", "review.step_frame", ("Right",), "", "One frame on", argument=1, workspace=REVIEW),
    ActionSpec(
        "play.previous_frame",
        "Pre&vious frame",
        "review.step_frame",
        ("Left",),
        "",
        "One frame back",
        argument=-1,
        workspace=REVIEW,
    ),
    ActionSpec("play.next_slice", "Next &slice", "review.step_slice", ("Up",), "", "One slice up", argument=1),
    ActionSpec("play.previous_slice", "Previous s&lice", "review.step_slice", ("Down",), "", "One slice down", argument=-1),
    # maps
    ActionSpec("maps.fit", "&Fit maps", "maps.fit.run", ("Ctrl+Return", "Ctrl+Enter"), "", "Fit the ticked images", workspace=MAPS),
    ActionSpec("maps.cancel", "Ca&ncel the fit", "maps.fit.cancel", ("Esc",), "", "Stop what is being fitted", workspace=MAPS),
    ActionSpec("maps.save", "&Save maps…", "maps.maps.save_dialog", ("Ctrl+S",), "", "Write the selected maps", workspace=MAPS),
    ActionSpec(
        "maps.value",
        "T1 or T2 &value",
        "maps.maps.set_layer",
        ("V",),
        "",
        "Show the fitted value",
        argument="value",
        workspace=MAPS,
    ),
    ActionSpec(
        "maps.sd", "Standard &deviation", "maps.maps.set_layer", ("S",), "", "Show the spread", argument="sd", workspace=MAPS
    ),
    ActionSpec("maps.r2", "R², &quality", "maps.maps.set_layer", ("Q",), "", "Show R²", argument="r2", workspace=MAPS),
    ActionSpec(
        "maps.residual", "R&esidual", "maps.maps.set_layer", ("E",), "", "Show the residual", argument="residual", workspace=MAPS
    ),
    ActionSpec(
        "maps.apparent", "Apparent &T1*", "maps.maps.set_layer", ("T",), "", "Show T1*", argument="apparent", workspace=MAPS
    ),
    ActionSpec(
        "maps.difference", "D&ifference from the reference", "maps.maps.toggle_difference", ("D",), "", "Show ΔT1", workspace=MAPS
    ),
    ActionSpec("maps.range", "&Automatic range", "maps.maps.reset_window", ("W",), "", "Follow the data", workspace=MAPS),
    ActionSpec("maps.copy_pixel", "Copy the clicked &pixel", "maps.maps.copy_pixel", ("Ctrl+C",), "", "As CSV", workspace=MAPS),
    ActionSpec(
        "maps.undo_point", "Take the last point &back", "maps.regions.undo_point", ("Backspace",), "", "Drawing", workspace=MAPS
    ),
    *(
        ActionSpec(f"maps.tool.{name}", f"Tool: {words}", "maps.maps.set_tool", (key,), "", tip, argument=name, workspace=MAPS)
        for name, words, key, tip in (
            ("inspect", "pixel", "A", "A click shows the curve of the pixel"),
            ("endo", "endocardium", "N", "Clicks draw the endocardial contour"),
            ("epi", "epicardium", "P", "Clicks draw the epicardial contour"),
            ("insertion", "RV insertion", "I", "A click sets the anterior RV insertion"),
            ("roi", "region", "O", "Clicks draw a region of interest"),
            ("blood", "blood", "B", "Clicks draw a region in the blood pool"),
        )
    ),
    ActionSpec("maps.marks", "Show or hide cont&ours", "maps.maps.toggle_marks", ("H",), "", "What was drawn", workspace=MAPS),
    ActionSpec(
        "maps.copy_regions", "Copy the se&gments", "maps.regions.copy", (), "", "Segments and regions as CSV", workspace=MAPS
    ),
    # train
    ActionSpec(
        "train.start", "&Start training", "train.form.request_start", ("Ctrl+Return", "Ctrl+Enter"), "", "Train", workspace=TRAIN
    ),
    ActionSpec("train.pause", "&Pause or continue", "train.train.toggle_pause", ("P",), "", "Wait, or go on", workspace=TRAIN),
    ActionSpec("train.stop", "Stop and keep &best", "train.train.stop_run", (), "", "End the run, keep its best", workspace=TRAIN),
    ActionSpec("train.discard", "&Discard…", "train.train.discard_dialog", (), "", "Throw the run away", workspace=TRAIN),
    ActionSpec("train.open", "&Open configuration…", "train.form.open_dialog", (), "", "Fill the form from TOML", workspace=TRAIN),
    ActionSpec(
        "train.save",
        "Save con&figuration…",
        "train.form.save_dialog",
        ("Ctrl+S",),
        "",
        "TOML, for `myoscope train`",
        workspace=TRAIN,
    ),
    # workspaces
    *(
        ActionSpec(f"go.{w.name}", f"Workspace: {w.title}", "show_workspace", (f"Ctrl+{n}",), "", w.tip, "workspace", True, w.name)
        for n, w in enumerate(WORKSPACES, 1)
    ),
    # help
    ActionSpec("help.shortcuts", "&Shortcuts", "show_shortcuts", ("?", "F1"), "mdi6.help-circle-outline", "All keys on one sheet"),
    ActionSpec("help.errors", "&Error log…", "show_errors", (), "", "What went wrong in this session"),
    ActionSpec("help.doctor", "&Diagnostics…", "show_doctor", (), "", "Versions, devices, memory: for a bug report"),
    ActionSpec("help.about", "&About Myoscope…", "show_about", (), "", "Version, licences, research use only"),
)

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
    ("F (hold)", "Flip the selected pane with the reference, in place"),
    ("Click on a map", "Curve of the pixel; with a drawing tool: a point"),
    ("Wheel", "Frames; with Shift slices"),
    ("Ctrl + wheel", "Zoom about the cursor: all panes together"),
    ("Drag", "Pan, or what was chosen; the profile line, the divider and points that were drawn are moved"),
    ("Right drag", "Window: right widens, down darkens"),
    ("Double click", "Whole image again; right: window again"),
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
