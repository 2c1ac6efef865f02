"""Opening and listing: a file, or a folder whose files are found by themselves."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from engine.core.errors import EngineError, FormatError
from engine.core.files import is_folder
from engine.core.records.entries import Entry
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, KSpaceSeries
from engine.io.contract import FORMATS
from engine.io.probe import check_there
from engine.io.recognise import as_format_error, format_of, recognise

# That many series of a folder are named in an error.
NAMED = 5


def open_series(path: str | Path, options: OpenOptions | None = None) -> KSpaceSeries | ImageSeries:
    """Open a file with the format that recognises it best, or the one series of a folder.

    Raises
    ------
    FormatError
        The file is missing, damaged or of no known format; the folder holds no series, or several (the error names them).
    """
    place, told = Path(path), options or OpenOptions()
    if is_folder(place):
        return read(the_one(place), told)
    check_there(place)
    one, failures = format_of(place)
    return read(Entry(place, one.name, told.key, notes=failures), told)


def read(entry: Entry, options: OpenOptions | None = None) -> KSpaceSeries | ImageSeries:
    """Open what :func:`entries` listed.

    Raises
    ------
    EngineError
        It cannot be read; the message says why.
    """
    told = options or OpenOptions()
    if entry.problem:
        raise FormatError(entry.problem, entry.hint)
    one = FORMATS.get(entry.format)
    try:
        series = one.read(entry if told.key is None else replace(entry, key=told.key), told)
    except Exception as error:
        made = as_format_error(entry.path, one, error)
        if made is error:
            raise
        raise made from error
    failures = tuple(note for note in entry.notes if note not in series.notes)
    return replace(series, notes=(*series.notes, *failures)) if failures else series


def the_one(folder: Path) -> Entry:
    """Return the only series in a folder; raise ``FormatError`` that lists what there is when it holds none or several."""
    others: list[Entry] = []
    series: list[Entry] = []
    for entry in entries(folder):
        (series if entry.is_series else others).append(entry)
        if len(series) > NAMED:
            break
    if len(series) == 1:
        return series[0]
    if series:
        names = ", ".join(_words(entry, folder) for entry in series[:NAMED])
        raise FormatError(
            f"{folder.name} holds several series (found {names}{' and more' if len(series) > NAMED else ''})",
            f"Open one of them, for example {series[0].path}; `myoscope list {folder}` shows all.",
        )
    reasons = "; ".join(f"{entry.path.name}: {entry.problem}" for entry in others if entry.problem)[:200]
    raise FormatError(
        f"{folder.name} holds nothing that can be opened (expected a series / found {reasons or 'no files'})",
        "`myoscope formats` lists what can be read.",
    )


def _words(entry: Entry, folder: Path) -> str:
    name = str(entry.path.relative_to(folder)) if entry.path != folder else entry.title
    return f"{name} {entry.key}" if entry.key else name


def entries(path: str | Path) -> Iterator[Entry]:
    """Yield what is in a file or, recursively, in a folder, lazily: from headers alone, what cannot be read with the reason.

    Links to files are followed, links to folders are not (they may lead in circles); hidden names are passed over. Files that
    belong to an entry (sidecars, tables, masks, the rest of a collection) are not listed again.

    Raises
    ------
    FormatError
        ``path`` is not there.
    """
    place = Path(path)
    if is_folder(place):
        yield from _folder(place, set())
        return
    check_there(place)
    yield from _file(place)


def _file(path: Path) -> Iterator[Entry]:
    found = recognise(path)
    one = found.format
    if one is None:
        problem = "; ".join(found.failures) or "of no format that can be read"
        yield Entry(path, title=path.name, files=(path,), problem=problem, hint="`myoscope formats` lists what can be read.")
        return
    try:
        for entry in one.list(path):
            yield replace(entry, notes=(*entry.notes, *found.failures)) if found.failures else entry
    except Exception as error:  # noqa: BLE001 - what is wrong with one file is a line of the list, not its end
        made = as_format_error(path, one, error)
        yield Entry(path, one.name, title=path.name, files=(path,), problem=made.message, hint=made.hint, notes=found.failures)


def _folder(folder: Path, claimed: set[Path]) -> Iterator[Entry]:
    whole = recognise(folder).format
    if whole is not None:
        try:
            yield from whole.list(folder)
        except Exception as error:  # noqa: BLE001 - as in _file
            made = as_format_error(folder, whole, error)
            yield Entry(folder, whole.name, title=folder.name, problem=made.message, hint=made.hint)
        return
    try:
        with os.scandir(folder) as scan:
            found = sorted((item for item in scan if not item.name.startswith(".")), key=lambda item: item.name)
    except OSError as error:
        problem = f"the folder cannot be read ({error.strerror})"
        yield Entry(folder, title=folder.name, problem=problem, hint="Check your permissions and that its disk is there.")
        return
    unknown: list[Entry] = []
    folders = [Path(item.path) for item in found if item.is_dir(follow_symlinks=False)]
    links = [Path(item.path) for item in found if item.is_symlink() and item.is_dir()]
    for file in (Path(item.path) for item in found if not item.is_dir()):
        if file in claimed:
            continue
        for entry in _of_folder(file):
            if entry.problem and not entry.format:
                unknown.append(entry)
                continue
            claimed.update(entry.files)
            yield entry
    for link in links:
        yield Entry(link, title=link.name, problem="a link to a folder is not followed", hint="List the folder itself.")
    yield from (entry for entry in unknown if entry.path not in claimed)
    yield from itertools.chain.from_iterable(_folder(inner, claimed) for inner in folders)


def _of_folder(file: Path) -> Iterator[Entry]:
    """Yield the entries of one file of a folder; what vanished meanwhile, a pipe or a broken link is told as such."""
    try:
        check_there(file)
    except EngineError as error:
        yield Entry(file, title=file.name, problem=error.message, hint=error.hint)
        return
    yield from _file(file)


def files_of(path: Path) -> list[Path]:
    """Return the files that opening ``path`` reads: itself, its sidecars, the rest of its collection."""
    try:
        found = [file for entry in entries(path) for file in entry.files]
    except EngineError:
        found = []
    return list(dict.fromkeys([path, *found]))
