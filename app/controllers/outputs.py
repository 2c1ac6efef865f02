"""Where a result is written: the dialog offers what the registered formats write, and fills in the ending."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from app.controllers.context import Context
from engine.core.records.entries import Content


def ask_output(context: Context, title: str, stem: str, content: Content) -> str:
    """Return the path that a person chose, with an ending that tells its format, "" when they chose none."""
    kinds = {f"{name} ({' '.join(endings)})": endings[0].removeprefix("*") for name, endings in context.api.save_patterns(content)}
    usual = next(iter(kinds.values()), "")
    start = Path(context.settings.get("files/folder") or ".") / f"{stem}{usual}"
    path, chosen = QFileDialog.getSaveFileName(context.window, title, str(start), ";;".join(kinds))
    return path if not path or Path(path).suffix else path + kinds.get(chosen, usual)
