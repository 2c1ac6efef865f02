"""Commands that look: info, list, models, masks, metrics, formats, doctor."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine import api
from engine.cli import parse
from engine.cli.output import add_common, print_json, print_table, reporter
from engine.core.records.entries import Entry
from engine.core.records.methods import MethodInfo
from engine.core.records.plain import table
from engine.core.requests import OpenOptions

Commands = Any


def add(commands: Commands) -> None:
    """Add the commands of this module."""
    info = commands.add_parser("info", help="axes, kind, times, sampling of a file")
    info.add_argument("file")
    add_reading(info)
    add_common(info, quiet=False)
    info.set_defaults(run=run_info)
    listing = commands.add_parser("list", help="what is in a file or folder, and what cannot be read and why")
    listing.add_argument("path", metavar="FOLDER|FILE")
    add_common(listing, quiet=False)
    listing.set_defaults(run=run_list)
    for name, run, text in (
        ("models", run_models, "reconstruction methods"),
        ("masks", run_masks, "sampling patterns"),
        ("metrics", run_metrics, "image quality metrics"),
        ("losses", run_losses, "loss terms of training"),
        ("formats", run_formats, "file formats"),
        ("doctor", run_doctor, "versions, devices, memory: to paste in a report"),
    ):
        command = commands.add_parser(name, help=text)
        if name == "models":
            command.add_argument("names", nargs="*", metavar="NAME", help="which (default all)")
        add_common(command, quiet=name == "models")
        command.set_defaults(run=run)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add what a person may have to say about a file."""
    parser.add_argument("--axes", help="letters of the stored axes in order: s slice, f frame, c coil, y, x")
    parser.add_argument("--key", help="name of the variable in the file")
    parser.add_argument("--times", help="inversion or echo times in ms, separated by commas")
    parser.add_argument("--kind", choices=("cine", "molli", "t2prep"), help="what the frames are")


def open_file(options: argparse.Namespace) -> Any:
    """Open ``options.file`` with the reading options."""
    reading = OpenOptions(axes=options.axes, key=options.key, times_ms=parse.numbers(options.times, "times"), kind=options.kind)
    return api.open_series(options.file, reading)


def run_info(options: argparse.Namespace) -> int:
    """Print what a file holds."""
    told = (options.axes, options.key, options.times, options.kind)
    maps = api.describe_maps(options.file) if all(word is None for word in told) else None
    found = maps or api.describe(open_file(options))
    if options.json:
        print_json(found)
        return 0
    for key, value in table(found).items():
        print(f"{key:16} {_words(value)}")
    return 0


def run_list(options: argparse.Namespace) -> int:
    """Print what is in a file or folder."""
    found = api.list_entries(options.path)
    if options.json:
        print_json(list(found))
        return 0
    top = Path(options.path)
    rows: list[tuple[object, ...]] = []
    strangers = 0
    for entry in found:
        strangers += not entry.format
        if entry.format:
            rows.append(_row(entry, top))
    print_table(("file", "key", "what", "kind", "axes", "R", "MiB", "problem"), rows)
    if strangers:
        print(f"{strangers} other file{'s' if strangers > 1 else ''} of no format that can be read (--json names them)")
    return 0


def _row(entry: Entry, top: Path) -> tuple[object, ...]:
    name = entry.path.name if entry.path == top else str(entry.path.relative_to(top))
    sizes = entry.axes.values() or entry.shape
    axes = " x ".join(map(str, sizes)) if sizes else "-"
    return (
        name,
        entry.key or "-",
        entry.content,
        entry.kind,
        axes,
        "-" if entry.acceleration is None else f"{entry.acceleration:g}",
        f"{entry.size_bytes / 2**20:.1f}" if entry.size_bytes else "-",
        entry.problem or "-",
    )


def _words(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_words(v)}" for k, v in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        if len(value) > 1 and all(row == value[0] for row in value) and isinstance(value[0], list):
            return f"{_words(value[0])} (the same in all {len(value)} slices)"
        return (", " if not value or not isinstance(value[0], list) else "; ").join(_words(v) for v in value) or "-"
    return str(value)


def run_models(options: argparse.Namespace) -> int:
    """Print the registered methods."""
    found = api.methods(options.names, costs=options.json or bool(options.names), report=reporter(options))
    if options.json:
        print_json(found)
        return 0
    rows = [
        (
            m.name,
            preset,
            p.parameters,
            _giga(p.macs),
            _giga(p.paper_macs),
            p.memory_mib,
            p.macs_shape or "-",
            _weights(m),
            m.paper,
        )
        for m in found
        for preset, p in m.presets.items()
    ]
    print_table(("name", "preset", "parameters", "GMACs", "paper's", "MiB", "at", "weights", "paper"), rows)
    if not options.names:
        print("Multiply-accumulates and memory: `myoscope models NAME`; all of them, in about a minute: `myoscope models --json`.")
    return 0


def _weights(method: MethodInfo) -> str:
    if method.weights or not method.trainable:
        return ", ".join(method.weights) or "-"
    return f"none (--source {' or '.join(method.sources)})" if method.sources else "none"


def _giga(macs: float | None) -> str:
    return "-" if macs is None else f"{macs / 1e9:.2f}"


def run_masks(options: argparse.Namespace) -> int:
    """Print the registered patterns."""
    found = api.mask_patterns()
    if options.json:
        print_json(found)
        return 0
    rows = [
        (
            m.name,
            "per frame" if m.per_frame else "static",
            "lines" if m.cartesian_1d else "2D",
            m.description,
            "; ".join(f"{o.name} ({o.default})" for o in m.options) or "-",
        )
        for m in found
    ]
    print_table(("name", "frames", "kind", "what", "options (default)"), rows)
    return 0


def run_metrics(options: argparse.Namespace) -> int:
    """Print the registered metrics."""
    found = api.metrics()
    if options.json:
        print_json(found)
        return 0
    rows = [(m.name, m.unit or "-", "higher" if m.higher_is_better else "lower", m.source) for m in found]
    print_table(("name", "unit", "better", "definition"), rows)
    return 0


def run_losses(options: argparse.Namespace) -> int:
    """Print the registered loss terms."""
    found = api.losses()
    if options.json:
        print_json(found)
        return 0
    rows = [(m.name, m.title, "truth" if m.needs_target else "samples", ", ".join(m.networks) or "any", m.source) for m in found]
    print_table(("name", "what", "learns from", "networks", "source"), rows)
    return 0


def run_formats(options: argparse.Namespace) -> int:
    """Print the formats that are read and written."""
    found = api.formats()
    if options.json:
        print_json(found)
        return 0
    print_table(
        ("name", "files", "writes", "what"),
        [(f.name, " ".join(f.suffixes), ", ".join(f.writes) or "-", f.description or f.title) for f in found],
    )
    return 0


def run_doctor(options: argparse.Namespace) -> int:
    """Print the state of the machine."""
    found = api.doctor()
    if options.json:
        print_json(found)
        return 0
    for section, entries in table(found).items():
        print(f"{section}:")
        assert isinstance(entries, dict)
        for key, value in entries.items():
            print(f"  {key!s:16} {_words(value)}")
    return 0
