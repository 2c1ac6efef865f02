"""Knowing a file again, and finding one that was moved."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from app.document.saved import FileReference, Hashed

WHOLE_BYTES: Final = 64 << 20
"""Up to this size all bytes are hashed (0.1 s). Of a larger file only parts are, or each save of a session would read gigabytes:
enough to tell one acquisition from another, which differ everywhere; not to notice a damaged bit, which is the reader's task."""
PART_BYTES: Final = 1 << 20
PARTS: Final = 24
MOST_FILES: Final = 20_000
"""Files of a folder that are looked at."""

Known = dict[tuple[str, int, int], tuple[Hashed, str]]


class Verdict(StrEnum):
    """What was found."""

    SAME = "same"
    CHANGED = "changed"  # there is a file, but with another content
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Found:
    """Where a file is now, and whether it is the same; ``path`` is None when it is missing."""

    path: Path | None
    verdict: Verdict


def reference(path: str | Path, folder: Path | None, known: Known | None = None) -> FileReference | None:
    """Return a reference to a file or folder for a session file in ``folder``; None when it is not there.

    ``known`` keeps hashes by path, size and time of change, so that nothing is read twice.
    """
    file = Path(path)
    try:
        size, hashed, digest = _remembered(file, known if known is not None else {})
    except OSError:
        return None
    return FileReference(path=_from_home(file), beside=_beside(file, folder), size=size, sha256=digest, hashed=hashed)


def find(wanted: FileReference, folder: Path, known: Known | None = None) -> Found:
    """Look for a file where it was, then beside the session file; the first with the same content wins."""
    there: Path | None = None
    for candidate in candidates(wanted, folder):
        if matches(wanted, candidate, known):
            return Found(candidate, Verdict.SAME)
        if there is None and candidate.exists():
            there = candidate
    return Found(there, Verdict.MISSING if there is None else Verdict.CHANGED)


def candidates(wanted: FileReference, folder: Path) -> Iterator[Path]:
    """Yield where a file may be: where it was, at the same way from the session file, beside that, in a folder of its name."""
    was = Path(wanted.path).expanduser()
    places = [was, folder / wanted.beside if wanted.beside else was, folder / was.name, folder / was.parent.name / was.name]
    yield from dict.fromkeys(places)


def matches(wanted: FileReference, path: Path, known: Known | None = None) -> bool:
    """Whether a file has the size and the content of the one that was saved."""
    try:
        size, _, digest = _remembered(path, known if known is not None else {})
    except OSError:
        return False
    return (size, digest) == (wanted.size, wanted.sha256)


def fingerprint(path: Path) -> tuple[int, Hashed, str]:
    """Return size in bytes, what was hashed (``whole``, ``parts``, ``folder``), and the SHA-256.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        return _folder(path), "folder", _folder_digest(path)
    size = path.stat().st_size
    with path.open("rb") as stream:
        for start, length in _parts(size):
            _add(stream, start, length, digest.update)
    return size, "whole" if size <= WHOLE_BYTES else "parts", digest.hexdigest()


def _parts(size: int) -> list[tuple[int, int]]:
    if size <= WHOLE_BYTES:
        return [(0, size)]
    step = (size - PART_BYTES) // (PARTS - 1)
    return [(index * step, PART_BYTES) for index in range(PARTS)]


def _add(stream: BinaryIO, start: int, length: int, take: Callable[[bytes], None]) -> None:
    stream.seek(start)
    while length > 0:
        block = stream.read(min(length, PART_BYTES))
        if not block:
            return
        take(block)
        length -= len(block)


def _files(folder: Path) -> list[Path]:
    found = []
    for root, names, files in os.walk(folder):
        names.sort()
        found += [Path(root) / name for name in sorted(files)]
        if len(found) > MOST_FILES:
            break
    return found[:MOST_FILES]


def _folder(folder: Path) -> int:
    return sum(file.lstat().st_size for file in _files(folder))


def _folder_digest(folder: Path) -> str:
    """Return a hash of the names and sizes of all files of a folder, and of the beginning of some."""
    digest = hashlib.sha256()
    files = _files(folder)
    for file in files:
        digest.update(f"{file.relative_to(folder).as_posix()}\0{file.lstat().st_size}\n".encode())
    for file in files[:: max(1, len(files) // PARTS)]:
        if file.is_file() and not file.is_symlink():
            with file.open("rb") as stream:
                digest.update(stream.read(PART_BYTES))
    return digest.hexdigest()


def _remembered(path: Path, known: Known) -> tuple[int, Hashed, str]:
    status = path.stat()
    if path.is_dir():
        return fingerprint(path)
    key = (str(path), status.st_size, status.st_mtime_ns)
    if key not in known:
        _, hashed, digest = fingerprint(path)
        known[key] = (hashed, digest)
    return (status.st_size, *known[key])


def _from_home(path: Path) -> str:
    """Return a path with ``~`` in the place of the home folder: its name is often that of a person."""
    try:
        return "~/" + path.relative_to(Path.home()).as_posix()
    except (ValueError, RuntimeError):
        return str(path)


def _beside(path: Path, folder: Path | None) -> str:
    if folder is None:
        return ""
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except (ValueError, OSError):
        return ""
