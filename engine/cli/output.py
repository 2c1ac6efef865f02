"""Tables, JSON, progress: what the commands print. Results go to stdout, progress to stderr."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence

from engine.core.jobs import Progress, Reporter
from engine.core.records.plain import plain

BAR = 28
WIDTH = 110


def add_common(parser: argparse.ArgumentParser, *, quiet: bool = True) -> None:
    """Add ``--json`` and, for long commands, ``--quiet``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    if quiet:
        parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def reporter(options: argparse.Namespace) -> Reporter:
    """Return a reporter that draws a bar on a terminal and is silent elsewhere."""
    quiet = getattr(options, "quiet", False) or sys.stderr is None or not sys.stderr.isatty()
    return Reporter(None if quiet else _draw, options.token)


class _Line:
    """The line of the terminal that the bar is drawn on."""

    is_open = False


def end_line() -> None:
    """Leave the line of an unfinished bar, so that what is printed next starts on a line of its own."""
    if _Line.is_open:
        _Line.is_open = False
        sys.stderr.write("\n")
        sys.stderr.flush()


def _draw(progress: Progress) -> None:
    filled = round(BAR * progress.fraction)
    eta = f" {progress.eta_seconds:4.0f} s left" if progress.eta_seconds is not None else ""
    line = f"[{'=' * filled}{' ' * (BAR - filled)}] {progress.fraction:4.0%}{eta}  {progress.stage}"
    # A line that fills the terminal would wrap, and the carriage return would only go back on its second half.
    width = max(10, min(WIDTH, shutil.get_terminal_size().columns - 1))
    sys.stderr.write(f"\r{line[:width]:<{width}}")
    _Line.is_open = True
    if progress.fraction >= 1:
        end_line()
    sys.stderr.flush()


def print_json(value: object) -> None:
    """Print records, or what holds them, as one JSON document."""
    print(json.dumps(plain(value), indent=2, allow_nan=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print left-aligned words and right-aligned numbers in columns."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(title), *(len(row[i]) for row in cells)]) for i, title in enumerate(header)]
    numeric = [bool(rows) and all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(header))]
    for line in [list(header), *cells]:
        padded = [cell.rjust(w) if n else cell.ljust(w) for cell, w, n in zip(line, widths, numeric, strict=True)]
        print("  ".join(padded).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3e}"
    return str(value)
