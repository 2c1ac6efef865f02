"""The bench command: ratios in one run, with the quality of both sides beside."""

from __future__ import annotations

import argparse
from typing import Any

from engine import api
from engine.cli.output import add_common, print_json, print_table, reporter

Commands = Any


def add(commands: Commands) -> None:
    """Add the command of this module."""
    command = commands.add_parser("bench", help="ratios against simple and peer implementations, measured now")
    command.add_argument("names", nargs="*", metavar="NAME", help="which (default all)")
    command.add_argument("--list", action="store_true", help="print the names")
    command.add_argument("--quick", action="store_true", help="smaller problems")
    add_common(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run and print the table."""
    if options.list:
        if options.json:
            print_json(api.benchmarks())
            return 0
        for name in api.benchmarks():
            print(name)
        return 0
    results = api.bench(options.names, options.quick, reporter(options))
    if options.json:
        print_json(results)
        return 0
    print_table(
        ("benchmark", "case", "ours s", "other", "other s", "ratio", "ours", "other's", "difference", "threads"),
        [
            (
                r.benchmark,
                r.case,
                r.ours_s,
                r.other,
                r.other_s,
                r.ratio,
                r.quality_ours,
                r.quality_other,
                r.difference or "-",
                r.threads,
            )
            for r in results
        ],
    )
    return 0
