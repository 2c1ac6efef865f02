"""Reference values of one's own site, for Z-scores. None is built in: normal T1 and T2 differ between scanners and sequences.

They are kept as JSON, a list of objects with the fields of :class:`engine.core.records.relaxometry.SiteReference`, in
``site-references.json`` in the folder of the user's settings: that of ``MYOSCOPE_CONFIG_DIR``, else the platform's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from engine.core.errors import FormatError, InputError
from engine.core.files import replacing
from engine.core.places import config_folder
from engine.core.records.plain import plain
from engine.core.records.relaxometry import SiteReference

FILE = "site-references.json"


def z_score(value: float, site: SiteReference) -> float:
    """Return how many standard deviations ``value`` lies from the mean of healthy people."""
    return (value - site.mean) / site.sd


def default_path() -> Path:
    """Return the file of the user's table."""
    return config_folder() / FILE


def read_references(path: str | Path | None = None) -> list[SiteReference]:
    """Return the site's references, none when there is no file yet.

    Raises
    ------
    FormatError
        The file cannot be read or is no such table; it says which entry is wrong.
    """
    file = Path(path) if path is not None else default_path()
    if not file.exists():
        return []
    hint = "Correct the file, or move it away and enter the values again."
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(f"cannot read the site references {file}: {error}", hint) from error
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise FormatError(f"{file} is no table of site references (expected a list of objects)", hint)
    made = []
    for number, entry in enumerate(found, 1):
        try:
            made.append(_site(entry))
        except InputError as error:
            raise FormatError(f"entry {number} of {file} cannot be used: {error.message}", hint) from error
    return made


def save_references(sites: Sequence[SiteReference], path: str | Path | None = None) -> Path:
    """Write the whole table and return where; an old one is replaced in one step.

    Raises
    ------
    InputError
        Two have the same name.
    OutputError
        The file cannot be written.
    """
    names = [site.name for site in sites]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two site references are called {twice} (expected different ones)", "Tell them apart in their notes.")
    file = Path(path) if path is not None else default_path()
    if path is None:
        file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(plain(sites), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def _site(entry: Mapping[str, Any]) -> SiteReference:
    """Return the reference that an object of the file tells; raise ``InputError`` when a field is missing, unknown, or wrong."""
    known = {field.name for field in fields(SiteReference)}
    needed = known - {"note"}
    if missing := sorted(needed - set(entry)):
        raise InputError(f"the site reference lacks {', '.join(missing)} (expected {', '.join(sorted(needed))})", "Add it.")
    if unknown := sorted(set(entry) - known):
        raise InputError(f"the site reference has unknown fields: {', '.join(unknown)}", f"Known: {', '.join(sorted(known))}.")
    return SiteReference(**entry)
