"""The weights at hand: bundled with the program or installed in the user's folder, each with its model card.

A set of weights is two files, ``ID.safetensors`` and ``ID.json`` (:mod:`engine.weights.card`). The card is written last and
removed first, so a set exists exactly while its card does.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

import engine
from engine.core.errors import FormatError, InputError, OutputError, UnknownNameError
from engine.core.files import replacing, translate
from engine.core.places import weights_folder
from engine.core.provenance import sha256, software
from engine.core.records.weights import ModelCard, WeightsInfo, check_id
from engine.weights.card import from_json, to_json

ENDING = ".safetensors"
# One metadata entry only: the format keeps several in no fixed order, and the same weights must have the same hash.
METADATA = "myoscope"


@dataclass(frozen=True, slots=True)
class Installed:
    """Weights that are at hand: their card, their file, and whether they came with the program."""

    card: ModelCard
    path: Path
    bundled: bool


@dataclass(frozen=True, slots=True)
class Header:
    """What a safetensors file says before its tensors are read: shapes by name, and what we wrote about them (or nothing)."""

    shapes: Mapping[str, tuple[int, ...]]
    about: Mapping[str, Any]


def bundled_folder() -> Path:
    """Return the folder of the weights that come with the program."""
    return Path(engine.__file__).resolve().parent.parent / "resources" / "weights"


def _cards() -> list[tuple[Path, bool]]:
    return [(path, bundled) for folder, bundled in ((bundled_folder(), True), (weights_folder(), False)) for path in _json(folder)]


def _json(folder: Path) -> list[Path]:
    # A name that begins with a dot is a card that is being written, or was when the power went.
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith(".")) if folder.is_dir() else []


def _read(path: Path, bundled: bool) -> Installed:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"cannot read the model card {path}: {error}", "Import the weights again.") from error
    return Installed(from_json(text, path.name), _beside(path), bundled)


def _beside(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".json") + ENDING)


def card_path(path: Path) -> Path:
    """Return where the card of a weights file lies."""
    return path.with_name(path.name.removesuffix(ENDING) + ".json")


def installed() -> list[Installed]:
    """Return all sets of weights, bundled ones first; a damaged card is left out (:func:`verify` names it)."""
    found: dict[str, Installed] = {}
    for path, bundled in _cards():
        try:
            entry = _read(path, bundled)
        except FormatError:
            continue
        if entry.card.id == path.stem:
            found.setdefault(entry.card.id, entry)
    return list(found.values())


def find(identifier: str) -> Installed:
    """Return one set of weights; raise ``UnknownNameError`` with the nearest ids."""
    entries = {entry.card.id: entry for entry in installed()}
    if identifier not in entries:
        near = difflib.get_close_matches(identifier, entries, n=3, cutoff=0.4)
        meant = f"Did you mean {' or '.join(near)}? " if near else ""
        raise UnknownNameError(
            f"unknown weights {identifier!r} (expected one of {len(entries)} ids or a {ENDING} file)",
            meant + "`myoscope weights list` lists all; `myoscope weights import` adds published ones.",
        )
    return entries[identifier]


def listing() -> list[WeightsInfo]:
    """Return everything at hand: card, file, size."""
    return [_describe(entry) for entry in installed()]


def card(identifier: str) -> WeightsInfo:
    """Return one set of weights: card, file, size; raise ``UnknownNameError`` with the nearest ids."""
    return _describe(find(identifier))


def _describe(entry: Installed) -> WeightsInfo:
    size = entry.path.stat().st_size if entry.path.is_file() else None
    return WeightsInfo(entry.card, entry.path, size, entry.bundled)


def for_network(network: str) -> list[str]:
    """Return the ids of all weights of a method."""
    return [entry.card.id for entry in installed() if entry.card.network == network]


def verify() -> dict[str, bool]:
    """Return, for each id, whether the file is there and has the hash on its card."""
    return {identifier: not problem for identifier, problem in problems().items()}


def problems() -> dict[str, str]:
    """Return, for each id, what is wrong with it ("" when nothing is); damaged cards included."""
    return {path.stem: _problem(path, bundled) for path, bundled in _cards()}


def _problem(path: Path, bundled: bool) -> str:
    try:
        entry = _read(path, bundled)
        if entry.card.id != path.stem:
            return f"the card {path.name} says {entry.card.id}"
        check_hash(entry)
    except FormatError as error:
        return error.message
    return ""


def check_hash(entry: Installed) -> None:
    """Raise ``FormatError`` unless the file is there and is the one its card describes."""
    if not entry.path.is_file():
        raise FormatError(f"the weights {entry.card.id} have no file (expected {entry.path})", "Import the weights again.")
    found = sha256(entry.path)
    if found != entry.card.sha256:
        raise FormatError(
            f"the weights {entry.card.id} are damaged (expected sha256 {entry.card.sha256[:12]} / found {found[:12]})",
            "Import the weights again.",
        )


def add(tensors: Mapping[str, NDArray[Any]], draft: ModelCard) -> Installed:
    """Install weights in the user's folder under ``draft.id``; hash, count and date of the card are filled in.

    What is there already is never overwritten; the same tensors under the same id are simply found again.

    Raises
    ------
    InputError
        When other weights have this id.
    OutputError
        When the folder cannot be written.
    """
    known = {entry.card.id: entry for entry in installed()}.get(draft.id)
    if known is not None and (known.bundled or not _problem(card_path(known.path), False)):
        if known.card.network == draft.network and _same(known.path, tensors):
            return known
        raise InputError(
            f"there are other weights called {draft.id} (expected a new id)",
            f"Give a name with --name, or `myoscope weights remove {draft.id}` first.",
        )
    with _folder_for_writing() as folder:
        return _install(folder, tensors, draft)


@contextlib.contextmanager
def _folder_for_writing() -> Iterator[Path]:
    """Make the user's folder; on any error those folders that had to be made are taken away again."""
    folder = weights_folder()
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except BaseException as error:
        for path in missing:
            with contextlib.suppress(OSError):
                path.rmdir()
        if isinstance(error, OSError):
            raise translate(error, folder) from error
        raise


