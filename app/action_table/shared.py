"""Actions of all workspaces."""

from __future__ import annotations

from typing import Final

from app.action_table.spec import ActionSpec
from app.workspaces import WORKSPACES

ZOOM: Final = 1.25

ACTIONS: Final[tuple[ActionSpec, ...]] = (
    ActionSpec(
        "file.open",
        "&Open…",
        "files.open_dialog",
        shortcuts=("Ctrl+O",),
        icon="mdi6.folder-open-outline",
        tip="Open k-space or images",
    ),
    ActionSpec(
        "file.open_folder",
        "Open fol&der…",
        "files.open_folder_dialog",
        shortcuts=("Ctrl+Shift+O",),
        tip="Open the series of a folder",
    ),
    ActionSpec("file.open_session", "Open s&ession…", "sessions.open_dialog", tip="Open series, settings and drawings together"),
    ActionSpec("file.open_last", "Open &last session", "sessions.open_last", tip="What was on screen when the window was closed"),
    ActionSpec(
        "file.save_session",
        "Sa&ve session",
        "sessions.save",
        shortcuts=("Ctrl+Alt+S",),
        tip="Series, settings and drawings in one file",
    ),
    ActionSpec(
        "file.save_session_as", "Save session &as…", "sessions.save_dialog", tip="In another file, or with results beside it"
    ),
    ActionSpec("file.phantom", "Make a &phantom…", "files.phantom_dialog", tip="A numerical beating heart, with its truth"),
    ActionSpec("file.simulate", "S&imulate coils", "files.simulate_dialog", tip="Multi-coil k-space from the images on screen"),
    ActionSpec("file.screenshot", "Save picture of the &window…", "save_screenshot", tip="PNG of the whole window"),
    ActionSpec(
        "file.close_series", "&Close series", "files.close_current", shortcuts=("Ctrl+W",), tip="Take the series off the list"
    ),
    ActionSpec("file.quit", "&Quit", "close", shortcuts=("Ctrl+Q",), tip="Cancel what runs and close the window"),
    ActionSpec("edit.undo", "&Undo", "session.undo", shortcuts=("Ctrl+Z",), tip="Take the last edit back"),
    ActionSpec("edit.redo", "&Redo", "session.redo", shortcuts=("Ctrl+Y", "Ctrl+Shift+Z"), tip="Make it again"),
    ActionSpec("edit.memory", "Memor&y for undo…", "memory.ask", tip="How much memory undo and derived pictures may hold"),
    ActionSpec(
        "view.zoom_in",
        "&Zoom in",
        "zoom",
        shortcuts=("Ctrl++", "Ctrl+="),
        tip="Enlarge all panes about their middle",
        argument=ZOOM,
    ),
    ActionSpec("view.zoom_out", "Zoom ou&t", "zoom", shortcuts=("Ctrl+-",), tip="Show more of the images", argument=1 / ZOOM),
    ActionSpec("view.zoom_reset", "Zoom &back", "zoom_reset", shortcuts=("Ctrl+0",), tip="Show whole images again"),
    ActionSpec(
        "view.rotate", "Rotate &quarter turn", "review.rotate", shortcuts=("Ctrl+R",), tip="Turn the display; data are not changed"
    ),
    ActionSpec("view.mirror", "Mirr&or", "review.mirror", shortcuts=("Ctrl+M",), tip="Mirror the display; data are not changed"),
    ActionSpec("view.dark", "Theme: d&ark", "set_theme", tip="Dark theme", group="theme", checkable=True, argument="dark"),
    ActionSpec("view.light", "Theme: lig&ht", "set_theme", tip="Light theme", group="theme", checkable=True, argument="light"),
    ActionSpec(
        "view.system", "Theme: &system", "set_theme", tip="Theme of the desktop", group="theme", checkable=True, argument="system"
    ),
    ActionSpec("view.full_screen", "F&ull screen", "toggle_full_screen", shortcuts=("F11",), tip="Fill the screen", checkable=True),
    ActionSpec("view.reset_layout", "Reset la&yout", "reset_layout", tip="Panels back where they were"),
    ActionSpec("play.next_slice", "Next &slice", "review.step_slice", shortcuts=("Up",), tip="One slice up", argument=1),
    ActionSpec(
        "play.previous_slice", "Previous s&lice", "review.step_slice", shortcuts=("Down",), tip="One slice down", argument=-1
    ),
    *(
        ActionSpec(
            f"go.{w.name}",
            f"Workspace: {w.title}",
            "show_workspace",
            shortcuts=(f"Ctrl+{n}",),
            tip=w.tip,
            group="workspace",
            checkable=True,
            argument=w.name,
        )
        for n, w in enumerate(WORKSPACES, 1)
    ),
    ActionSpec(
        "help.shortcuts",
        "&Shortcuts",
        "show_shortcuts",
        shortcuts=("?", "F1"),
        icon="mdi6.help-circle-outline",
        tip="All keys on one sheet",
    ),
    ActionSpec("help.errors", "&Error log…", "show_errors", tip="What went wrong in this session"),
    ActionSpec("help.doctor", "&Diagnostics…", "show_doctor", tip="Versions, devices, memory: for a bug report"),
    ActionSpec("help.about", "&About Myoscope…", "show_about", tip="Version, licences, research use only"),
)
