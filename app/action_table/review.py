"""Actions of Review."""

from __future__ import annotations

from typing import Final

from app.action_table.spec import ActionSpec, of_workspace

ACTIONS: Final = of_workspace(
    "review",
    ActionSpec(
        "file.save_result",
        "&Save result…",
        "files.save_result_dialog",
        shortcuts=("Ctrl+S",),
        tip="Write the selected result to HDF5",
    ),
    ActionSpec(
        "edit.remove_result", "Re&move result", "results.remove_selected", shortcuts=("Del",), tip="Remove the selected pane"
    ),
    ActionSpec("edit.remove_stale", "Remove results of &other masks", "results.remove_stale", tip="Keep those of the current mask"),
    ActionSpec(
        "edit.copy_command",
        "Copy as &command",
        "results.copy_command",
        shortcuts=("Ctrl+Shift+C",),
        tip="The same on the command line",
    ),
    ActionSpec("edit.copy_scores", "Copy &scores", "review.copy_scores", tip="Scores of all results as CSV"),
    ActionSpec("edit.export_scores", "&Export scores…", "review.export_scores_dialog", tip="Scores of all results to a CSV file"),
    ActionSpec(
        "recon.run",
        "&Reconstruct",
        "reconstruct.run",
        shortcuts=("Ctrl+Return", "Ctrl+Enter"),
        icon="mdi6.play-circle-outline",
        tip="Run the ticked methods",
    ),
    ActionSpec("recon.cancel", "&Cancel", "reconstruct.cancel", shortcuts=("Esc",), tip="Stop what is being reconstructed"),
    ActionSpec(
        "recon.methods", "A&ll methods…", "reconstruct.methods_dialog", tip="Parameters, multiply-accumulates, weights and papers"
    ),
    ActionSpec(
        "recon.again", "Make missing results a&gain", "remake.run", tip="Results that the session file holds by their settings"
    ),
    ActionSpec(
        "recon.import_weights", "Import &weights…", "weights.import_weights_dialog", tip="Published weights, checked key by key"
    ),
    ActionSpec("recon.mask_file", "&Mask from file…", "sampling.mask_file_dialog", tip="A mask from h5, npz, npy or mat"),
    ActionSpec(
        "view.magnitude",
        "&Magnitude",
        "review.set_component",
        shortcuts=("M",),
        tip="Show magnitude",
        group="component",
        checkable=True,
        argument="magnitude",
    ),
    ActionSpec(
        "view.phase",
        "&Phase",
        "review.set_component",
        shortcuts=("P",),
        tip="Show phase",
        group="component",
        checkable=True,
        argument="phase",
    ),
    ActionSpec(
        "view.real",
        "&Real part",
        "review.set_component",
        shortcuts=("R",),
        tip="Show the real part",
        group="component",
        checkable=True,
        argument="real",
    ),
    ActionSpec(
        "view.imaginary",
        "&Imaginary part",
        "review.set_component",
        shortcuts=("I",),
        tip="Show the imaginary part",
        group="component",
        checkable=True,
        argument="imaginary",
    ),
    ActionSpec(
        "view.kspace",
        "Log &k-space",
        "review.set_component",
        shortcuts=("K",),
        tip="Show k-space, logarithmic",
        group="component",
        checkable=True,
        argument="kspace",
    ),
    ActionSpec(
        "view.error",
        "&Error maps: absolute, signed, none",
        "review.cycle_error",
        shortcuts=("E",),
        tip="Change what the second row shows",
    ),
    ActionSpec(
        "view.gain",
        "Error &gain",
        "review.cycle_gain",
        shortcuts=("G",),
        tip="Change the scale of the error maps: ×1, ×2, ×5, ×10, ×20",
    ),
    ActionSpec(
        "view.region", "&Dynamic region", "review.toggle_region", shortcuts=("D",), tip="Outline what moves", checkable=True
    ),
    ActionSpec(
        "view.profile", "x-t profi&le", "review.toggle_profile", shortcuts=("L",), tip="Show the profile row", checkable=True
    ),
    ActionSpec(
        "view.flip", "&Flip with reference (hold)", "review.toggle_flip", tip="Hold F: the selected pane shows the reference"
    ),
    ActionSpec("view.window", "Reset &window", "review.reset_window", shortcuts=("W",), tip="Window of the reference again"),
    ActionSpec(
        "view.divider",
        "Divider: reference at its left",
        "review.toggle_divider",
        shortcuts=("S",),
        icon="mdi6.compare",
        tip="Left of a divider that can be dragged, results show the reference",
        checkable=True,
    ),
    *(
        ActionSpec(
            f"tool.{name}",
            f"Drag: {words}",
            "review.set_tool",
            shortcuts=(key,),
            icon=icon,
            tip=tip,
            group="tool",
            checkable=True,
            argument=name,
        )
        for name, words, key, icon, tip in (
            ("pan", "pan", "H", "mdi6.hand-back-right-outline", "Dragging moves the images"),
            ("zoom", "zoom", "Z", "mdi6.magnify", "Dragging up enlarges, down shows more"),
            ("window", "window", "B", "mdi6.contrast-circle", "Dragging right widens the window, down darkens"),
            ("line", "profile line", "T", "mdi6.vector-line", "Dragging draws the line of the x-t profiles"),
        )
    ),
    ActionSpec(
        "play.toggle", "&Play / pause", "review.toggle_play", shortcuts=("Space",), icon="mdi6.play-pause", tip="Play the frames"
    ),
    ActionSpec("play.next_frame", "&Next frame", "review.step_frame", shortcuts=("Right",), tip="One frame on", argument=1),
    ActionSpec(
        "play.previous_frame", "Pre&vious frame", "review.step_frame", shortcuts=("Left",), tip="One frame back", argument=-1
    ),
)
