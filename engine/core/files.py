"""Writing files so that a kill at any moment leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.core.errors import OutputError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is flushed and renamed over it, on any error it is removed.

    Raises
    ------
    OutputError
        When the folder is missing or not writable, or the disk is full. What stood at ``path`` before is untouched.
    """
    target = Path(path)
    folder = target.parent if str(target.parent) else Path()
    if target.is_dir():
        raise OutputError(f"cannot write {target}: it is a folder", "Give the name of a file.")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=folder)
        os.close(handle)
    except OSError as error:
        raise translate(error, target) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        raise translate(error, target) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """Raise ``OutputError`` at once when ``path`` could not be written later, before hours of work are spent."""
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"cannot write {target}: it is a folder", "Give the name of a file.")
    try:
        handle, name = tempfile.mkstemp(dir=target.parent if str(target.parent) else Path())
        os.close(handle)
        Path(name).unlink()
    except OSError as error:
        raise translate(error, target) from error


def translate(error: OSError, target: Path) -> OutputError:
    """Turn an operating-system error into one with a hint."""
    # h5py wraps the number into the text: "errno = 28, error message = 'No space left on device'"
    text = str(error)
    if error.errno == errno.ENOSPC or "errno = 28" in text or "No space left" in text:
        return OutputError(f"cannot write {target}: the disk is full", "Free some space or write to another disk.")
    if error.errno == errno.ENOENT:
        return OutputError(f"cannot write {target}: the folder {target.parent} does not exist", "Create the folder first.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"cannot write {target}: no permission", "Choose a folder you may write to.")
    return OutputError(f"cannot write {target}: {error.strerror or text}", "Choose another place.")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
