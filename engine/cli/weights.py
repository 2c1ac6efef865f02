"""The weights commands: list, show, verify, sources, import, export, note, remove, restore."""

from __future__ import annotations

import argparse
from typing import Any

from engine import api
from engine.cli.output import add_common, print_json, print_table
from engine.core.errors import FormatError
from engine.core.records.plain import table

Commands = Any


def add(commands: Commands) -> None:
    """Add the command of this module."""
    top = commands.add_parser("weights", help="trained weights at hand")
    actions = top.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(top))
    listing = actions.add_parser("list", help="all weights")
    listing.set_defaults(run=run_list)
    show = actions.add_parser("show", help="the model card")
    show.add_argument("id")
    show.set_defaults(run=run_show)
    verify = actions.add_parser("verify", help="check the files against their hashes")
    verify.set_defaults(run=run_verify)
    sources = actions.add_parser("sources", help="where published weights can come from, and for which networks")
    sources.set_defaults(run=run_sources)
    importer = actions.add_parser("import", help="published weights, in their authors' format, or exported ones with their card")
    importer.add_argument("file")
    importer.add_argument("--source", help="whose format it is: `myoscope weights sources` lists them; none for exported ones")
    importer.add_argument("--name", help="id to give it (default: from the source and the file)")
    importer.set_defaults(run=run_import)
    remove = actions.add_parser("remove", help="remove imported or fine-tuned weights")
    remove.add_argument("id")
    remove.set_defaults(run=run_remove)
    restore = actions.add_parser("restore", help="bring removed weights back")
    restore.add_argument("id")
    restore.set_defaults(run=run_restore)
    export = actions.add_parser("export", help="copy weights and their card to a folder or a file")
    export.add_argument("id")
    export.add_argument("path", help="folder, or name of a new .safetensors file")
    export.set_defaults(run=run_export)
    note = actions.add_parser("note", help="write notes on the card")
    note.add_argument("id")
    note.add_argument("text")
    note.set_defaults(run=run_note)
    for action in (listing, show, verify, sources, importer, remove, restore, export, note):
        add_common(action, quiet=False)


def run_list(options: argparse.Namespace) -> int:
    """Print all weights."""
    found = api.weights()
    if options.json:
        print_json(found)
    elif not found:
        print("No weights are installed. `myoscope weights import FILE --source NAME` takes published ones.")
    else:
        cards = [one.card for one in found]
        print_table(("id", "network", "licence", "source"), [(c.id, c.network, c.licence, c.source) for c in cards])
    return 0


def run_show(options: argparse.Namespace) -> int:
    """Print a model card."""
    found = api.weights_card(options.id)
    if options.json:
        print_json(found)
    else:
        for key, value in table(found).items():
            print(f"{key:16} {value}")
    return 0


def run_verify(options: argparse.Namespace) -> int:
    """Check every file against its hash; an error if one is damaged, after the list."""
    found = api.verify_weights()
    if options.json:
        print_json(found)
    else:
        print_table(("id", "state"), [(name, "ok" if good else "damaged") for name, good in found.items()])
    damaged = [name for name, good in found.items() if not good]
    if damaged:
        raise FormatError(
            f"{len(damaged)} of {len(found)} weights are damaged (expected none / found {', '.join(damaged)})",
            "Remove them with `myoscope weights remove ID` and import them again.",
        )
    return 0


def run_sources(options: argparse.Namespace) -> int:
    """Print what published weights can be read."""
    found = api.weight_sources()
    if options.json:
        print_json(found)
    else:
        rows = [(s.name, ", ".join(s.networks), s.licence, s.title, s.url) for s in found]
        print_table(("source", "networks", "licence", "what", "address"), rows)
    return 0


def run_import(options: argparse.Namespace) -> int:
    """Import published weights."""
    name = api.import_weights(options.file, options.source, options.name)
    if options.json:
        print_json({"id": name})
    else:
        print(f"imported as {name}; `myoscope weights show {name}` prints its card")
    return 0


def run_remove(options: argparse.Namespace) -> int:
    """Remove weights (those that ship cannot be removed)."""
    api.remove_weights(options.id)
    if options.json:
        print_json({"removed": options.id})
    else:
        print(f"removed {options.id}; `myoscope weights restore {options.id}` brings it back")
    return 0


def run_restore(options: argparse.Namespace) -> int:
    """Bring removed weights back."""
    api.restore_weights(options.id)
    if options.json:
        print_json({"restored": options.id})
    else:
        print(f"restored {options.id}")
    return 0


def run_export(options: argparse.Namespace) -> int:
    """Copy weights and their card."""
    file = api.export_weights(options.id, options.path)
    if options.json:
        print_json({"file": file})
    else:
        print(f"written to {file}, with its card beside it")
    return 0


def run_note(options: argparse.Namespace) -> int:
    """Write notes on a card."""
    api.note_weights(options.id, options.text)
    if options.json:
        print_json({"id": options.id, "notes": options.text})
    else:
        print(f"noted; `myoscope weights show {options.id}` prints the card")
    return 0
