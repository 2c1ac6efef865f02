"""The command line: one module for each group of commands. Never imports Qt."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 2 bad input, 130 cancelled, 1 a defect of ours."""
    from engine.cli.commands import run

    return run(arguments)
