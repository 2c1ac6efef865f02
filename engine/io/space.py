"""Whether a disk has room, asked before gigabytes are written."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.core.errors import OutputError

MIB = 2.0**20


def check_space(folder: Path, need: int, target: Path) -> None:
    """Raise ``OutputError`` when ``folder`` has fewer than ``need`` bytes left for ``target``."""
    free = shutil.disk_usage(folder).free
    if need > free:
        raise OutputError(
            f"cannot write {target}: the disk is full (expected {need / MIB:.1f} MiB free / found {free / MIB:.1f})",
            "Free some space or write to another disk.",
        )
