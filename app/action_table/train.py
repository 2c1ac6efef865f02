"""Actions of Train."""

from __future__ import annotations

from typing import Final

from app.action_table.spec import ActionSpec, of_workspace

ACTIONS: Final = of_workspace(
    "train",
    ActionSpec("train.start", "&Start training", "train.form.request_start", shortcuts=("Ctrl+Return", "Ctrl+Enter"), tip="Train"),
    ActionSpec("train.pause", "&Pause or continue", "train.train.toggle_pause", shortcuts=("P",), tip="Wait, or go on"),
    ActionSpec("train.stop", "Stop and keep &best", "train.train.stop_run", tip="End the run, keep its best"),
    ActionSpec("train.discard", "&Discard…", "train.train.discard_dialog", tip="Throw the run away"),
    ActionSpec("train.open", "&Open configuration…", "train.form.open_dialog", tip="Fill the form from TOML"),
    ActionSpec(
        "train.save", "Save con&figuration…", "train.form.save_dialog", shortcuts=("Ctrl+S",), tip="TOML, for `myoscope train`"
    ),
)
