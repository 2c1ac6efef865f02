"""The data that ship with the program: real, small, openly licensed; each has a card with source and licence beside it.

A sample is two files in ``resources/samples``: ``NAME.npz`` and ``NAME.json``. Adding both adds the sample.
"""

from __future__ import annotations

import contextlib
import difflib
import json
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.errors import FormatError, UnknownNameError
from engine.core.records.entries import Entry
from engine.core.records.series import Sample
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, Kind, KSpaceSeries
from engine.io import npz
from engine.io.arrays import TRUTH_PREFIX


@cache
def folder() -> Path:
    """Return the ``resources`` folder of this installation.

    Raises
    ------
    FormatError
        The installation lacks it.
    """
    beside = Path(__file__).resolve().parents[2] / "resources"
    places = [beside]
    with contextlib.suppress(ModuleNotFoundError, NotADirectoryError, TypeError):
        # A namespace package may have several places; a frozen program has one that is not beside the sources.
        found = resources.files("resources")
        places += [Path(str(place)) for place in getattr(found, "_paths", [found])]
    for place in places:
        if (place / "samples").is_dir():
            return place
    raise FormatError(f"the folder resources/samples is missing (expected it in {beside})", "Install Myoscope again.")


def samples() -> list[Sample]:
    """Return all samples, cine before relaxometry, each kind in alphabetical order."""
    found = [_sample(card) for card in sorted((folder() / "samples").glob("*.json"))]
    return sorted(found, key=lambda sample: sample.kind != Kind.CINE)


def open_sample(name: str) -> KSpaceSeries | ImageSeries:
    """Open a sample.

    Raises
    ------
    UnknownNameError
        No such sample; the hint has the nearest names.
    """
    sample = find(name)
    if sample.path is None or not sample.path.exists():
        raise FormatError(f"the data of sample {name} are missing (expected {sample.path})", "Install Myoscope again.")
    series = npz.NPZ.read(Entry(sample.path, npz.Npz.name), OpenOptions(kind=str(Kind(sample.kind))))
    card = _card(name)
    attributes: dict[str, Any] = {**card.get("attributes", {}), "sample": name, "licence": sample.licence, "origin": sample.source}
    notes = (*series.notes, f"sample: {sample.title} ({sample.licence})")
    unknown = tuple(word for word in series.unknown if word not in card.get("known", []))
    return replace(series, name=sample.title, attributes=attributes, notes=notes, unknown=unknown)


def sample_truth(name: str) -> dict[str, np.ndarray]:
    """Return the reference maps that come with a sample, by name ("t1_ms"), (slice, y, x); empty when it has none."""
    sample = find(name)
    if sample.path is None:
        return {}
    variables, _ = npz.contents(sample.path)
    return {v.name.removeprefix(TRUTH_PREFIX): v.load() for v in variables if v.name.startswith(TRUTH_PREFIX)}


def find(name: str) -> Sample:
    """Return the sample called ``name``; raise ``UnknownNameError`` with the nearest names otherwise."""
    known = {sample.name: sample for sample in samples()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=2, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}."
        raise UnknownNameError(f"unknown sample {name!r} (expected one of {len(known)} names)", hint)
    return known[name]


def _card(name: str) -> dict[str, Any]:
    return dict(json.loads((folder() / "samples" / f"{name}.json").read_text(encoding="utf-8")))


def _sample(path: Path) -> Sample:
    card = _card(path.stem)
    return Sample(
        name=path.stem,
        title=card["title"],
        description=card["description"],
        kind=card["kind"],
        licence=card["licence"],
        source=card["source"],
        path=path.with_suffix(".npz"),
        licence_file=folder() / "licences" / card["licence_file"],
        changes=card["changes"],
    )
