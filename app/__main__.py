"""``myoscope``: the window without a command, with ``demo`` or with ``open FILE...``; the command line with any other."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence

WINDOW_COMMANDS = ("demo", "open")
WINDOW_OPTIONS = ("--reset-settings", "--screenshot", "--after", "--quit-after")


def wants_window(arguments: Sequence[str]) -> bool:
    """Whether these words open the window. Options of the window may come without a command."""
    if not arguments:
        return True
    return arguments[0] in WINDOW_COMMANDS or arguments[0].partition("=")[0] in WINDOW_OPTIONS


def has_display(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a window can be shown: on Linux a display must be named, or the Qt platform be chosen."""
    if not platform.startswith("linux"):
        return True
    return any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def parser() -> argparse.ArgumentParser:
    """Return the options of the window."""
    top = argparse.ArgumentParser(prog="myoscope", add_help=False)
    top.add_argument("command", nargs="?", choices=WINDOW_COMMANDS)
    top.add_argument("files", nargs="*")
    top.add_argument("--reset-settings", action="store_true")
    top.add_argument("--screenshot", metavar="FILE")
    top.add_argument("--after", type=float, default=2.0)
    top.add_argument("--quit-after", type=float)
    return top


def complain(message: str, hint: str) -> int:
    """Write two lines and return the exit code for bad input."""
    sys.stderr.write(f"error: {message}\nhint: {hint}\n")
    return 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the window or a command; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not wants_window(given):
        from engine.cli import main as command_line

        if given[0] == "bench":
            from app.bench import register

            register(offscreen=not has_display(os.environ, sys.platform))
        return command_line(given)
    return window(given)


def window(given: Sequence[str]) -> int:
    """Show the window."""
    if "--help" in given or "-h" in given:
        from engine.cli import main as command_line

        return command_line(["--help"])
    top = parser()
    top.exit_on_error = False
    try:
        options, unknown = top.parse_known_args(given)
    except argparse.ArgumentError as error:
        return complain(str(error), "`myoscope --help` lists the commands.")
    if unknown:
        return complain(f"unknown option {unknown[0]} (expected none)", "`myoscope --help` lists the commands.")
    if options.command == "open" and not options.files:
        return complain("no file to open (expected FILE...)", "For example `myoscope open scan.h5`.")
    if options.command == "demo" and options.files:
        return complain("demo takes no files", "`myoscope open FILE` opens a file.")
    if not has_display(os.environ, sys.platform):
        return complain(
            "there is no display to show the window on (expected DISPLAY or WAYLAND_DISPLAY)",
            "With Xvfb installed: `xvfb-run -a myoscope demo`; the other commands need no display (`myoscope --help`).",
        )
    try:
        importlib.import_module("PySide6.QtWidgets")
    except ImportError as error:  # its own libraries, or those of the system
        return complain(
            f"the window's libraries cannot be loaded ({error})",
            "`python3 packaging/bootstrap.py doctor` names what is missing; the other commands need no window (`myoscope --help`).",
        )
    from app.application import run

    return run(
        demo=options.command == "demo",
        files=options.files,
        reset_settings=options.reset_settings,
        screenshot=options.screenshot,
        after=options.after,
        quit_after=options.quit_after,
    )


if __name__ == "__main__":
    sys.exit(main())
