"""Actions of Maps."""

from __future__ import annotations

from typing import Final

from app.action_table.spec import ActionSpec, of_workspace

ACTIONS: Final = of_workspace(
    "maps",
    ActionSpec("maps.fit", "&Fit maps", "maps.fit.run", shortcuts=("Ctrl+Return", "Ctrl+Enter"), tip="Fit the ticked images"),
    ActionSpec("maps.cancel", "Ca&ncel the fit", "maps.fit.cancel", shortcuts=("Esc",), tip="Stop what is being fitted"),
    ActionSpec("maps.save", "&Save maps…", "maps.maps.save_dialog", shortcuts=("Ctrl+S",), tip="Write the selected maps"),
    ActionSpec(
        "maps.value", "T1 or T2 &value", "maps.maps.set_layer", shortcuts=("V",), tip="Show the fitted value", argument="value"
    ),
    ActionSpec("maps.sd", "Standard &deviation", "maps.maps.set_layer", shortcuts=("S",), tip="Show the spread", argument="sd"),
    ActionSpec("maps.r2", "R², &quality", "maps.maps.set_layer", shortcuts=("Q",), tip="Show R²", argument="r2"),
    ActionSpec("maps.residual", "R&esidual", "maps.maps.set_layer", shortcuts=("E",), tip="Show the residual", argument="residual"),
    ActionSpec("maps.apparent", "Apparent &T1*", "maps.maps.set_layer", shortcuts=("T",), tip="Show T1*", argument="apparent"),
    ActionSpec(
        "maps.difference", "D&ifference from the reference", "maps.maps.toggle_difference", shortcuts=("D",), tip="Show ΔT1"
    ),
    ActionSpec("maps.range", "&Automatic range", "maps.maps.reset_window", shortcuts=("W",), tip="Follow the data"),
    ActionSpec("maps.copy_pixel", "Copy the clicked &pixel", "maps.maps.copy_pixel", shortcuts=("Ctrl+C",), tip="As CSV"),
    ActionSpec("maps.undo_point", "Take the last point &back", "maps.regions.undo_point", shortcuts=("Backspace",), tip="Drawing"),
    *(
        ActionSpec(f"maps.tool.{name}", f"Tool: {words}", "maps.maps.set_tool", shortcuts=(key,), tip=tip, argument=name)
        for name, words, key, tip in (
            ("inspect", "pixel", "A", "A click shows the curve of the pixel"),
            ("endo", "endocardium", "N", "Clicks draw the endocardial contour"),
            ("epi", "epicardium", "P", "Clicks draw the epicardial contour"),
            ("insertion", "RV insertion", "I", "A click sets the anterior RV insertion"),
            ("roi", "region", "O", "Clicks draw a region of interest"),
            ("blood", "blood", "B", "Clicks draw a region in the blood pool"),
        )
    ),
    ActionSpec("maps.marks", "Show or hide cont&ours", "maps.maps.toggle_marks", shortcuts=("H",), tip="What was drawn"),
    ActionSpec("maps.copy_regions", "Copy the se&gments", "maps.regions.copy", tip="Segments and regions as CSV"),
)
