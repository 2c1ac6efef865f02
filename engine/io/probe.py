"""What a file really is, from its first bytes: an extension is a wish, a signature is a fact. Nothing here raises on damage."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from engine.core.errors import FormatError

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
NPY_SIGNATURE = b"\x93NUMPY"
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
# An HDF5 superblock may stand behind a user block of 512 * 2^n bytes: MATLAB 7.3 writes its text header there.
HDF5_OFFSETS = (0, 512, 1024, 2048, 4096, 8192)
HEAD_BYTES = HDF5_OFFSETS[-1] + len(HDF5_SIGNATURE)


class Container(StrEnum):
    """What the first bytes say; the value is the word used in messages."""

    HDF5 = "an HDF5 file"
    MATLAB5 = "a MATLAB version 5 to 7 file"
    NPY = "a NumPy .npy file"
    ZIP = "a zip archive"
    TEXT = "a text file"
    EMPTY = "an empty file"
    UNREADABLE = "a file that cannot be read"
    OTHER = "of another kind"


def check_there(path: Path) -> None:
    """Raise ``FormatError`` unless ``path`` is a file that is there."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a name that no file can have
        raise FormatError(f"{path} does not exist", "Check the path; names are case-sensitive.") from error
    except OSError as error:
        raise FormatError(
            f"{str(path)[:200]} cannot be opened ({error.strerror})", "Check the path and your permissions."
        ) from error
    if stat.S_ISDIR(mode):
        raise FormatError(f"{path} is a folder (expected a file)", "Open one of the files inside it.")
    if not stat.S_ISREG(mode):
        raise FormatError(f"{path} is a device or a pipe (expected a file)", "Save the data as a file first.")


def stamp(found: os.stat_result) -> tuple[int, int]:
    """Return size and time of last change: what tells whether a file is still the one that was opened."""
    return found.st_size, found.st_mtime_ns


def check_unchanged(path: Path, found: os.stat_result, opened: tuple[int, int]) -> None:
    """Raise ``FormatError`` when ``found`` is not the file whose :func:`stamp` was ``opened``: offsets into it no longer hold."""
    if stamp(found) != opened:
        raise FormatError(f"{path.name} changed on disk since it was opened", "Open it again.")


class _Memory(threading.local):
    """The one file that this thread asks several formats about, and what its first bytes said."""

    path: Path | None = None
    container: Container | None = None


_memory = _Memory()


@contextlib.contextmanager
def remembering(path: Path) -> Iterator[None]:
    """Read the first bytes of ``path`` once inside the block, however many formats ask :func:`container`."""
    _memory.path, _memory.container = path, None
    try:
        yield
    finally:
        _memory.path = _memory.container = None


def container(path: Path) -> Container:
    """Return what the first bytes of ``path`` say."""
    if path != _memory.path:
        return _container(path)
    if _memory.container is None:
        _memory.container = _container(path)
    return _memory.container


def _container(path: Path) -> Container:
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError:
        return Container.UNREADABLE
    if not head:
        return Container.EMPTY
    if any(head.startswith(HDF5_SIGNATURE, offset) for offset in HDF5_OFFSETS):
        return Container.HDF5
    if head.startswith(b"MATLAB 5.0 MAT-file") or (len(head) >= 128 and head[124:128] in (b"\x00\x01IM", b"\x01\x00MI")):
        return Container.MATLAB5
    if head.startswith(NPY_SIGNATURE):
        return Container.NPY
    if head.startswith(ZIP_SIGNATURES):
        return Container.ZIP
    return Container.TEXT if _is_text(head) else Container.OTHER


def expect(path: Path, *wanted: Container) -> Container:
    """Return the container of ``path``; raise ``FormatError`` unless it is one of ``wanted``."""
    found = container(path)
    if found in wanted:
        return found
    hint = {
        Container.EMPTY: "The file holds no bytes: copy or export it again.",
        Container.TEXT: "The name says otherwise: it may be a download's error page or a Git LFS pointer; fetch the real file.",
        Container.UNREADABLE: "Check that you may read it and that its disk is there.",
    }.get(found, "The file is damaged, or its name has the wrong extension.")
    raise FormatError(f"{path.name} cannot be read (expected {' or '.join(wanted)} / found {found})", hint)


def _is_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The cut at HEAD_BYTES may fall inside a character.
        if error.start < len(head) - 4:
            return False
        text = head[: error.start].decode("utf-8")
    return all(char.isprintable() or char in "\t\r\n\f" for char in text)
