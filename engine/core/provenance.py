"""What a result must carry so that it can be made again: versions, command, hashes."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engine import __version__
from engine.core.records.plain import Plain

RESEARCH_USE = "research use only"


@cache
def _versions() -> Mapping[str, str]:
    found = {"myoscope": __version__, "python": platform.python_version(), "platform": platform.platform(terse=True)}
    for package in ("torch", "numpy", "scipy", "h5py"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def software() -> dict[str, str]:
    """Return the versions of what computes: Myoscope, Python, torch, NumPy and the platform. Loads none of them."""
    return dict(_versions())


def record(**entries: Plain) -> dict[str, Plain]:
    """Return a provenance record: software, time (UTC), the command line, and ``entries``."""
    base: Mapping[str, Plain] = {
        "software": software(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]] if sys.argv else [],
        "use": RESEARCH_USE,
    }
    return {**base, **entries}


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
