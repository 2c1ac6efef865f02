"""The command line: one module for each group of commands. Never imports Qt."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 2 bad input, 130 cancelled, 1 a defect of ours."""
    try:
        from engine.cli.commands import run
    except KeyboardInterrupt:  # before `run` is there to take it
        sys.stderr.write("error: cancelled\nhint: Nothing was written.\n")
        return 130
    return run(arguments)
