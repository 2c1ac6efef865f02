"""Reference values of one's own site, for Z-scores. None is built in: normal T1 and T2 differ between scanners and sequences.

They are kept as JSON, a list of objects with the fields of :class:`SiteReference`, in ``site-references.json`` in the folder of the
user's settings: that of ``MYOSCOPE_CONFIG_DIR``, else the platform's.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from engine.core.errors import FormatError, InputError
from engine.core.files import replacing

ENVIRONMENT = "MYOSCOPE_CONFIG_DIR"
FILE = "site-references.json"
QUANTITIES = {"T1": "ms", "T2": "ms", "ECV": "%"}


@dataclass(frozen=True, slots=True)
class SiteReference:
    """Mean and standard deviation of a quantity in healthy people, as one site measured it.

    Parameters
    ----------
    quantity
        ``T1`` or ``T2`` in ms, ``ECV`` in percent.
    field_t
        Field strength.
    sequence
        Sequence and scheme in the site's words, for example "MOLLI 5(3)3".
    mean, sd
        In the unit of the quantity.
    note
        Vendor, sex, age, number of people: whatever else tells for whom it holds.
    """

    quantity: str
    field_t: float
    sequence: str
    mean: float
    sd: float
    note: str = ""

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise InputError(f"unknown quantity {self.quantity!r} (expected {', '.join(QUANTITIES)})", "Choose one of them.")
        for name in ("sequence", "note"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"the {name} is no text (found {getattr(self, name)!r})", "Write it in words.")
        if not self.sequence.strip():
            raise InputError("the site reference names no sequence (expected for example MOLLI 5(3)3)", "Say how it was measured.")
        for name in ("field_t", "mean", "sd"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
                raise InputError(
                    f"{name} of the site reference {self.sequence} cannot be used (expected a number above 0 / found {value!r})",
                    "Give the mean and the standard deviation over healthy people, and the field in tesla.",
                )
            object.__setattr__(self, name, float(value))

    @property
    def unit(self) -> str:
        """Unit of mean and standard deviation."""
        return QUANTITIES[self.quantity]

    @property
    def name(self) -> str:
        """What a person reads in a list: "T1, 3 T, MOLLI 5(3)3"."""
        return f"{self.quantity}, {self.field_t:g} T, {self.sequence}" + (f" ({self.note})" if self.note else "")


def z_score(value: float, reference: SiteReference | Mapping[str, Any]) -> float:
    """Return how many standard deviations ``value`` lies from the mean of healthy people."""
    site = reference if isinstance(reference, SiteReference) else from_record(reference)
    return (value - site.mean) / site.sd


def default_path() -> Path:
    """Return the file of the user's table."""
    chosen = os.environ.get(ENVIRONMENT)
    if chosen:
        return Path(chosen).expanduser() / FILE
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Preferences"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "myoscope" / FILE


def as_record(site: SiteReference) -> dict[str, Any]:
    """Return the fields of a reference, and its ``name`` and ``unit``, which follow from them."""
    return {**asdict(site), "name": site.name, "unit": site.unit}


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
            made.append(from_record(entry))
        except InputError as error:
            raise FormatError(f"entry {number} of {file} cannot be used: {error.message}", hint) from error
    return made


def save_references(entries: Sequence[SiteReference | Mapping[str, Any]], path: str | Path | None = None) -> Path:
    """Write the whole table and return where; an old one is replaced in one step.

    Raises
    ------
    InputError
        An entry cannot be used, or two have the same name.
    OutputError
        The file cannot be written.
    """
    sites = [entry if isinstance(entry, SiteReference) else from_record(entry) for entry in entries]
    names = [site.name for site in sites]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two site references are called {twice} (expected different ones)", "Tell them apart in their notes.")
    file = Path(path) if path is not None else default_path()
    if path is None:
        file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary:
        temporary.write_text(json.dumps([asdict(site) for site in sites], indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def from_record(entry: Mapping[str, Any]) -> SiteReference:
    """Return the reference that a record tells; raise ``InputError`` when a field is missing, unknown, or wrong.

    ``name`` and ``unit``, which :func:`as_record` adds, are not read.
    """
    entry = {name: value for name, value in entry.items() if name not in ("name", "unit")}
    known = {field.name for field in fields(SiteReference)}
    needed = known - {"note"}
    if missing := sorted(needed - set(entry)):
        raise InputError(f"the site reference lacks {', '.join(missing)} (expected {', '.join(sorted(needed))})", "Add it.")
    if unknown := sorted(set(entry) - known):
        raise InputError(f"the site reference has unknown fields: {', '.join(unknown)}", f"Known: {', '.join(sorted(known))}.")
    return SiteReference(**entry)
