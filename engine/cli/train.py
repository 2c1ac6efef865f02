"""`myoscope train`: a run from a configuration, or one that goes on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.output import print_json
from engine.core.errors import InputError
from engine.core.records.events import Event, Skipped, Started, Stepped, Validation, as_table

if TYPE_CHECKING:
    from engine.training.config import TrainConfig


def add(commands: Any) -> None:
    """Add the command."""
    train = commands.add_parser("train", help="train or fine-tune a network from a configuration in TOML")
    train.add_argument("config", metavar="CONFIG.toml", nargs="?")
    train.add_argument("--resume", metavar="RUN", help="go on with the run in this folder")
    train.add_argument("--run", dest="folder", metavar="FOLDER", help="folder of the new run (default: among the user's runs)")
    train.add_argument("--events", metavar="-", choices=("-",), help="write one JSON line for each event to stdout")
    train.add_argument("--check", action="store_true", help="only check the configuration, and estimate memory and time")
    train.add_argument("--quiet", action="store_true", help="no progress on stderr")
    train.add_argument("--json", action="store_true", help="print the id of the weights as JSON")
    train.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train."""
    from engine.training import run as runs
    from engine.training.config import read_config
    from engine.training.events import line

    if options.resume:
        if options.config:
            raise InputError("--resume goes on with a run's own configuration (expected no CONFIG.toml)", "Leave one of them out.")
        folder = Path(options.resume)
        runs.check_resume(folder)
        config = runs.read_run(folder)
    elif options.config:
        config = read_config(options.config)
        if options.check:
            return _check(config, options)
        folder = Path(options.folder) if options.folder else runs.new_folder(config.name)
    else:
        raise InputError("nothing to train (expected CONFIG.toml or --resume RUN)", "See `myoscope train --help`.")

    def sink(event: Event) -> None:
        if options.token.cancelled:
            from engine.training.events import tell

            tell(folder, "stop")
        if options.events:
            print(line(event), flush=True)
        elif not options.quiet:
            print(_words(event), file=sys.stderr, flush=True)

    identifier = runs.run(config, folder, sink, resume=bool(options.resume))
    if options.json:
        print_json({"weights": identifier, "folder": str(folder)})
    elif not options.events:
        print(identifier or "discarded")
    return 0


def _check(config: TrainConfig, options: argparse.Namespace) -> int:
    """Print what the run will take; a contradiction is an error."""
    from engine.training.estimate import estimate
    from engine.training.setup import set_threads

    set_threads(config.run.threads)  # as the run will
    found = estimate(config)
    if options.json:
        print_json(found)
        return 0
    memory = "unknown" if found.memory_mib is None else f"about {found.memory_mib:.0f} MiB"
    step = "unknown" if found.seconds_per_step is None else f"about {found.seconds_per_step:.2g} s"
    print(f"{config.model.network}: {found.parameters} parameters, {found.device}")
    print(f"memory  {memory} for {found.frames} frames of {found.lines} x {found.columns}")
    print(f"a step  {step}, {config.run.steps} steps")
    return 0


def _words(event: Event) -> str:
    if isinstance(event, Stepped):
        return f"step {event.step} of {event.steps}  loss {event.loss:.5f}  {event.seconds:.0f} s"
    if isinstance(event, Validation):
        best = "  best so far" if event.best else ""
        if "psnr" not in event.scores:
            return f"validation at {event.step}: samples kept back predicted to {event.score:.2f} dB{best}"
        return f"validation at {event.step}: PSNR {event.scores['psnr']:.2f} dB, SSIM {event.scores['ssim']:.4f}{best}"
    if isinstance(event, Started):
        return f"{event.network}, {event.parameters} parameters, {event.device}, in {event.folder}"
    if isinstance(event, Skipped):
        return f"skipped {event.file}: {event.reason}"
    return "  ".join(f"{key} {value}" for key, value in as_table(event).items())