def _install(folder: Path, tensors: Mapping[str, NDArray[Any]], draft: ModelCard) -> Installed:
    path = folder / f"{draft.id}{ENDING}"
    about = json.dumps({"network": draft.network, "config": dict(draft.config), "licence": draft.licence}, sort_keys=True)
    with replacing(path) as temporary:
        # np.array keeps scalars 0-D, np.ascontiguousarray would not.
        try:
            save_file({k: np.array(v, order="C") for k, v in tensors.items()}, temporary, metadata={METADATA: about})
        except SafetensorError as error:  # the library's own word for a failed write
            raise OSError(str(error)) from error
        digest = sha256(temporary)
    complete = replace(
        draft,
        sha256=digest,
        parameters=sum(int(v.size) for v in tensors.values()),
        created=draft.created or datetime.now(UTC).isoformat(timespec="seconds"),
        software=draft.software or software(),
    )
    try:
        with replacing(card_path(path)) as temporary:
            temporary.write_text(to_json(complete), encoding="utf-8")
    except BaseException:
        path.unlink(missing_ok=True)  # weights without a card are nobody's
        raise
    return Installed(complete, path, False)


def _same(path: Path, tensors: Mapping[str, NDArray[Any]]) -> bool:
    if read_header(path).shapes != {k: v.shape for k, v in tensors.items()}:
        return False
    with safe_open(path, framework="numpy") as file:
        return all(np.array_equal(file.get_tensor(name), value) for name, value in tensors.items())


def remove(identifier: str) -> None:
    """Take a set of weights out of the library; :func:`restore` brings the one of this id that was removed last back.

    Raises
    ------
    InputError
        When it came with the program.
    """
    entry = find(identifier)
    if entry.bundled:
        raise InputError(f"{identifier} came with the program and cannot be removed", "Only imported and trained weights can.")
    aside = _removed_folder()
    try:
        aside.mkdir(parents=True, exist_ok=True)
        card_path(entry.path).replace(aside / card_path(entry.path).name)
        if entry.path.is_file():
            entry.path.replace(aside / entry.path.name)
    except OSError as error:
        raise OutputError(f"cannot remove {entry.path}: {error.strerror}", "Check your permissions.") from error


