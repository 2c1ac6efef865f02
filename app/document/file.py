"""The session file on disk: JSON in UTF-8, written atomically, read strictly and within limits."""

from __future__ import annotations

import base64
import binascii
import zlib
from math import prod
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from app.document.saved import FORMAT, VERSION, SavedMask, SavedSession
from engine.core.errors import EngineError, FormatError
from engine.core.files import replacing
from engine.core.types import SamplingMask

SUFFIX: Final = ".myoscope"
LARGEST_BYTES: Final = 64 << 20
"""Of a session file. One holds settings and masks, a few hundred kilobytes."""
LARGEST_MASK: Final = 1 << 28
"""Samples of a mask: 2 ** 28 bits are 32 MiB packed."""
MOST: Final = 2000
"""Cases of a session, masks, results of a case."""


class _Head(msgspec.Struct):
    """What is read first: it tells whether the rest can be."""

    format: str = ""
    version: int = 0


def write(session: SavedSession, path: str | Path) -> None:
    """Write a session file: a kill at any moment leaves the old one or the new one.

    Raises
    ------
    OutputError
        When the disk is full, the folder is not writable, or the like.
    """
    text = msgspec.json.format(msgspec.json.encode(session, enc_hook=_plain), indent=1)
    with replacing(path) as temporary:
        temporary.write_bytes(text)


def _plain(value: object) -> object:
    """Return a number of NumPy as Python's: positions and ranges that were computed come as such."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a session cannot hold a {type(value).__name__}")


def read(path: str | Path) -> SavedSession:
    """Read a session file.

    Raises
    ------
    FormatError
        When it is no session file, damaged, too large, or of a later version; with what was expected and found.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise FormatError(f"{file.name} is no session file (expected a file / found none)", "Choose a .myoscope file.")
        with file.open("rb") as stream:
            data = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        hint = "Check the file and its permissions."
        raise FormatError(f"{file.name} cannot be read: {error.strerror or error}", hint) from error
    if len(data) > LARGEST_BYTES:
        raise FormatError(
            f"{file.name} is too large for a session file (expected at most {LARGEST_BYTES >> 20} MiB)", "Choose another file."
        )
    return decode(data, file.name)


def decode(data: bytes, name: str) -> SavedSession:
    """Return the session in the bytes of a file; see :func:`read`."""
    hint = "The file is damaged or was edited by hand: open another one, or the last session."
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.format != FORMAT:
            found = f"{head.format[:40]!r}"
            raise FormatError(f"{name} is no session file (expected {FORMAT!r} / found {found})", "Choose another file.")
        if not 1 <= head.version <= VERSION:
            raise FormatError(
                f"{name} was written by another version (expected session version 1 to {VERSION} / found {head.version})",
                "Open it with the version of Myoscope that wrote it, or a later one.",
            )
        session = msgspec.json.decode(data, type=SavedSession)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"{name} cannot be read as a session: {str(error)[:200]}", hint) from error
    counts = (len(session.cases), len(session.masks), *(len(case.results) + len(case.maps) for case in session.cases))
    if max(counts) > MOST:
        raise FormatError(f"{name} holds too much (expected at most {MOST} of a kind / found {max(counts)})", hint)
    keys = [case.key for case in session.cases]
    if len(set(keys)) < len(keys):
        raise FormatError(f"{name} holds two cases of one key (expected different ones)", hint)
    return session


def packed(mask: SamplingMask) -> SavedMask:
    """Return a mask as it is written."""
    frames, ky, kx = mask.lines.shape
    bits = base64.b64encode(zlib.compress(np.packbits(mask.lines).tobytes(), 6)).decode("ascii")
    return SavedMask(
        pattern=mask.pattern,
        nominal_acceleration=mask.nominal_acceleration,
        acs=mask.acs,
        seed=mask.seed,
        shape=(frames, ky, kx),
        bits=bits,
    )


def unpacked(saved: SavedMask) -> SamplingMask:
    """Return a mask as it was.

    Raises
    ------
    FormatError
        When its shape and its bits do not fit, or are more than a mask can have.
    """
    hint = "The session file is damaged: open another one, or the last session."
    count = prod(saved.shape)
    if min(saved.shape) < 1 or count > LARGEST_MASK:
        raise FormatError(f"a mask has an impossible shape (expected up to {LARGEST_MASK} samples / found {saved.shape})", hint)
    length = (count + 7) // 8
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(base64.b64decode(saved.bits, validate=True), length + 1)
        if len(raw) != length:
            raise FormatError(f"a mask does not fit its shape (expected {length} bytes / found {len(raw)})", hint)
        lines = np.unpackbits(np.frombuffer(raw, np.uint8), count=count).astype(np.bool_).reshape(saved.shape)
        return SamplingMask(lines, saved.pattern, saved.nominal_acceleration, saved.acs, saved.seed)
    except EngineError as error:
        raise FormatError(error.message, hint) from error
    except (binascii.Error, zlib.error, ValueError) as error:
        raise FormatError(f"a mask cannot be read: {error}", hint) from error
