"""Writing files so that a kill at any moment leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.core.errors import OutputError


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


# Read once, while there is one thread: it can only be read by setting it, and two threads that do so at once leave it at 0.
UMASK = _umask()


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is flushed and renamed over it, on any error it is removed.

    Raises
    ------
    OutputError
        When the folder is missing or not writable, or the disk is full. What stood at ``path`` before is untouched.
    """
    target = Path(path)
    _check_target(path)
    try:
        # The name is cut so that one of the longest possible length still gets a temporary one.
        handle, name = tempfile.mkstemp(prefix=f".{target.stem[:100]}-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise translate(error, target) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~UMASK)
        temporary.replace(target)
    except OSError as error:
        raise translate(error, target) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | Path, *inputs: str | Path) -> None:
    """Raise ``OutputError`` at once when ``path`` could not be written later, before hours of work are spent.

    ``inputs`` are files that are read: writing over one of them is refused.
    """
    target = Path(path)
    _check_target(path)
    refuse(path, *inputs)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent)
        os.close(handle)
        Path(name).unlink()
    except OSError as error:
        raise translate(error, target) from error


def is_folder(path: str | Path) -> bool:
    """Whether ``path`` is a folder; no name makes this raise."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def refuse(path: str | Path, *inputs: str | Path) -> None:
    """Raise ``OutputError`` for a name that nothing may be written to: a device, a name that is too long, one of ``inputs``."""
    target = Path(path)
    if not is_folder(target):
        _check_target(path)
    for source in inputs:
        if target.exists() and Path(source).exists() and target.samefile(source):
            raise OutputError(f"the output {target} is the input file itself", "Choose another name; inputs are never overwritten.")


def check_folder_writable(path: str | Path) -> None:
    """Raise ``OutputError`` at once when no file could be put into the folder ``path``, which may yet have to be made."""
    target = Path(path)
    if not str(path):
        raise OutputError("cannot write into a folder without a name", "Give the name of a folder.")
    try:
        if target.exists() and not target.is_dir():
            raise OutputError(f"cannot write {target}: it is a file", "Give the name of a folder.")
        Path(tempfile.mkdtemp(dir=target if target.exists() else target.parent)).rmdir()
    except OSError as error:
        raise translate(error, target) from error


def _check_target(path: str | Path) -> None:
    """Refuse names that no file can take. A device or a pipe would be replaced by the renaming, not written to."""
    target = Path(path)
    if not str(path):
        raise OutputError("cannot write a file without a name", "Give the name of a file.")
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise translate(error, target) from error
    if stat.S_ISDIR(mode):
        raise OutputError(f"cannot write {target}: it is a folder", "Give the name of a file.")
    if not stat.S_ISREG(mode):
        raise OutputError(f"cannot write {target}: it is not a regular file", "Give the name of a file.")


def translate(error: OSError, target: Path) -> OutputError:
    """Turn an operating-system error into one with a hint."""
    # h5py wraps the number into the text: "errno = 28, error message = 'No space left on device'"
    text = str(error)
    wrapped = re.search(r"errno = (\d+)", text)
    number = int(wrapped[1]) if wrapped else error.errno
    if number == errno.ENOSPC or "No space left" in text:
        return OutputError(f"cannot write {target}: the disk is full", "Free some space or write to another disk.")
    if number == errno.EFBIG:
        return OutputError(f"cannot write {target}: the file is larger than may be written here", "Write to another disk.")
    if number == getattr(errno, "EDQUOT", None):
        return OutputError(f"cannot write {target}: your quota is used up", "Free some space or write to another disk.")
    if number == errno.ENOENT and not target.parent.is_dir():
        return OutputError(f"cannot write {target}: the folder {target.parent} does not exist", "Create the folder first.")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"cannot write {target}: no permission", "Choose a folder you may write to.")
    if number == errno.ENAMETOOLONG:
        return OutputError(f"cannot write {target.name[:40]}...: the name is too long", "Choose a shorter name.")
    return OutputError(f"cannot write {target}: {error.strerror or text}", "Choose another place.")