def restore(identifier: str) -> None:
    """Bring weights back that were removed.

    Raises
    ------
    UnknownNameError
        None of this id was.
    InputError
        Others have the id by now.
    """
    aside = _removed_folder()
    there = [path.stem for path in _json(aside)]
    if identifier not in there:
        listed = ", ".join(there) or "none"
        raise UnknownNameError(f"no weights {identifier!r} were removed (expected one of {listed})", "Import them again.")
    if any(entry.card.id == identifier for entry in installed()):
        raise InputError(f"there are other weights called {identifier} by now", "Remove or export those first.")
    card_file = aside / f"{identifier}.json"
    target = weights_folder()
    try:
        if _beside(card_file).is_file():
            _beside(card_file).replace(target / _beside(card_file).name)
        card_file.replace(target / card_file.name)
    except OSError as error:
        raise OutputError(f"cannot restore {identifier}: {error.strerror}", "Check your permissions.") from error


def _removed_folder() -> Path:
    return weights_folder() / "removed"


def annotate(identifier: str, notes: str) -> None:
    """Write notes on the card of weights.

    Raises
    ------
    InputError
        They came with the program.
    OutputError
        The card cannot be written.
    """
    entry = find(identifier)
    if entry.bundled:
        raise InputError(f"{identifier} came with the program, its card stays as it is", "Export it and import it by another name.")
    with replacing(card_path(entry.path)) as temporary:
        temporary.write_text(to_json(replace(entry.card, notes=notes)), encoding="utf-8")


def export(identifier: str, path: str | Path) -> Path:
    """Copy weights and their card to ``path``: a folder, or the name of a new ``.safetensors`` file; return the file.

    Raises
    ------
    UnknownNameError, FormatError
        There are none of this id, or they are damaged.
    InputError, OutputError
        The name ends otherwise, something is there already, or it cannot be written.
    """
    entry = find(identifier)
    check_hash(entry)
    target = Path(path)
    target = target / entry.path.name if target.is_dir() else target
    if target.suffix != ENDING:
        raise InputError(f"weights are written as {ENDING} (found {target.name})", f"Name a folder, or a file ending in {ENDING}.")
    if target.exists() or card_path(target).exists():
        raise OutputError(f"there is a {target.name} already", "Choose another name; nothing is overwritten.")
    with replacing(target) as temporary:
        shutil.copyfile(entry.path, temporary)
    with replacing(card_path(target)) as temporary:
        temporary.write_text(to_json(entry.card), encoding="utf-8")
    return target


def take(path: str | Path, name: str | None = None) -> Installed:
    """Install weights that :func:`export` wrote, under their own id or ``name``; what is there already is never overwritten.

    Raises
    ------
    FormatError
        No weights, no card beside them, or damaged.
    InputError, OutputError
        Other weights have the id; the library cannot be written.
    """
    file = Path(path)
    read_header(file)
    beside = card_path(file)
    if not beside.is_file():
        raise FormatError(
            f"{file.name} has no model card beside it (expected {beside.name})",
            "Published weights of others: `myoscope weights import FILE --source NAME`.",
        )
    given = from_json(beside.read_text(encoding="utf-8"), beside.name)
    check_hash(Installed(given, file, bundled=False))
    with safe_open(file, framework="numpy") as opened:
        tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 not a mapping
    return add(tensors, given if name is None else replace(given, id=check_id(name)))


def read_header(path: str | Path) -> Header:
    """Read names, shapes and our notes of a safetensors file.

    Raises
    ------
    FormatError
        When the file is missing, damaged, or of another format (pickled checkpoints are never opened).
    """
    file = Path(path)
    if not file.is_file():
        raise FormatError(f"no weights at {file} (expected a {ENDING} file / found none)", "Check the path.")
    if file.suffix != ENDING:
        raise FormatError(
            f"{file.name} is not a {ENDING} file (found {file.suffix or 'no ending'})",
            "Published checkpoints of other formats: `myoscope weights import FILE --source NAME`.",
        )
    try:
        with safe_open(file, framework="numpy") as opened:
            shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118 not a mapping
            notes = (opened.metadata() or {}).get(METADATA, "{}")
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{file.name} is damaged or not a {ENDING} file ({error})", "Download or import it again.") from error
    try:
        about = json.loads(notes)
    except ValueError:
        about = {}
    return Header(shapes, about if isinstance(about, dict) else {})


def slug(text: str) -> str:
    """Turn any name into an id: lower case, runs of other characters become one dash."""
    return check_id(re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-._")[:80] or "weights")
