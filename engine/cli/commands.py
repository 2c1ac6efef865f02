"""Parser, dispatch, and what a user sees when something goes wrong."""

from __future__ import annotations

import _thread
import argparse
import errno
import io
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any, NoReturn

from engine import __version__
from engine.cli import bench, evaluate, inspect, make, reconstruct, train, weights
from engine.cli import map as mapping
from engine.cli.output import end_line
from engine.core.errors import Cancelled, EngineError, InputError
from engine.core.jobs import CancelToken

log = logging.getLogger("myoscope")

PATIENCE_SECONDS = 0.2
_running: set[CancelToken] = set()

WINDOW_COMMANDS = "  (no command), demo, open FILE...   the window"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours: two lines, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Raise ``InputError`` instead of printing the usage and leaving."""
        raise InputError(message, f"`{self.prog} --help` shows what is expected.")


def parser() -> Parser:
    """Return the whole command line."""
    top = Parser(
        prog="myoscope",
        description="Review and improve accelerated cardiac MRI. Research use only.",
        epilog="In the window:\n" + WINDOW_COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"myoscope {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for module in (inspect, make, reconstruct, mapping, evaluate, train, weights, bench):
        module.add(commands)
    return top


def run(arguments: Sequence[str] | None = None) -> int:
    """Parse and run; print errors as two lines (or one JSON document) on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding lacks is shown escaped rather than ending the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    token = CancelToken()
    _running.add(token)
    previous, previous_hook = _cancel_on_interrupt(token), sys.unraisablehook
    sys.unraisablehook = partial(_unraisable, token, previous_hook)
    try:
        options = parser().parse_args(given)
        options.token = token
        action: Callable[[argparse.Namespace], int] = options.run
        code = action(options)
        end_line()
        if sys.stdout is not None:
            sys.stdout.flush()  # here, so that a reader who left is noticed here
        return code
    except (Cancelled, KeyboardInterrupt):
        _complain("cancelled", "Nothing was written.", as_json)
        return 130
    except EngineError as error:
        _complain(error.message, error.hint, as_json)
        return 2
    except BrokenPipeError:
        _silence_output()  # the reader left (`myoscope models | head`): not our error
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            _silence_output()
            _complain("cannot write the result to standard output: the disk is full", "Free some space.", as_json)
            return 2
        log.debug("defect", exc_info=True)
        if os.environ.get("MYOSCOPE_DEBUG"):
            raise
        _complain(
            f"a defect in Myoscope: {type(error).__name__}: {error}",
            "Please report it with the output of `myoscope doctor`; MYOSCOPE_DEBUG=1 shows the traceback.",
            as_json,
        )
        return 1
    finally:
        _running.discard(token)
        sys.unraisablehook = previous_hook
        if previous is not None:
            signal.signal(signal.SIGINT, previous)


def _cancel_on_interrupt(token: CancelToken) -> Any:
    """Let Ctrl+C ask the job to stop at its next step; one that does not answer is interrupted, as by a second Ctrl+C."""

    def handler(number: int, frame: FrameType | None) -> None:
        del number, frame
        if token.cancelled:
            raise KeyboardInterrupt
        token.cancel()
        # Loading a library or reading a file asks nobody whether to go on.
        _interrupt_after(PATIENCE_SECONDS, token)

    try:
        return signal.signal(signal.SIGINT, handler)
    except ValueError:  # not in the main thread (tests)
        return None


def _silence_output() -> None:
    """Keep the interpreter from complaining at exit about output that cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt_after(seconds: float, token: CancelToken) -> None:
    """Interrupt the main thread in a while, if the command still runs then."""

    def interrupt() -> None:
        if token in _running:
            _thread.interrupt_main()

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()


def _unraisable(token: CancelToken, otherwise: Callable[[Any], Any], found: Any) -> None:
    """Ask again when an interrupt fell into a destructor, which swallows it; leave all else to the hook before."""
    if isinstance(found.exc_value, KeyboardInterrupt):
        _interrupt_after(0.01, token)  # not here: the hook would swallow it as well
    else:
        otherwise(found)


def _complain(message: str, hint: str, as_json: bool) -> None:
    end_line()
    if as_json:
        print(json.dumps({"error": message, "hint": hint}), file=sys.stderr)
        return
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    print(f"hint: {' '.join(hint.split())}", file=sys.stderr)
